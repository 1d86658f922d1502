// The models' worker: owns the wasm and one model. Knows nothing of the page: bridge.js sends one call at a time and
// may send "abort" or "dispose" in between. Between tokens the event loop turns once, so that these
// are heard.
//
// In:  {type: "call", id, method, parameters} | {type: "abort", id} | {type: "dispose"}
//      {type: "gathered", failure}, the answer to "gather"
// Out: {type: "progress", id, event} | {type: "token", id, text, token}
//      {type: "gather", id, parts, count}, which asks for so many threads over the same memory
//      {type: "note", message}, of a picture that the browser decoded
//      {type: "result", id, value} | {type: "error", id, code, message, fatal} | {type: "disposed"}

import { Entry } from "../cache/cache.js";
import { ERROR_CODES, ObscuraError } from "../errors/error.js";
import { embeddedAddress } from "../loading/embedded.js";
import { loadModel } from "../loading/load-model.js";
import { decodeByBrowser, wordsOn } from "../pictures/by-browser.js";
import { platform } from "../platform/platform.js";
import { engineFailure } from "./failure.js";
import { port } from "./port.js";
import { startEngine } from "./threads.js";
import { nextTurn } from "./turn.js";

const NEARLY_ALL_MEMORY = 0xf000_0000; // of the 4 GiB that 32-bit wasm can address

let wasm = null; // the engine, once it is started
let memory = null;
let model = null;
let current = null; // {id, aborted, ended}
let gathered = null; // hears whether the threads are there

const methods = { load, caption, classify, embed, embedLabels, embedTokens, match, rank, identity, gauge, answer, filter, decode };

port.onmessage = async ({ data }) => {
  if (data.type === "abort") {
    if (current?.id === data.id) current.aborted = true;
  } else if (data.type === "gathered") {
    gathered(data.failure);
  } else if (data.type === "dispose") {
    if (current) current.aborted = true;
    await current?.ended;
    model?.free();
    model = null;
    port.postMessage({ type: "disposed" });
  } else {
    const ended = run(data);
    if (current) current.ended = ended;
  }
};

// A Rust panic inside an async function, and what a driver of a GPU throws there, leaves its promise pending
// for ever: it only shows as an error that nobody caught.
let reportCrash;
let crash = null;
const crashed = new Promise((_, reject) => (reportCrash = reject));
crashed.catch(() => {});
const noticeCrash = (event, error) => {
  const isOurs = port === self; // else the page's own errors are noticed here, too
  if (!(error instanceof WebAssembly.RuntimeError) && !(isOurs && current)) return;
  event.preventDefault();
  console.error(error);
  crash ??= error;
  reportCrash(error);
};
self.addEventListener("error", (event) => noticeCrash(event, event.error));
self.addEventListener("unhandledrejection", (event) => noticeCrash(event, event.reason));

async function run({ id, method, parameters }) {
  current = { id, aborted: false };
  const call = current;
  try {
    const value = await Promise.race([methods[method](call, ...parameters), crashed]);
    port.postMessage({ type: "result", id, value }, buffersOf(value));
  } catch (error) {
    port.postMessage({ type: "error", id, ...explain(error) });
  } finally {
    current = null;
  }
}

/** {code, message, fatal}; after a fatal error the wasm's memory cannot be trusted, or its device is gone. */
function explain(error) {
  if (error instanceof WebAssembly.RuntimeError || (error && error === crash)) {
    const full = memory?.buffer.byteLength > NEARLY_ALL_MEMORY;
    if (full) return { code: "out_of_memory", message: "The model does not fit into memory. Load the model again.", fatal: true };
    return { code: "device_lost", message: `The engine stopped (${error.message}). The next call loads the model again.`, fatal: true };
  }
  if (error?.code === "device_lost") {
    return { code: error.code, message: `${error.message} The next call loads the model again.`, fatal: true };
  }
  if (error?.code === "no_device") return { code: error.code, message: `${error.message}. ${platform.words.noGpu}` };
  if (ERROR_CODES.includes(error?.code)) return { code: error.code, message: error.message };
  if (error instanceof RangeError) return { code: "out_of_memory", message: `Not enough memory: ${error.message}` };
  return { code: "bad_input", message: error?.message ?? String(error) };
}

// --- loading ---------------------------------------------------------------------------------

async function load(call, { source, device, dtype, precision, threads, tasks, sha256, cache }) {
  await start(call, device, threads);
  const notify = (event) => port.postMessage({ type: "progress", id: call.id, event });
  const options = { device, dtype, precision, tasks, sha256, keep: cache };
  model = await loadModel(wasm, placed(source), options, { openEntry: Entry.open, transport: { allowsIfRange }, notify });
  return model.info();
}

/** The embedded model lies where it is in the package, beside the worker. A CDN may have moved the page's part away from it. */
function placed(source) {
  const address = source.isEmbedded && embeddedAddress();
  return address && URL.canParse(address) ? { ...source, address, identity: address } : source;
}

/** On other sites If-Range costs a preflight, which many refuse: there the answer itself has to tell. */
function allowsIfRange(url) {
  return new URL(url).origin === self.location?.origin;
}

async function start(call, device, threads) {
  if (wasm) return;
  const gather = (parts, count) =>
    new Promise((all, failed) => {
      gathered = (failure) => (failure ? failed(new Error(failure)) : all());
      port.postMessage({ type: "gather", id: call.id, parts, count });
    });
  try {
    ({ engine: wasm, memory } = await startEngine(device, threads, gather));
  } catch (error) {
    throw new ObscuraError("network", engineFailure(error), { cause: error });
  }
}

// --- tasks -----------------------------------------------------------------------------------

async function caption(call, image, { attention, ...options }) {
  return withPictures([image], ([picture]) =>
    attention ? model.captionWithAttention(picture, options, streamTo(call)) : model.caption(picture, options, streamTo(call)),
  );
}

async function classify(call, image, labels, options) {
  return withPictures([image], ([picture]) =>
    withLabels(call, labels, (vectors) => model.classify(picture, vectors, options)),
  );
}

async function embedLabels(call, labels) {
  return withLabels(call, labels, async (vectors) => (await model.labelFile(vectors)).buffer);
}

/** Opened files of label vectors, by the numbers of their label sets. The oldest goes first. */
const labelFiles = new Map();
const LABEL_FILES = 8;

/** Files are opened once and kept; the vectors of other sets the model remembers by itself. */
async function withLabels(call, { set, file }, work) {
  if (file) return work(await openLabelFile(file));
  const progress = async (loaded, total) => {
    port.postMessage({ type: "progress", id: call.id, event: { loaded, total } });
    await nextTurn();
    stopIfAborted(call);
  };
  const vectors = await model.labelVectors(set, progress);
  try {
    return await work(vectors);
  } finally {
    vectors.free();
  }
}

async function openLabelFile({ id, bytes }) {
  if (!labelFiles.has(id)) {
    const opened = await model.openLabels(new Uint8Array(bytes));
    if (labelFiles.size === LABEL_FILES) {
      const [[oldest, vectors]] = labelFiles;
      labelFiles.delete(oldest);
      vectors.free();
    }
    labelFiles.set(id, opened);
  }
  return labelFiles.get(id);
}

async function filter(call, image, texts, options) {
  return withPictures([image], ([picture]) => model.filter(picture, texts, options, pauseOf(call)));
}

async function decode(call, image, { grey16 }) {
  await start(call, "cpu", 1); // for decoding alone there is no model
  const pixels = ([picture]) => ({ rgb: picture.rgb().buffer, width: picture.width, height: picture.height });
  return withPictures([image], pixels, grey16);
}

async function match(call, image, texts, { attention }) {
  return withPictures([image], ([picture]) => (attention ? model.matchWithAttention(picture, texts) : model.match(picture, texts)));
}

async function embedTokens(call, text, options) {
  return model.embedTokens(text, options);
}

async function rank(call, image, texts) {
  return withPictures([image], ([picture]) => model.rank(picture, texts));
}

async function identity() {
  return model.identity();
}

async function gauge() {
  return model.gauge();
}

async function answer(call, images, question, options) {
  return withPictures(images, (pictures) => model.answer(pictures, question, options, streamTo(call)));
}

async function embed(call, items, options) {
  const isText = (item) => typeof item === "string";
  const vectorsOfTexts = (await model.embedTexts(items.filter(isText), options, pauseOf(call))).values();
  const vectors = [];
  for (const item of items) {
    await nextTurn();
    stopIfAborted(call);
    const ofPicture = ([picture]) => model.embedImage(picture, options);
    const ofVideo = (pictures) => model.embedFrames(pictures, options);
    if (isText(item)) vectors.push(vectorsOfTexts.next().value);
    else vectors.push(await (item.frames ? withPictures(item.frames, ofVideo) : withPictures([item], ofPicture)));
  }
  return vectors;
}

/** Decodes the pictures, and frees what the wasm holds of them however the work ends. */
async function withPictures(images, work, grey16) {
  const pictures = [];
  try {
    for (const { encoded, rgb, rgba, width, height } of images) {
      if (rgb) pictures.push(wasm.Picture.fromRgb(new Uint8Array(rgb), width, height));
      else if (rgba) pictures.push(wasm.Picture.fromRgba(new Uint8Array(rgba), width, height));
      else pictures.push(await decodeEncoded(encoded, grey16));
    }
    return await work([...pictures]);
  } finally {
    for (const picture of pictures) {
      try {
        picture.free();
      } catch {
        // It was handed over to the wasm, which has freed it, or the wasm has crashed.
      }
    }
  }
}

/**
 * By obscura's decoder; what it does not support, of its own formats too, by the browser's. A damaged
 * picture stays an error: browsers show the half of it.
 */
async function decodeEncoded(encoded, grey16) {
  const bytes = await readEncoded(encoded);
  try {
    return wasm.Picture.decode(bytes, grey16);
  } catch (error) {
    if (error?.code !== "bad_image" || !/ not supported/.test(error.message)) throw error;
    const picture = await decodeByBrowser(new Blob([bytes]));
    if (!picture) throw error;
    port.postMessage({ type: "note", message: wordsOn(encoded.name) });
    return wasm.Picture.fromRgba(new Uint8Array(picture.rgba), picture.width, picture.height);
  }
}

async function readEncoded(encoded) {
  if (encoded instanceof ArrayBuffer) return new Uint8Array(encoded);
  try {
    return new Uint8Array(await encoded.arrayBuffer());
  } catch (error) {
    throw new ObscuraError("bad_image", `The picture's file could not be read: ${error.message}`, { cause: error });
  }
}

/**
 * What the wasm calls with each token (none after a step of a beam search), and waits for; rejecting
 * is how it is told to stop.
 */
function streamTo(call) {
  return async (text, token) => {
    if (token !== undefined) port.postMessage({ type: "token", id: call.id, text, token });
    await nextTurn();
    stopIfAborted(call);
  };
}

/** The same for work without tokens to show. */
function pauseOf(call) {
  return async () => {
    await nextTurn();
    stopIfAborted(call);
  };
}

function stopIfAborted(call) {
  if (call.aborted) throw new ObscuraError("aborted", "The call was aborted.");
}

function buffersOf(value) {
  if (value instanceof ArrayBuffer) return [value];
  if (value?.rgb instanceof ArrayBuffer) return [value.rgb];
  return Array.isArray(value) ? value.filter((item) => item instanceof Float32Array).map((item) => item.buffer) : [];
}
