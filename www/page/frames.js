// Frames of a video as pictures: some at even distances, not too large.

const FRAMES = 8; // as the BLIP paper takes for questions about videos
const LONGEST = 640; // pixels
const PATIENCE_MS = 10_000;

/** `FRAMES` pictures from the middles of as many equal parts of a video file. */
export async function sampleVideo(file, count = FRAMES) {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.preload = "auto";
  video.src = URL.createObjectURL(file);
  try {
    await happened(video, "loadeddata");
    const length = await lengthOf(video);
    const frames = [];
    for (let place = 0; place < count; place++) {
      const seeked = happened(video, "seeked");
      video.currentTime = ((place + 0.5) / count) * length;
      await seeked;
      frames.push(await takeFrame(video));
    }
    return frames;
  } catch (error) {
    throw new Error(`${file.name || "The video"} cannot be played by this browser: ${error.message}`);
  } finally {
    URL.revokeObjectURL(video.src);
    video.removeAttribute("src");
  }
}

/** Recordings by browsers do not say how long they are until they have been gone through. */
async function lengthOf(video) {
  if (Number.isFinite(video.duration)) return video.duration;
  const known = happened(video, "durationchange");
  video.currentTime = Number.MAX_SAFE_INTEGER;
  await known;
  return Number.isFinite(video.duration) ? video.duration : video.currentTime;
}

function happened(video, event) {
  return new Promise((done, failed) => {
    video.addEventListener(event, done, { once: true });
    video.addEventListener("error", () => failed(new Error(video.error?.message || "it is of an unknown format")), { once: true });
    setTimeout(() => failed(new Error("it does not get any further")), PATIENCE_MS);
  });
}

/** What a video shows now, as a PNG. */
export async function takeFrame(video) {
  const scale = Math.min(1, LONGEST / Math.max(video.videoWidth, video.videoHeight));
  const canvas = new OffscreenCanvas(Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale));
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob();
}

/** Frames of a running video at even distances over the coming seconds. */
export async function watch(video, { count = FRAMES, milliseconds = 2000, signal } = {}) {
  const frames = [];
  while (frames.length < count) {
    signal?.throwIfAborted();
    frames.push(await takeFrame(video));
    if (frames.length < count) await new Promise((resume) => setTimeout(resume, milliseconds / (count - 1)));
  }
  return frames;
}
