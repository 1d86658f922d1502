// The page: elements, events and words. Everything about models happens behind obscura.js.
// The state of things is in <html data-model="none|loading|ready|failed" data-work="idle|TASK">.

import { load } from "./obscura.js";

const TASK_WORDS = {
  caption: { doing: "Looking at the picture…", can: "write captions" },
  answer: { doing: "Thinking about the question…", can: "answer questions" },
  classify: { doing: "Comparing the labels…", can: "choose among labels" },
  match: { doing: "Comparing the descriptions…", can: "match texts" },
};

const state = document.documentElement.dataset;
const element = (id) => document.getElementById(id);
let model = null;
let picture = null; // a File or Blob
let loading = null; // the AbortController of the load under way
let work = null; // the AbortController of the task under way

// --- model -----------------------------------------------------------------------------------

/** Replaces the loaded model. `source` undefined: the embedded one, if the site has one. */
async function openModel(source) {
  loading?.abort();
  const controller = (loading = new AbortController());
  stopWork();
  const previous = model;
  model = null;
  showModelState("loading", "Loading…");
  clearResults();
  showTasks();
  try {
    await previous?.dispose(); // two models at once may not fit
    const { device, dtype } = modelOptions();
    const loaded = await load(source, { device, dtype, signal: controller.signal, progress: showProgress });
    loading = null;
    model = loaded;
    showModelState("ready", describeModel(model.info));
    announce(`The model is ready: ${describeModel(model.info)}`);
    if (picture) captionPicture();
  } catch (error) {
    if (controller !== loading) return; // another load has taken its place
    loading = null;
    const aborted = error.code === "aborted";
    showModelState(aborted ? "none" : "failed", aborted ? "Loading was cancelled." : "Not loaded.");
    if (!aborted) showError("model-error", error);
  }
  showTasks();
}

function modelOptions() {
  const dtype = new URLSearchParams(location.search).get("dtype") ?? "auto";
  return { device: element("model-device").value, dtype };
}

function showModelState(name, words) {
  const losesFocus = document.activeElement?.closest("#model-form, #loading");
  state.model = name;
  element("model-status").textContent = words;
  element("model-error").hidden = true;
  if (name === "loading") showProgress({ progress: 0, loaded: 0, total: 0 });
  const next = { loading: "model-stop", ready: "picture-pick" }[name] ?? "model-url";
  element("model-details").open = name !== "ready";
  if (losesFocus) element(next).focus();
}

function showProgress({ status, progress, loaded, total }) {
  const bar = element("model-progress");
  if (total > 0) bar.value = progress;
  else bar.removeAttribute("value"); // no length known: the bar shows that something goes on
  const words = total > 0 ? `${megabytes(loaded)} of ${megabytes(total)}` : loaded > 0 ? megabytes(loaded) : "Starting…";
  element("model-bytes").textContent = status === "done" ? "Preparing…" : words;
}

function describeModel({ family, parameters, dtype, device, adapter }) {
  const size = parameters >= 1e6 ? `${Math.round(parameters / 1e6)} million` : parameters.toLocaleString("en");
  const place = device === "cpu" ? "on the CPU" : `on WebGPU${adapter ? ` (${adapter})` : ""}`;
  return `${family.toUpperCase()}, ${size} parameters, ${dtype}, ${place}`;
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Says of each task whether it can be done now, and if not, why. */
function showTasks() {
  for (const [task, { can }] of Object.entries(TASK_WORDS)) {
    const lacking = model && !model.info.tasks.includes(task);
    let reason = "";
    if (lacking) reason = `The loaded ${model.info.family.toUpperCase()} model cannot ${can}.`;
    else if (!model) reason = state.model === "loading" ? "The model is still loading." : "Load a model first.";
    else if (!picture) reason = "Choose a picture first.";
    element(`${task}-reason`).textContent = reason || (task === "caption" ? "The caption appears here." : "");
    const fields = element(`${task}-form`).querySelector("fieldset");
    fields.disabled = Boolean(lacking);
    const button = fields.querySelector("button");
    button.disabled = Boolean(reason);
    if (reason) button.setAttribute("aria-describedby", `${task}-reason`);
    else button.removeAttribute("aria-describedby");
  }
}

// --- picture ---------------------------------------------------------------------------------

function openPicture(file) {
  picture = file;
  stopWork();
  const image = element("picture");
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(file);
  image.alt = `Your picture${file.name ? `, ${file.name}` : ""}`;
  image.hidden = false;
  element("invitation").hidden = true;
  element("work-error").hidden = true;
  clearResults();
  showTasks();
  captionPicture();
}

function clearResults() {
  element("work-status").textContent = "";
  for (const id of ["caption-text", "classify-result", "match-result", "answer-text"]) element(id).replaceChildren();
}

/** What the browser cannot draw shows as an empty stage, not as a broken image. */
function showNoPicture() {
  element("picture").hidden = true;
  element("invitation-text").textContent = "This picture cannot be shown. Drop, paste or choose another one.";
  element("invitation").hidden = false;
}

/** A dropped or chosen file is a model if it is called one, else a picture. */
function openFile(file) {
  if (/\.gguf$/i.test(file.name ?? "")) openModel(file);
  else openPicture(file);
}

function firstFile(transfer) {
  const files = [...(transfer?.files ?? [])];
  return files.find((file) => file.type.startsWith("image/") || /\.gguf$/i.test(file.name)) ?? files[0];
}

// --- tasks -----------------------------------------------------------------------------------

function captionPicture() {
  if (!model?.info.tasks.includes("caption")) return;
  const prompt = element("caption-prompt").value.trim();
  const line = element("caption-text");
  return perform("caption", async (signal) => {
    line.replaceChildren();
    const options = { signal, ...(prompt && { prompt }), onToken: (text) => line.append(text) };
    const { text } = await model.caption(picture, options);
    line.textContent = text;
    return `Caption: ${text}`;
  });
}

function answerQuestion() {
  const line = element("answer-text");
  return perform("answer", async (signal) => {
    line.replaceChildren();
    const onToken = (text) => line.append(text);
    const { text } = await model.answer(picture, element("question").value, { signal, onToken });
    line.textContent = text;
    return `Answer: ${text}`;
  });
}

function classifyPicture() {
  const labels = splitTexts(element("labels").value, /[,\n]/);
  return perform("classify", async (signal) => {
    const scores = await model.classify(picture, labels, { signal });
    showBars("classify-result", scores.map(({ label, score }) => ({ text: label, share: score, number: percent(score) })));
    return `Best label: ${scores[0].label}, ${percent(scores[0].score)}`;
  });
}

function matchTexts() {
  const texts = splitTexts(element("texts").value, /\n/);
  return perform("match", async (signal) => {
    const matches = await model.match(picture, texts, { signal });
    const bars = matches.map(({ text, probability, similarity }) => {
      const known = typeof probability === "number";
      const cosine = `similarity ${similarity.toFixed(3)}`;
      const number = known ? `${percent(probability)}, ${cosine}` : cosine;
      return { text, share: known ? probability : Math.max(0, similarity), number };
    });
    showBars("match-result", bars);
    return bars.map(({ text, number }) => `${text}: ${number}`).join(". ");
  });
}

/** Runs one task, in place of the one before: status, Stop button, errors, one announcement at the end. */
async function perform(task, act) {
  stopWork();
  const controller = (work = new AbortController());
  state.work = task;
  element("work-error").hidden = true;
  element("work-status").textContent = TASK_WORDS[task].doing;
  element("stop").disabled = false;
  const started = performance.now();
  let ending = "";
  try {
    announce(await act(controller.signal));
    ending = `Done in ${duration(performance.now() - started)}.`;
  } catch (error) {
    if (controller !== work) return; // stopped, or another task has taken its place
    showError("work-error", error);
  }
  if (controller === work) finishWork(ending);
}

function stopWork() {
  if (!work) return;
  const stopped = work;
  finishWork("Stopped.");
  stopped.abort();
}

function finishWork(words) {
  const hadFocus = document.activeElement === element("stop");
  work = null;
  state.work = "idle";
  element("work-status").textContent = words;
  element("stop").disabled = true;
  if (hadFocus) element("picture-pick").focus(); // a disabled button would lose it
}

function splitTexts(value, separator) {
  return [...new Set(value.split(separator).map((text) => text.trim()))].filter(Boolean);
}

function duration(milliseconds) {
  return milliseconds < 1000 ? `${Math.ceil(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

// --- showing ---------------------------------------------------------------------------------

function showBars(id, bars) {
  const lines = bars.map(({ text, share, number }) => {
    const line = document.createElement("li");
    line.style.setProperty("--share", `${100 * share}%`);
    line.append(span(text), span(number, "number"));
    return line;
  });
  element(id).replaceChildren(...lines);
}

function span(text, className = "") {
  const made = document.createElement("span");
  made.className = className;
  made.textContent = text;
  return made;
}

function showError(id, error) {
  console.error(error);
  element(id).textContent = error.message;
  element(id).hidden = false;
  element(id).scrollIntoView({ block: "nearest" }); // on a phone the button pressed may be far from it
  announce(error.message);
}

/** For screen readers: whole results, never single tokens. */
function announce(words) {
  element("announcer").textContent = words;
}

// --- events ----------------------------------------------------------------------------------

function onSubmit(id, action) {
  element(id).addEventListener("submit", (event) => {
    event.preventDefault();
    action();
  });
}

function onPick(button, input, open) {
  element(button).addEventListener("click", () => element(input).click());
  element(input).addEventListener("change", ({ target }) => {
    if (target.files.length > 0) open(target.files[0]);
    target.value = ""; // so that the same file can be chosen again
  });
}

onSubmit("model-form", () => {
  const address = element("model-url").value.trim();
  if (address) openModel(address);
  else element("model-url").focus();
});
onSubmit("caption-form", captionPicture);
onSubmit("answer-form", answerQuestion);
onSubmit("classify-form", classifyPicture);
onSubmit("match-form", matchTexts);
onPick("model-pick", "model-file", openFile);
onPick("picture-pick", "picture-file", openFile);
element("stage").addEventListener("click", () => element("picture-file").click());
element("picture").addEventListener("error", showNoPicture);
element("model-stop").addEventListener("click", () => loading?.abort());
element("stop").addEventListener("click", stopWork);

addEventListener("paste", (event) => {
  const file = firstFile(event.clipboardData);
  if (!file) return; // text, for a text field
  event.preventDefault();
  openFile(file);
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const file = firstFile(event.dataTransfer);
  if (file) openFile(file);
});

/** `?model=URL&device=cpu` choose; else the embedded model, if there is one. */
async function start() {
  const query = new URLSearchParams(location.search);
  const device = query.get("device");
  if (["auto", "webgpu", "cpu"].includes(device)) element("model-device").value = device;
  const address = query.get("model");
  if (address) element("model-url").value = address;
  showTasks();
  if (address) return openModel(address);
  const list = await fetch("models/models.json").then((response) => response.json(), () => null).catch(() => null);
  if (list?.default) await openModel();
}

start();
