// The camera: a dialog with what it sees, to take one picture of it or a few seconds' frames.

import { announce, element, hideError, showError } from "./elements.js";
import { takeFrame, watch } from "./frames.js";
import { openFrames, openPictures } from "./pictures.js";

let stream = null;
let watching = null; // an AbortController

async function open() {
  hideError("picture-error");
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
  } catch (error) {
    const refused = error.name === "NotAllowedError" ? "The browser was not allowed to use it." : error.message;
    return showError("picture-error", new Error(`There is no picture from the camera. ${refused}`));
  }
  const video = element("camera-video");
  video.srcObject = stream;
  element("camera").showModal();
  await video.play().catch(() => {});
}

function close() {
  watching?.abort();
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  element("camera-video").srcObject = null;
  element("camera-words").textContent = "";
  element("camera-pick").focus();
}

async function take() {
  const frame = await takeFrame(element("camera-video"));
  element("camera").close();
  await openPictures([new File([frame], "camera.png", { type: "image/png" })]);
}

async function record() {
  watching = new AbortController();
  element("camera-words").textContent = "Watching for two seconds…";
  announce("Watching for two seconds.");
  try {
    const frames = await watch(element("camera-video"), { signal: watching.signal });
    element("camera").close();
    openFrames("camera", frames);
  } catch (error) {
    if (!watching.signal.aborted) throw error;
  }
}

export function startCamera() {
  element("camera-pick").hidden = !navigator.mediaDevices?.getUserMedia;
  element("camera-pick").addEventListener("click", open);
  element("camera-take").addEventListener("click", take);
  element("camera-record").addEventListener("click", record);
  element("camera-close").addEventListener("click", () => element("camera").close());
  element("camera").addEventListener("close", close);
}
