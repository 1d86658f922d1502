// Whatever a page can call a picture -> what crosses over to the worker: encoded bytes wherever
// they can be had, because then the pixels are those of obscura's own decoder and the same in every
// browser, else RGBA. Runs on the caller's side, since only that side has elements and canvases.
//
// Result: {encoded: Blob | ArrayBuffer}, {rgba: ArrayBuffer, width, height}, or {rgb, width, height} of
// a picture that was decoded before: its pixels stay with the caller, and the worker gets a copy.

import { describe, shorten } from "../errors/describe.js";
import { ObscuraError } from "../errors/error.js";
import { platform } from "../platform/platform.js";
import { decodeByBrowser, note, wordsOn } from "./by-browser.js";
import { DecodedPicture } from "./decoded.js";

/**
 * Pixel sources are read before this function first waits, so that a video may play on.
 * @param {AbortSignal} [signal] stops a download
 */
export async function readPicture(source, signal) {
  if (source instanceof DecodedPicture) return DecodedPicture.read(source);
  if (typeof source === "string" || source instanceof URL) return fromUrl(source, signal);
  if (is(source, "Blob")) return fromBlob(source);
  // The caller keeps its buffer: this is the one copy, and it is then handed over, not copied again.
  if (source instanceof ArrayBuffer) return { encoded: source.slice(0) };
  if (ArrayBuffer.isView(source)) return { encoded: bytesOf(source).slice().buffer };
  if (is(source, "ImageData")) return fromImageData(source);
  if (is(source, "HTMLImageElement")) return fromImageElement(source, signal);
  const size = drawableSize(source);
  if (size) return draw(source, ...size);
  throw new ObscuraError("bad_image", `${describe(source)} is not a picture. Give ${platform.words.picture}.`);
}

/** What must be handed over, rather than copied, with the given pictures. */
export function transferables(pictures) {
  return pictures.map((picture) => picture.rgba ?? picture.encoded).filter((part) => part instanceof ArrayBuffer);
}

async function fromUrl(url, signal) {
  const address = addressOf(url);
  let response;
  try {
    response = await platform.fetch(address, { signal });
    if (!response.ok) throw new Error(refusal(address, response));
    return await fromBlob(await response.blob());
  } catch (error) {
    if (signal?.aborted || error instanceof ObscuraError) throw error;
    throw new ObscuraError("network", `The picture ${shorten(address.href)} could not be fetched: ${error.message}`, {
      cause: error,
    });
  }
}

function addressOf(url) {
  try {
    return new URL(url, platform.base());
  } catch (error) {
    throw new ObscuraError("bad_image", `${describe(String(url))} is no address of a picture. Give ${platform.words.picture}.`, { cause: error });
  }
}

const refusal = ({ protocol }, { status, statusText }) => (protocol === "file:" ? statusText : `the server answered ${status} ${statusText}`.trim());

/** Formats that the crate has no decoder for (AVIF, HEIC, ...) are tried with the browser's. */
async function fromBlob(blob) {
  if (await isDecodedByObscura(blob)) return { encoded: blob };
  const picture = await decodeByBrowser(blob);
  if (!picture) return { encoded: blob }; // obscura's decoder then says what is wrong with it
  note({ message: wordsOn(blob.name) });
  return picture;
}

async function isDecodedByObscura(blob) {
  const start = new Uint8Array(await blob.slice(0, 12).arrayBuffer());
  const text = String.fromCharCode(...start);
  const prefixes = ["\x89PNG", "\xff\xd8\xff", "GIF8", "BM"];
  return prefixes.some((prefix) => text.startsWith(prefix)) || /^RIFF....WEBP$/s.test(text);
}

function fromImageData(image) {
  if (image.data instanceof Uint8ClampedArray && (image.colorSpace ?? "srgb") === "srgb") {
    return { rgba: image.data.slice().buffer, width: image.width, height: image.height };
  }
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d").putImageData(image, 0, 0); // the canvas converts to 8-bit sRGB
  return draw(canvas, image.width, image.height);
}

/** An <img> is fetched again, from the cache, for its bytes; drawn where that is not possible. */
async function fromImageElement(image, signal) {
  await image.decode().catch(() => {
    throw new ObscuraError("bad_image", `The <img> shows no picture: ${shorten(image.currentSrc || "it has no src")}`);
  });
  try {
    const response = await fetch(image.currentSrc, { signal, cache: "force-cache" });
    const blob = response.ok ? await response.blob() : null;
    if (blob && (await isDecodedByObscura(blob))) return { encoded: blob };
  } catch (error) {
    if (signal?.aborted) throw error;
  }
  return draw(image, image.naturalWidth || image.width, image.naturalHeight || image.height);
}

/** [width, height] of something that a canvas can draw, or null. */
function drawableSize(source) {
  if (is(source, "HTMLVideoElement")) {
    if (source.readyState >= 2) return [source.videoWidth, source.videoHeight];
    throw new ObscuraError("bad_image", "The <video> has no frame yet: wait for its 'loadeddata' event.");
  }
  if (is(source, "VideoFrame")) return [source.displayWidth, source.displayHeight];
  const drawables = ["ImageBitmap", "HTMLCanvasElement", "OffscreenCanvas"];
  return drawables.some((name) => is(source, name)) ? [source.width, source.height] : null;
}

function draw(source, width, height) {
  if (!(width > 0 && height > 0)) {
    throw new ObscuraError("bad_image", `The picture is empty: ${width} x ${height} pixels.`);
  }
  try {
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context.drawImage(source, 0, 0, width, height);
    return { rgba: context.getImageData(0, 0, width, height).data.buffer, width, height };
  } catch (error) {
    const message =
      error.name === "SecurityError"
        ? "The picture comes from another site that does not share its pixels: load it with the attribute " +
          'crossorigin="anonymous", from a server that sends Access-Control-Allow-Origin.'
        : `The pixels could not be read: ${error.message}`;
    throw new ObscuraError("bad_image", message, { cause: error });
  }
}

function bytesOf(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** instanceof for classes that this browser, or a worker, may lack. */
function is(value, className) {
  return typeof globalThis[className] === "function" && value instanceof globalThis[className];
}
