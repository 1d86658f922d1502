// The page: its sections, which of them is shown, what is possible at the moment, and what is dropped or
// pasted. Each section has a file of its own in page/; everything about models happens behind obscura.js.
// The state of things is in <html data-model="none|loading|ready|failed" data-work="idle|TASK" data-section>.

import { hasSimd } from "./lib/engine/simd.js";
import { droppedFiles } from "./obscura.js";
import { startAgents } from "./page/agents.js";
import { addToAltText, startAltText } from "./page/alttext.js";
import { startAsk } from "./page/ask.js";
import { startCamera } from "./page/camera.js";
import { captionNew, startCaption } from "./page/caption.js";
import { classify, startClassify } from "./page/classify.js";
import { compareNew, startCompare } from "./page/compare.js";
import { announce, element, make, showError } from "./page/elements.js";
import { embedded, main } from "./page/model.js";
import { openEmbedded, openModel, startModels, wantTask } from "./page/models.js";
import { currentPicture, events, openPictures, startPictures } from "./page/pictures.js";
import { guard, keepPage } from "./page/privacy.js";
import { addToAlbum, openSearch, startSearch } from "./page/search.js";
import { startWork, stopWork } from "./page/work.js";

const CAN = {
  caption: "write captions",
  answer: "answer questions",
  classify: "choose among labels",
  match: "match sentences",
  embed: "search",
};
const MODEL_FILE = /\.(gguf|safetensors|bin|pth|pt)$/i;
const WITH_PICTURE = ["caption", "ask", "classify", "compare"];
/** Of sections that a page may lack: scripts/site leaves some out. */
const STARTS = { ask: startAsk, classify: startClassify, search: startSearch, alttext: startAltText, compare: startCompare };

const state = document.documentElement.dataset;
const sections = [...document.querySelectorAll("main > .panel")].map(({ id }) => id);

// --- sections --------------------------------------------------------------------------------

function showSection(moveFocus) {
  const wanted = location.hash.slice(1);
  const name = sections.includes(wanted) ? wanted : sections[0];
  if (state.section !== name) stopWork();
  state.section = name;
  for (const id of sections) element(id).hidden = id !== name;
  element("picture-area").hidden = !WITH_PICTURE.includes(name);
  for (const link of document.querySelectorAll("nav a")) {
    const isCurrent = link.hash === `#${name}`;
    if (isCurrent) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (isCurrent) link.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  document.querySelector(".skip").hash = `#${name}`;
  const heading = element(`${name}-heading`);
  if (moveFocus) heading.focus({ preventScroll: true });
  document.title = `${heading.textContent} · obscura`;
  begin();
}

/** What a section does by itself once it has a picture and a model. */
function begin() {
  if (state.section === "search") openSearch();
  if (state.section === "compare") compareNew();
  if (state.work !== "idle" || !currentPicture()) return;
  if (state.section === "caption") captionNew();
  if (state.section === "classify") classify();
}

// --- what is possible ------------------------------------------------------------------------

/** Buttons are on where the model has the task and a picture is open; where not, it is said why. */
async function showPossible() {
  const own = await embedded;
  for (const made of document.querySelectorAll("button[data-needs]")) {
    const lacks = made.dataset.needs.split(" ").some((need) => (need === "picture" ? !currentPicture() : !main.can(need)));
    made.disabled = lacks;
  }
  for (const line of document.querySelectorAll(".need")) showNeed(line, own);
  const waiting = main.phase === "ready" ? "" : main.phase === "loading" ? "The model is still loading." : "Load a model first.";
  element("caption-reason").textContent = waiting || (currentPicture() ? "" : "The caption appears here.");
  if (sections.includes("ask")) element("answer-reason").textContent = waiting || (currentPicture() ? "The answer appears here." : "Open a picture and ask about it.");
}

function showNeed(line, own) {
  const lacking = line.dataset.task.split(" ").filter((task) => !main.can(task));
  line.hidden = main.phase !== "ready" || lacking.length === 0;
  if (line.hidden) return;
  const words = `${main.title} cannot ${lacking.map((task) => CAN[task]).join(" and ")}. `;
  const choose = make("a", { href: "#models", textContent: "Choose a model that can" });
  choose.addEventListener("click", () => wantTask(lacking[0]));
  line.replaceChildren(words, choose);
  if (!own || main.entry) return line.append(".");
  const back = make("button", { type: "button", className: "link", textContent: `go back to ${own.id}` });
  back.addEventListener("click", openEmbedded);
  line.append(", or ", back, ".");
}

// --- what is dropped and pasted --------------------------------------------------------------

/** Files are a model if one of them is called so; pictures go where the shown section takes them. */
function openFiles(files) {
  if (files.some((file) => MODEL_FILE.test(file.name ?? ""))) return openModel(files.length === 1 ? files[0] : files);
  const shown = files.filter(({ type }) => /^(image|video)\//.test(type));
  if (state.section === "search") return addToAlbum(shown);
  if (state.section === "alttext") return addToAltText(files);
  if (state.section === "models") location.hash = "#caption";
  openPictures(shown.length > 0 ? shown : files.slice(0, 1)); // the first of them is then explained
}

/** Must be called inside the event: afterwards the browser has forgotten what was dropped. */
async function openTransferred(transfer) {
  try {
    openFiles(await droppedFiles(transfer));
  } catch (error) {
    showError("model-error", new Error(`What was dropped could not be read: ${error.message}`));
  }
}

function listen() {
  addEventListener("hashchange", () => showSection(true));
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
  events.addEventListener("change", () => {
    stopWork();
    showPossible();
  });
  events.addEventListener("open", () => queueMicrotask(begin));
  main.addEventListener("change", () => {
    if (main.phase === "loading") stopWork();
    showPossible();
    if (main.phase === "ready") begin();
  });
}

// --- start -----------------------------------------------------------------------------------

/** What the page cannot do without, and the browser lacks; "" if nothing. */
function lacking() {
  if (typeof WebAssembly !== "object") return "WebAssembly";
  return hasSimd() ? "" : "WebAssembly with SIMD";
}

/** `?model=NAME&device=cpu&dtype=q4&hub=https://mirror` choose, `model=none` none; else the embedded model. */
async function start() {
  const query = new URLSearchParams(location.search);
  for (const name of ["device", "dtype"]) {
    const select = element(`model-${name}`);
    if ([...select.options].some(({ value }) => value === query.get(name))) select.value = query.get(name);
  }
  startWork();
  startPictures();
  startCamera();
  startCaption();
  for (const [name, begin] of Object.entries(STARTS)) if (sections.includes(name)) begin();
  startModels();
  startAgents();
  listen();
  showSection(false);
  showPossible();
  const lacks = lacking();
  if (lacks) return showUnsupported(lacks);
  const address = query.get("model");
  if (address === "none") return;
  if (address) element("model-url").value = address;
  await guard; // before the engine is fetched, so that it is kept for the next time
  await (address ? openModel(address) : openEmbedded());
}

function showUnsupported(lacks) {
  const words = `This browser has no ${lacks}, which the models need. Any current browser will do.`;
  element("unsupported").textContent = words;
  element("unsupported").hidden = false;
  announce(words);
}

await start();
if (document.readyState !== "complete") await new Promise((loaded) => addEventListener("load", loaded, { once: true }));
keepPage(main.model?.info.device === "cpu");
