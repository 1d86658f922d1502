// Captions: words as they come, several alternatives, and for each word where the model looked.

import { button, copy, element, make, onSubmit } from "./elements.js";
import { hideHeat, meanOf, placeOf, showHeat } from "./heat.js";
import { main } from "./model.js";
import { currentPicture, events, pictures } from "./pictures.js";
import { percent } from "./words.js";
import { perform } from "./work.js";

const SAMPLING = { doSample: true, topP: 0.9, temperature: 1 };

/** Captions those that have none yet, the current picture first. */
export async function captionNew() {
  if (!main.can("caption")) return;
  const waiting = pictures.filter(({ caption, isBroken }) => !caption && !isBroken);
  const first = waiting.indexOf(currentPicture());
  if (first > 0) waiting.unshift(...waiting.splice(first, 1));
  if (waiting.length > 0) await run(waiting);
}

async function run(chosen) {
  const settings = readSettings();
  let broken = null;
  await perform("caption", { place: "picture", doing: "Looking at the picture…" }, async (signal, say) => {
    for (const [place, picture] of chosen.entries()) {
      if (chosen.length > 1) say(`Picture ${place + 1} of ${chosen.length}…`);
      try {
        picture.caption = await captionOne(picture, settings, signal);
      } catch (error) {
        if (error.code !== "bad_image") throw error;
        picture.isBroken = true; // the others go on
        broken ??= new Error(`${picture.name}: ${error.message}`, { cause: error });
      }
      showAll();
      if (picture === currentPicture()) showCaption();
    }
    if (broken) throw broken;
    const [{ text }] = (currentPicture()?.caption ?? chosen[0].caption).alternatives;
    return chosen.length > 1 ? `${chosen.length} captions are ready.` : `Caption: ${text}`;
  });
  showAll();
  showCaption();
}

function readSettings() {
  const prompt = element("caption-prompt").value.trim();
  const count = Number(element("caption-count").value);
  return { prompt, count, way: element("caption-way").value };
}

/** {alternatives: [{text, score, attention?}], sumsLogits}, the best or the first one first. */
async function captionOne(picture, { prompt, count, way }, signal) {
  const isShown = () => picture === currentPicture();
  const line = element("caption-text");
  const { info } = main.model;
  const alternatives = [];
  for (let place = 0; place < (way === "samples" ? count : 1); place++) {
    if (isShown()) line.replaceChildren();
    const onToken = (text) => place === 0 && isShown() && line.append(text);
    const options = { signal, onToken, attention: true, ...(prompt && { prompt }) };
    if (way === "beams") options.numBeams = count;
    if (way === "greedy" && !info.generation?.numBeams) options.numBeams = 1; // a CoCa's own way is a search
    if (way === "samples") Object.assign(options, SAMPLING, { seed: place + 1 });
    const found = await main.model.caption(picture.file, options);
    if (place === 0 && isShown()) line.textContent = found.text;
    for (const one of [found, ...(found.alternatives ?? [])]) {
      if (!alternatives.some(({ text }) => text === one.text)) alternatives.push(one);
    }
  }
  const sumsLogits = info.family === "coca" && way === "beams"; // open_clip's search does: its scores are no probabilities
  return { alternatives: alternatives.sort((a, b) => b.score - a.score), sumsLogits };
}

// --- showing ---------------------------------------------------------------------------------

/** The current picture's caption, its words with their maps, and the other alternatives. */
export function showCaption() {
  hideHeat();
  const { alternatives = [], sumsLogits = false } = currentPicture()?.caption ?? {};
  const line = element("caption-text");
  const best = alternatives[0];
  line.replaceChildren(...(best ? wordsOf(best) : []));
  element("caption-copies").hidden = !best;
  element("heat-hint").hidden = !best?.attention;
  element("caption-score").textContent = best && !sumsLogits ? `Mean probability of a word: ${percent(Math.exp(best.score))}.` : "";
  const others = alternatives.slice(1).map(({ text, score }) => {
    const copied = button("Copy", () => copy(text, copied), { "aria-label": `Copy: ${text}` });
    return make("li", {}, make("span", { textContent: text }), make("span", { className: "number quiet", textContent: sumsLogits ? "" : percent(Math.exp(score)) }), copied);
  });
  element("caption-alternatives").replaceChildren(...others);
  element("alternatives-heading").hidden = others.length === 0;
}

/** Texts and buttons which together read as the caption. */
function wordsOf({ text, attention }) {
  if (!attention) return [text];
  const words = groupTokens(text, attention.tokens);
  return words.flatMap(({ before, word, maps }, place) => {
    if (maps.length === 0) return [before + word];
    const heat = { ...attention, map: meanOf(maps) };
    const made = button(word, () => showHeat(heat), { className: "word", tabIndex: place === words.findIndex((each) => each.maps.length > 0) ? 0 : -1 });
    made.setAttribute("aria-label", `${word}: looked ${placeOf(heat)}`);
    made.addEventListener("pointerenter", () => showHeat(heat));
    made.addEventListener("pointerleave", () => document.activeElement !== made && hideHeat());
    made.addEventListener("focus", () => showHeat(heat));
    made.addEventListener("blur", hideHeat);
    return [before, made];
  });
}

/**
 * The tokens that make up each word of the text, in order. What stands before the first token, a prompt,
 * has no maps.
 */
function groupTokens(text, tokens) {
  const words = [];
  let at = 0;
  for (const { text: piece, map } of tokens) {
    const letters = piece.trim();
    const found = letters ? text.indexOf(letters, at) : -1;
    if (found < 0) continue; // [SEP], say
    const between = text.slice(at, found);
    const last = words.at(-1);
    if (between === "" && last && !/\s$/.test(last.word)) {
      last.word += letters;
      last.maps.push(map);
    } else words.push({ before: between, word: letters, maps: [map] });
    at = found + letters.length;
  }
  if (at < text.length) words.push({ before: text.slice(at), word: "", maps: [] });
  return words;
}

/** Arrow keys go from word to word: the whole caption is one stop of the Tab key. */
function moveAmongWords(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const words = [...element("caption-text").querySelectorAll(".word")];
  const place = words.indexOf(document.activeElement);
  if (event.key === "Escape") return hideHeat();
  if (!step || place < 0) return;
  event.preventDefault();
  const next = words[(place + step + words.length) % words.length];
  words[place].tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

/** With several pictures open: what each of them shows. */
function showAll() {
  const done = pictures.filter(({ caption }) => caption);
  element("caption-all").hidden = pictures.length < 2 || done.length === 0;
  const lines = done.map(({ name, url, caption }) => {
    const image = make("img", { src: url, alt: "", width: 40, height: 40 });
    return make("li", {}, image, make("span", {}, make("span", { className: "quiet", textContent: name }), make("br"), caption.alternatives[0].text));
  });
  element("caption-all-list").replaceChildren(...lines);
}

const bestText = () => currentPicture()?.caption?.alternatives[0].text ?? "";
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;");

export function startCaption() {
  onSubmit("caption-form", () => currentPicture() && run([currentPicture()]));
  element("caption-text").addEventListener("keydown", moveAmongWords);
  element("copy-text").addEventListener("click", ({ target }) => copy(bestText(), target));
  element("copy-alt").addEventListener("click", ({ target }) => copy(`alt="${escaped(bestText())}"`, target));
  element("copy-all").addEventListener("click", ({ target }) => {
    const done = pictures.filter(({ caption }) => caption);
    copy(done.map(({ name, caption }) => `${name}\t${caption.alternatives[0].text}`).join("\n"), target);
  });
  const adapt = () => {
    element("caption-count").disabled = element("caption-way").value === "greedy";
    element("caption-count-label").textContent = element("caption-way").value === "beams" ? "Beams" : "Alternatives";
  };
  element("caption-way").addEventListener("change", adapt);
  adapt();
  main.addEventListener("change", () => {
    if (main.phase === "loading") for (const picture of pictures) delete picture.caption; // they were another model's
    showAll();
    showCaption();
  });
  events.addEventListener("change", () => {
    showAll();
    showCaption();
  });
}
