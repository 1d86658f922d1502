// The page: elements, events and words. Everything about models happens behind obscura.js.
// The state of things is in <html data-model="none|loading|ready|failed" data-work="idle|TASK">.

import { cache, droppedFiles, load } from "./obscura.js";
import { megabytes, Pace } from "./pace.js";

const TASK_WORDS = {
  caption: { doing: "Looking at the picture…", can: "write captions" },
  answer: { doing: "Thinking about the question…", can: "answer questions" },
  classify: { doing: "Comparing the labels…", can: "choose among labels" },
  match: { doing: "Comparing the descriptions…", can: "match texts" },
};

const MODEL_FILE = /\.(gguf|safetensors|bin|pth|pt)$/i;

const state = document.documentElement.dataset;
const element = (id) => document.getElementById(id);
let model = null;
let picture = null; // a File or Blob
let loading = null; // the AbortController of the load under way
let pace = new Pace(); // of that load
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
    const progress = (event) => controller === loading && showProgress(event);
    const loaded = await load(source, { ...modelOptions(), signal: controller.signal, progress });
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
  showKept();
}

function modelOptions() {
  const query = new URLSearchParams(location.search);
  const hub = query.has("hub") ? { host: query.get("hub") } : undefined;
  return { device: element("model-device").value, dtype: query.get("dtype") ?? "auto", hub };
}

function showModelState(name, words) {
  const losesFocus = document.activeElement?.closest("#model-form, #loading");
  state.model = name;
  element("model-status").textContent = words;
  element("model-error").hidden = true;
  if (name === "loading") beginProgress();
  const next = { loading: "model-stop", ready: "picture-pick" }[name] ?? "model-url";
  element("model-details").open = name !== "ready";
  if (losesFocus) element(next).focus();
}

function beginProgress() {
  pace = new Pace();
  element("model-warning").hidden = true;
  element("model-progress").removeAttribute("value"); // nothing is known yet: the bar shows that something goes on
  element("model-bytes").textContent = "Starting…";
}

function showProgress({ status, message, progress, loaded, total }) {
  if (status === "warning" || status === "waiting") {
    element("model-warning").textContent = message;
    element("model-warning").hidden = false;
    return announce(message);
  }
  if (status !== "progress_total") return;
  element("model-progress").value = progress;
  element("model-bytes").textContent = loaded < total ? pace.describe(loaded, total, performance.now()) : "Preparing…";
}

/** The models that this browser keeps, each with its size and a way to clear it. */
async function showKept() {
  const entries = await cache.list();
  element("kept").hidden = entries.length === 0;
  element("kept-size").textContent = megabytes(entries.reduce((sum, { bytes }) => sum + bytes, 0));
  const lines = entries.map(({ id, source, dtype, bytes, complete }) => {
    const line = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Clear";
    button.setAttribute("aria-label", `Clear ${source}`);
    button.addEventListener("click", () => clearKept(id, source));
    const format = dtype === "auto" ? "" : `, ${dtype}`;
    line.append(span(source), span(`${megabytes(bytes)}${format}${complete ? "" : ", in part"}`, "number quiet"), button);
    return line;
  });
  element("kept-list").replaceChildren(...lines);
  const addresses = entries.map(({ source }) => source).filter((source) => source.includes("/"));
  element("kept-sources").replaceChildren(...addresses.map((source) => Object.assign(document.createElement("option"), { value: source })));
}

async function clearKept(id, source) {
  try {
    await cache.clear(id);
    announce(id === undefined ? "All kept models were cleared." : `${source} was cleared.`);
  } catch (error) {
    showError("model-error", error);
  }
  await showKept();
  const next = element("kept").hidden ? element("model-url") : element("kept-clear"); // the button pressed is gone
  next.focus();
}

function describeModel({ family, parameters, dtype, device, adapter }) {
  const size = parameters >= 1e6 ? `${Math.round(parameters / 1e6)} million` : parameters.toLocaleString("en");
  const place = device === "cpu" ? "on the CPU" : `on WebGPU${adapter ? ` (${adapter})` : ""}`;
  return `${family.toUpperCase()}, ${size} parameters, ${dtype}, ${place}`;
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

/** Dropped or chosen files are a model if one of them is called so, else the first of them is a picture. */
function openFiles(files) {
  if (files.length === 0) return;
  const picture = files.find((file) => file.type.startsWith("image/"));
  if (files.some((file) => MODEL_FILE.test(file.name ?? ""))) openModel(files.length === 1 ? files[0] : files);
  else openPicture(picture ?? files[0]);
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
    open([...target.files]);
    target.value = ""; // so that the same file can be chosen again
  });
}

/** A folder that was chosen as one is a model, whatever is in it: what it lacks is for load() to say. */
function openFolder(files) {
  if (files.length > 0) openModel(files);
}

/** Must be called inside the event: afterwards the browser has forgotten what was dropped. */
async function openTransferred(transfer) {
  try {
    openFiles(await droppedFiles(transfer));
  } catch (error) {
    showError("model-error", new Error(`What was dropped could not be read: ${error.message}`));
  }
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
onPick("model-pick", "model-file", openFiles);
onPick("folder-pick", "model-folder", openFolder);
onPick("picture-pick", "picture-file", openFiles);
element("kept-clear").addEventListener("click", () => clearKept());
element("stage").addEventListener("click", () => element("picture-file").click());
element("picture").addEventListener("error", showNoPicture);
element("model-stop").addEventListener("click", () => loading?.abort());
element("stop").addEventListener("click", stopWork);

addEventListener("paste", (event) => {
  if (event.clipboardData.files.length === 0) return; // text, for a text field
  event.preventDefault();
  openTransferred(event.clipboardData);
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
  openTransferred(event.dataTransfer);
});

/** `?model=NAME&device=cpu&hub=https://mirror` choose; else the embedded model, if there is one. */
async function start() {
  const query = new URLSearchParams(location.search);
  const device = query.get("device");
  if (["auto", "webgpu", "cpu"].includes(device)) element("model-device").value = device;
  const address = query.get("model");
  if (address) element("model-url").value = address;
  showTasks();
  showKept();
  if (address) return openModel(address);
  const list = await fetch("models/models.json").then((response) => response.json(), () => null).catch(() => null);
  if (list?.default) await openModel();
}

start();
