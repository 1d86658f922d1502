// One piece of work at a time: its status line, its Stop button, its error, and one announcement at the
// end. A new piece takes the place of the one before. <html data-work="idle|TASK"> says which it is.

import { announce, element, hideError, showError } from "./elements.js";
import { duration } from "./words.js";

const state = document.documentElement.dataset;
let current = null; // {controller, place}

/**
 * `place` names the elements PLACE-status, PLACE-stop and PLACE-error. `act(signal, say)` resolves with
 * what to announce, or with nothing; `say` changes the status line. Resolves with whether it ended well.
 */
export async function perform(task, { place, doing }, act) {
  stopWork();
  const work = (current = { controller: new AbortController(), place });
  state.work = task;
  hideError(`${place}-error`);
  const say = (words) => work === current && (element(`${place}-status`).textContent = words);
  say(doing);
  element(`${place}-stop`).disabled = false;
  const started = performance.now();
  let ending = "";
  try {
    const words = await act(work.controller.signal, say);
    if (work === current && words) announce(words);
    ending = `Done in ${duration(performance.now() - started)}.`;
  } catch (error) {
    if (work !== current) return false; // stopped, or another piece has taken its place
    if (error.code !== "aborted") showError(`${place}-error`, error);
  }
  if (work === current) finish(ending);
  return ending !== "";
}

export function stopWork() {
  if (!current) return;
  const { controller } = current;
  finish("Stopped.");
  controller.abort();
}

function finish(words) {
  const stop = element(`${current.place}-stop`);
  const hadFocus = document.activeElement === stop;
  element(`${current.place}-status`).textContent = words;
  current = null;
  state.work = "idle";
  stop.disabled = true;
  if (hadFocus) document.querySelector(`#${state.section} h2`).focus(); // a disabled button would lose it
}

export function startWork() {
  for (const stop of document.querySelectorAll("button[data-stop]")) stop.addEventListener("click", stopWork);
}
