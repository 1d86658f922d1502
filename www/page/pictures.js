// The opened pictures: what is dropped, pasted, picked, taken or chosen among the samples, the tray of
// them, and the stage that shows the current one. A video is one of them, with its frames.

import { notes } from "../lib/pictures/by-browser.js";
import { announce, button, element, hideError, make, onPick, showError } from "./elements.js";
import { sampleVideo } from "./frames.js";
import { beginCounting } from "./privacy.js";
import { counted } from "./words.js";

const SAMPLES = [
  ["three-dogs.webp", "three dogs"],
  ["house-bicycle.webp", "a house and a bicycle"],
  ["airplane-tree.webp", "an airplane and a tree"],
  ["apple-horse.webp", "an apple and a horse"],
  ["sun-umbrella.webp", "a sun and an umbrella"],
  ["banana-dogs.webp", "a banana and two dogs"],
];

/** {file, name, url, frames?: Blob[], caption?}; `file` is what models get: of a video, its middle frame. */
export const pictures = [];
let current = -1;

/** "change": another picture is current, or none; "open": new ones were opened. */
export const events = new EventTarget();

export const currentPicture = () => pictures[current] ?? null;

/** Opens pictures and videos; the first of them becomes the current one. */
export async function openPictures(files) {
  if (files.length === 0) return;
  hideError("picture-error");
  element("picture-status").textContent = "";
  beginCounting();
  const opened = [];
  for (const file of files) {
    try {
      opened.push(file.type.startsWith("video/") ? await readVideo(file) : { file, name: file.name || "picture" });
    } catch (error) {
      showError("picture-error", error);
    }
  }
  if (opened.length > 0) add(opened);
}

/** Frames of a video that was not a file. */
export function openFrames(name, frames) {
  beginCounting();
  add([{ file: frames[frames.length >> 1], name, frames }]);
}

async function readVideo(file) {
  element("picture-status").textContent = "Taking frames from the video…";
  const frames = await sampleVideo(file);
  element("picture-status").textContent = "";
  return { file: frames[frames.length >> 1], name: file.name || "video", frames };
}

function add(opened) {
  for (const picture of opened) picture.url = URL.createObjectURL(picture.file);
  pictures.push(...opened);
  show(pictures.indexOf(opened[0]));
  events.dispatchEvent(new CustomEvent("open", { detail: opened }));
  if (opened.length > 1) announce(`${counted(opened.length, "picture")} opened.`);
}

function remove(picture) {
  const place = pictures.indexOf(picture);
  pictures.splice(place, 1);
  URL.revokeObjectURL(picture.url);
  show(Math.min(place < current ? current - 1 : current, pictures.length - 1));
  announce(`${picture.name} was removed.`);
  const next = element("tray").hidden ? null : element("tray-list").querySelector("[aria-current=true]");
  (next ?? element("picture-pick")).focus();
}

function show(place) {
  current = place;
  const picture = currentPicture();
  const image = element("picture");
  if (picture) image.src = picture.url;
  else image.removeAttribute("src");
  image.alt = picture ? `Your picture, ${picture.name}` : "";
  image.hidden = !picture;
  element("invitation").hidden = Boolean(picture);
  element("invitation-text").textContent = "Drop pictures here, paste one, or choose some.";
  hideError("picture-error");
  showFrames(picture?.frames ?? []);
  showTray();
  events.dispatchEvent(new Event("change"));
}

/** The tray is there from the second picture on. */
function showTray() {
  element("tray").hidden = pictures.length < 2;
  const thumbnails = pictures.map((picture, place) => {
    const image = make("img", { src: picture.url, alt: "", width: 64, height: 64 });
    const choose = make("button", { type: "button", className: "thumbnail", "aria-label": `Show ${picture.name}` }, image);
    choose.setAttribute("aria-current", String(place === current));
    choose.addEventListener("click", () => show(place));
    choose.addEventListener("keydown", ({ key }) => key === "Delete" && remove(picture));
    const close = button("×", () => remove(picture), { className: "close", "aria-label": `Remove ${picture.name}` });
    return make("li", {}, choose, close);
  });
  const focused = document.activeElement?.closest("#tray-list .thumbnail") ? current : -1;
  element("tray-list").replaceChildren(...thumbnails);
  if (focused >= 0) element("tray-list").querySelectorAll(".thumbnail")[focused]?.focus();
}

function showFrames(frames) {
  for (const image of element("frames").querySelectorAll("img")) URL.revokeObjectURL(image.src);
  const images = frames.map((frame) => make("img", { src: URL.createObjectURL(frame), alt: "" }));
  element("frames").replaceChildren(...images);
  element("frames").hidden = frames.length === 0;
  element("frames-words").textContent = frames.length === 0 ? "" : `${counted(frames.length, "frame")} of the video; questions are answered over all of them.`;
}

/** What the browser cannot draw shows as an empty stage, not as a broken image. */
function showNoPicture() {
  if (!currentPicture()) return;
  element("picture").hidden = true;
  element("invitation-text").textContent = "This picture cannot be shown. Drop, paste or choose another one.";
  element("invitation").hidden = false;
}

async function openSample(name, words) {
  try {
    const response = await fetch(new URL(`../samples/${name}`, import.meta.url));
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    await openPictures([new File([await response.blob()], `${words}.webp`, { type: "image/webp" })]);
  } catch (error) {
    showError("picture-error", new Error(`The sample could not be fetched: ${error.message}`));
  }
}

export function startPictures() {
  notes.addEventListener("note", ({ detail }) => {
    element("picture-status").textContent = detail.message;
  });
  onPick("picture-pick", "picture-file", openPictures);
  element("stage").addEventListener("click", () => element("picture-file").click());
  element("picture").addEventListener("error", showNoPicture);
  element("tray-clear").addEventListener("click", () => {
    for (const { url } of pictures.splice(0)) URL.revokeObjectURL(url);
    show(-1);
    element("picture-pick").focus();
  });
  const samples = SAMPLES.map(([name, words]) => {
    const image = make("img", { alt: "", fetchPriority: "low", width: 64, height: 64, src: new URL(`../samples/${name}`, import.meta.url) });
    const open = make("button", { type: "button", className: "thumbnail", "aria-label": `Sample: ${words}` }, image);
    open.addEventListener("click", () => openSample(name, words));
    return make("li", {}, open);
  });
  element("samples").replaceChildren(...samples);
}
