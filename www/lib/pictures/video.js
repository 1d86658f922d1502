// A video -> frames, sampled uniformly over its length, for answer(frames, question) and
// embed({frames}). Runs on the page's side: only there are <video> elements, and they decode whatever
// the browser can play.

import { describe } from "../errors/describe.js";
import { ObscuraError } from "../errors/error.js";

const MOST_FRAMES = 1024;
const PRESENTED_MS = 300; // how long a frame that was sought may take to be shown
const PATIENCE_MS = 5000; // and to be decoded at all

/**
 * `count` frames as ImageBitmaps, the first at the start and the others at equal distances, as BLIP's
 * own code samples uniformly; see video.d.ts.
 */
export async function sampleFrames(source, count = 8, { signal } = {}) {
  if (!Number.isInteger(count) || count < 1 || count > MOST_FRAMES) {
    throw new ObscuraError("bad_input", `The number of frames is a whole number from 1 to ${MOST_FRAMES}, not ${describe(count)}.`);
  }
  const { video, restore } = await open(source, signal);
  const frames = [];
  try {
    const duration = await durationOf(video, signal);
    for (let index = 0; index < count; index++) {
      await seek(video, (index * duration) / count, signal);
      frames.push(await grab(video, signal));
    }
    return frames;
  } catch (error) {
    for (const frame of frames) frame.close();
    throw error;
  } finally {
    await restore();
  }
}

/** A <video> with its first frame, and what leaves everything as it was. */
async function open(source, signal) {
  if (typeof HTMLVideoElement === "undefined") {
    throw new ObscuraError("bad_input", "Videos are read by a <video> element, which only a page has: give frames instead.");
  }
  if (source instanceof HTMLVideoElement) {
    const { currentTime, paused } = source;
    source.pause();
    await ready(source, signal);
    return { video: source, restore: () => resume(source, currentTime, paused) };
  }
  const isBlob = source instanceof Blob;
  if (!isBlob && typeof source !== "string" && !(source instanceof URL)) {
    throw new ObscuraError("bad_input", `${describe(source)} is not a video. Give a <video>, File, Blob or URL.`);
  }
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true, preload: "auto", crossOrigin: "anonymous" });
  const url = isBlob ? URL.createObjectURL(source) : String(source);
  const restore = async () => {
    video.removeAttribute("src");
    video.load(); // frees the decoder
    if (isBlob) URL.revokeObjectURL(url);
  };
  video.src = url;
  try {
    await ready(video, signal);
  } catch (error) {
    await restore();
    throw error;
  }
  return { video, restore };
}

async function resume(video, time, paused) {
  video.currentTime = time;
  if (!paused) await video.play().catch(() => {}); // the browser may want a click first
}

/** Waits for the first frame. */
async function ready(video, signal) {
  if (video.error) throw unplayable(video);
  if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) await happens(video, "loadeddata", signal);
}

/** In seconds. What MediaRecorder wrote tells its length only once its end was looked for. */
async function durationOf(video, signal) {
  if (video.duration === Infinity && !video.srcObject) {
    video.currentTime = Number.MAX_SAFE_INTEGER;
    while (video.duration === Infinity) await happens(video, "durationchange", signal);
  }
  if (Number.isFinite(video.duration)) return video.duration;
  throw new ObscuraError("bad_input", "A stream has no length to sample: take frames from it as it plays, and give those.");
}

/**
 * Shows what is at `time`, even where the video already is: it may have decoded no frame yet. An earlier
 * seek may end meanwhile, so the event alone says nothing.
 */
async function seek(video, time, signal) {
  const presented = new Promise((shown) => video.requestVideoFrameCallback?.(shown));
  video.currentTime = time;
  while (video.seeking) await happens(video, "seeked", signal);
  await Promise.race([presented, pause(PRESENTED_MS)]); // a hidden page presents nothing
}

/** The frame that is shown. A video that was just opened may still be decoding it. */
async function grab(video, signal) {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    if (signal?.aborted) throw new ObscuraError("aborted", "The call was aborted.", { cause: signal.reason });
    try {
      return await createImageBitmap(video);
    } catch (error) {
      if (performance.now() > end) throw new ObscuraError("bad_image", `A frame of the video cannot be read: ${error.message}`, { cause: error });
      await pause(20);
    }
  }
}

function pause(milliseconds) {
  return new Promise((resume) => setTimeout(resume, milliseconds));
}

/** Waits for an event; an error of the video, or an abort, ends that. */
function happens(video, event, signal) {
  return new Promise((resolve, reject) => {
    const listening = new AbortController();
    const settle = (report) => () => {
      listening.abort();
      report();
    };
    const options = { signal: listening.signal };
    video.addEventListener(event, settle(resolve), options);
    video.addEventListener("error", settle(() => reject(unplayable(video))), options);
    const stop = settle(() => reject(new ObscuraError("aborted", "The call was aborted.", { cause: signal.reason })));
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, options);
  });
}

function unplayable(video) {
  const detail = video.error?.message || "an unknown format, or an address that cannot be reached";
  return new ObscuraError("bad_image", `The video cannot be played: ${detail}.`);
}
