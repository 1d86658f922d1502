// The choice of a model: the line that says which one is loaded, the form for another, the official
// checkpoints, what the browser keeps, and why the model runs where it does.

import { cache } from "../lib/cache/cache.js";
import { whyDevice, whyDtype } from "./device.js";
import { announce, button, element, make, onPick, onSubmit, showError } from "./elements.js";
import { describeModel, embedded, main } from "./model.js";
import { gigabytes, megabytes } from "./words.js";

const TASK_WORDS = { caption: "captions", answer: "questions", classify: "labels", match: "matching", embed: "search" };
const EMBEDDED_NOTE = "It knows drawings of a few things, such as a dog, a car or a tree, on plain backgrounds, and is useless for photographs.";
const EMBEDDED_SHORT = "It knows drawings, not photographs.";

/** Another model, by its address, its files, or (undefined) the embedded one. */
export async function openModel(source, { title, entry } = {}) {
  element("model-warning").hidden = true;
  const name = title ?? entry?.id ?? (typeof source === "string" ? source : (source?.name ?? "the chosen files"));
  await main.open(source, { title: name, entry, device: element("model-device").value, dtype: element("model-dtype").value });
}

export async function openEmbedded() {
  const entry = await embedded;
  if (entry) await openModel(undefined, { entry });
}

// --- the line --------------------------------------------------------------------------------

async function showModel() {
  const { phase, model, title, error, entry } = main;
  document.documentElement.dataset.model = phase;
  const words = {
    none: "No model is loaded.",
    loading: `Loading ${title}…`,
    ready: `${title}: ${model && describeModel(model.info)}`,
    failed: `${title} was not loaded.`,
  };
  element("model-status").textContent = words[phase];
  element("model-error").hidden = true;
  if (phase === "loading") {
    element("model-progress").removeAttribute("value"); // nothing is known yet: the bar shows that something goes on
    element("model-bytes").textContent = "Starting…";
  }
  if (phase === "failed") showError("model-error", error);
  if (phase === "ready") announce(`The model is ready. ${words.ready}`);
  showNote(phase === "ready" ? entry : null);
  await showReasons();
  if (phase !== "loading") await showKept();
}

/** In a few words what the model that comes with the page knows, and all of it on demand. */
function showNote(entry) {
  const words = entry ? (entry.note ?? EMBEDDED_NOTE) : "";
  element("model-note").hidden = words === "";
  element("model-note-short").textContent = entry?.short ?? EMBEDDED_SHORT;
  element("model-note-words").textContent = words;
}

async function showReasons() {
  const { model, wanted, entry } = main;
  element("model-why").hidden = !model;
  if (!model) return;
  const facts = [whyDtype(wanted.dtype, model.info, entry), await whyDevice(wanted.device, model.info)];
  element("model-why").replaceChildren(...facts.map((fact) => make("li", { textContent: fact })));
}

function showProgress({ detail: { percent, words } }) {
  element("model-progress").value = percent;
  element("model-bytes").textContent = words;
}

function showNotice({ detail: { message } }) {
  element("model-warning").textContent = message;
  element("model-warning").hidden = false;
  announce(message);
}

// --- the choice ------------------------------------------------------------------------------

/** Official checkpoints: {hub, title, bytes, parameters, tasks, note}. */
let checkpoints = [];

async function readCheckpoints() {
  const response = await fetch(new URL("../models/checkpoints.json", import.meta.url)).catch(() => null);
  checkpoints = response?.ok ? (await response.json()).checkpoints : [];
  await showCheckpoints();
}

/** Those that can do a task first; "" is no task in particular. */
export async function wantTask(task) {
  element("model-task").value = task;
  await showCheckpoints();
}

async function showCheckpoints() {
  const task = element("model-task").value;
  const chosen = checkpoints.filter(({ tasks }) => !task || tasks.includes(task));
  const own = await embedded;
  const lines = chosen.map(({ hub, title, bytes, parameters, tasks, note }) => {
    const open = button("Load", () => openModel(hub, { title }), { "aria-label": `Load ${title}, ${gigabytes(bytes)}` });
    const size = `${gigabytes(bytes)} to download, about ${gigabytes(keptBytes(parameters))} kept`;
    const facts = make("p", { className: "quiet", textContent: `For ${tasks.map((each) => TASK_WORDS[each]).join(", ")}. ${size}.` });
    return make("li", {}, make("div", {}, make("strong", { textContent: title }), make("p", { className: "quiet", textContent: note }), facts), open);
  });
  if (own) lines.unshift(embeddedLine(own));
  element("checkpoints").replaceChildren(...lines);
}

function embeddedLine({ id, note, bytes }) {
  const open = button("Load", openEmbedded, { "aria-label": `Load ${id}, the embedded model` });
  const size = bytes ? ` ${megabytes(bytes)}.` : "";
  const facts = make("p", { className: "quiet", textContent: `Comes with this page.${size} ${note ?? EMBEDDED_NOTE}` });
  return make("li", {}, make("div", {}, make("strong", { textContent: id }), facts), open);
}

/** q8, or q4 where that is what "auto" chooses: as many bytes for every 32 weights. */
function keptBytes(parameters) {
  return (parameters / 32) * (parameters > 600e6 ? 18 : 34);
}

// --- what is kept ----------------------------------------------------------------------------

async function showKept() {
  const entries = await cache.list().catch(() => []);
  element("kept").hidden = entries.length === 0;
  element("kept-size").textContent = megabytes(entries.reduce((sum, { bytes }) => sum + bytes, 0));
  const lines = entries.map(({ id, source, dtype, bytes, complete }) => {
    const clear = button("Clear", () => clearKept(id, source), { "aria-label": `Clear ${source}` });
    const format = dtype === "auto" ? "" : `, ${dtype}`;
    const size = make("span", { className: "number quiet", textContent: `${megabytes(bytes)}${format}${complete ? "" : ", in part"}` });
    return make("li", {}, make("span", { textContent: source }), size, clear);
  });
  element("kept-list").replaceChildren(...lines);
  const addresses = entries.map(({ source }) => source).filter((source) => source.includes("/"));
  element("kept-sources").replaceChildren(...addresses.map((value) => make("option", { value })));
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

export function startModels() {
  main.addEventListener("change", showModel);
  main.addEventListener("progress", showProgress);
  main.addEventListener("notice", showNotice);
  onSubmit("model-form", () => {
    const address = element("model-url").value.trim();
    if (address) openModel(address);
    else element("model-url").focus();
  });
  onPick("model-pick", "model-file", (files) => files.length > 0 && openModel(files.length === 1 ? files[0] : files));
  onPick("folder-pick", "model-folder", (files) => files.length > 0 && openModel(files));
  element("model-stop").addEventListener("click", () => {
    main.cancel();
    element("model-change").focus();
  });
  element("kept-clear").addEventListener("click", () => clearKept());
  element("model-task").addEventListener("change", showCheckpoints);
  readCheckpoints();
  showModel();
}
