// Frames of a video or of the camera as pictures, not too large.

import { sampleFrames } from "../lib/pictures/video.js";

const FRAMES = 8; // as the BLIP paper takes for questions about videos
const LONGEST = 640; // pixels

/** Pictures at equal distances out of a video file. */
export async function sampleVideo(file) {
  const frames = await sampleFrames(file, FRAMES);
  const pictures = [];
  for (const frame of frames) {
    pictures.push(await paint(frame, frame.width, frame.height));
    frame.close();
  }
  return pictures;
}

/** What a video shows now. */
export const takeFrame = (video) => paint(video, video.videoWidth, video.videoHeight);

/** Pictures at equal distances out of the coming seconds of a running video. */
export async function watch(video, { milliseconds = 2000, signal } = {}) {
  const pictures = [];
  while (pictures.length < FRAMES) {
    signal?.throwIfAborted();
    pictures.push(await takeFrame(video));
    if (pictures.length < FRAMES) await new Promise((resume) => setTimeout(resume, milliseconds / (FRAMES - 1)));
  }
  return pictures;
}

/** As a PNG. */
function paint(source, width, height) {
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  canvas.getContext("2d").drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob();
}
