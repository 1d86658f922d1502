// Owns the wasm and one model. Knows nothing of the page: obscura.js sends one call at a time and
// may send "abort" or "dispose" in between. Between tokens the event loop turns once, so that these
// are heard.
//
// In:  {type: "call", id, method, parameters} | {type: "abort", id} | {type: "dispose"}
// Out: {type: "progress", id, event} | {type: "token", id, text, token}
//      {type: "result", id, value} | {type: "error", id, code, message, fatal} | {type: "disposed"}

import { ERROR_CODES, ObscuraError } from "./error.js";

const PROGRESS_INTERVAL_MS = 100;
const CHUNK_BYTES = 4 << 20;
const NEARLY_ALL_MEMORY = 0xf000_0000; // of the 4 GiB that 32-bit wasm can address

let wasm = null; // the generated module
let memory = null;
let model = null;
let current = null; // {id, aborted, ended}

const methods = { load, caption, classify, embed, match, answer };

self.onmessage = async ({ data }) => {
  if (data.type === "abort") {
    if (current?.id === data.id) current.aborted = true;
  } else if (data.type === "dispose") {
    if (current) current.aborted = true;
    await current?.ended;
    model?.free();
    model = null;
    self.postMessage({ type: "disposed" });
  } else {
    const ended = run(data);
    if (current) current.ended = ended;
  }
};

// A Rust panic inside an async function leaves its promise pending for ever: it only shows as an
// error that nobody caught.
let reportCrash;
const crashed = new Promise((_, reject) => (reportCrash = reject));
crashed.catch(() => {});
const noticeCrash = (event, error) => {
  if (!(error instanceof WebAssembly.RuntimeError)) return;
  event.preventDefault();
  console.error(error);
  reportCrash(error);
};
self.addEventListener("error", (event) => noticeCrash(event, event.error));
self.addEventListener("unhandledrejection", (event) => noticeCrash(event, event.reason));

async function run({ id, method, parameters }) {
  current = { id, aborted: false };
  const call = current;
  try {
    const value = await Promise.race([methods[method](call, ...parameters), crashed]);
    self.postMessage({ type: "result", id, value }, buffersOf(value));
  } catch (error) {
    self.postMessage({ type: "error", id, ...explain(error) });
  } finally {
    current = null;
  }
}

/** {code, message, fatal}; after a fatal error the wasm's memory cannot be trusted. */
function explain(error) {
  if (error instanceof WebAssembly.RuntimeError) {
    const full = memory?.buffer.byteLength > NEARLY_ALL_MEMORY;
    const what = full ? "The model does not fit into memory" : `The engine stopped (${error.message})`;
    return { code: full ? "out_of_memory" : "device_lost", message: `${what}. Load the model again.`, fatal: true };
  }
  if (ERROR_CODES.includes(error?.code)) return { code: error.code, message: error.message };
  if (error instanceof RangeError) return { code: "out_of_memory", message: `Not enough memory: ${error.message}` };
  return { code: "bad_input", message: error?.message ?? String(error) };
}

// --- loading ---------------------------------------------------------------------------------

async function load(call, { name, file, url, blob, bytes, sha256, device, dtype, cache }) {
  const report = reporter(call, name, file);
  report("initiate", 0, bytes ?? 0);
  const source = blob ? { body: blob.stream(), total: blob.size } : null;
  const [{ body, total }] = await Promise.all([source ?? open(url, cache, bytes), startEngine()]);
  report("download", 0, total);

  const loader = new wasm.Loader(file, device, dtype, total);
  let chunks = readChunks(body, total, file, report);
  if (sha256) chunks = verified(chunks, sha256, file);
  for await (const chunk of chunks) await loader.push(chunk);
  model = await loader.finish();
  report("ready", total, total);
  return model.info();
}

async function startEngine() {
  try {
    wasm = await import("./pkg/obscura_wasm.js");
    ({ memory } = await wasm.default());
  } catch (error) {
    const message = `The engine in pkg/ could not be loaded: ${error.message}. Is pkg/ built and served as application/wasm?`;
    throw new ObscuraError("network", message, { cause: error });
  }
}

/** {body, total}: `total` is 0 where the server does not say how long the file is. */
async function open(url, cache, expectedBytes) {
  let response;
  try {
    response = await fetch(url, cache ? {} : { cache: "no-store" });
  } catch (error) {
    const hint = "Check the address and the connection; another site must allow this page by CORS headers.";
    throw new ObscuraError("network", `${url} could not be fetched: ${error.message}. ${hint}`, { cause: error });
  }
  if (!response.ok || !response.body) {
    throw new ObscuraError("network", `${url} could not be fetched: the server answered ${response.status} ${response.statusText}`.trim());
  }
  // The length of a compressed answer is not that of the file.
  const encoded = response.headers.has("Content-Encoding");
  const length = encoded ? 0 : Number(response.headers.get("Content-Length"));
  return { body: response.body, total: length || expectedBytes || 0 };
}

/** The body's chunks, counted: reports progress and notices a file that ends early. */
async function* readChunks(body, total, file, report) {
  const reader = body.getReader();
  let loaded = 0;
  let reportedAt = 0;
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      throw cutShort(file, loaded, total, error);
    });
    if (done) break;
    loaded += value.length;
    if (performance.now() - reportedAt >= PROGRESS_INTERVAL_MS) {
      reportedAt = performance.now();
      report("progress", loaded, total);
    }
    yield value;
  }
  if (loaded < total) throw cutShort(file, loaded, total);
  report("progress", loaded, loaded);
  report("done", loaded, loaded);
}

function cutShort(file, loaded, total, cause) {
  const of = total ? ` of ${total}` : "";
  const why = cause ? ` (${cause.message})` : "";
  return new ObscuraError("network", `${file} broke off after ${loaded}${of} bytes${why}. Try again.`, { cause });
}

/**
 * Nothing is passed on before the whole file is known to be the promised one. The browser's SHA-256
 * wants it in one piece, so the file is held in memory once more until then.
 */
async function* verified(chunks, sha256, file) {
  if (!globalThis.crypto?.subtle) {
    throw new ObscuraError("integrity", `${file} cannot be checked here: sha256 needs a page served over https or from localhost.`);
  }
  const parts = [];
  for await (const chunk of chunks) parts.push(chunk);
  const whole = new Uint8Array(await new Blob(parts.splice(0)).arrayBuffer());
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== sha256.toLowerCase()) {
    throw new ObscuraError("integrity", `${file} is not the expected file: its SHA-256 is ${found}, expected ${sha256}.`);
  }
  for (let at = 0; at < whole.length; at += CHUNK_BYTES) yield whole.subarray(at, at + CHUNK_BYTES);
}

function reporter(call, name, file) {
  return (status, loaded, total) => {
    const known = Math.max(loaded, total);
    const progress = total > 0 ? (100 * loaded) / known : status === "done" ? 100 : 0;
    const event = { status, name, file, loaded, total: total > 0 ? known : 0, progress };
    self.postMessage({ type: "progress", id: call.id, event });
  };
}

// --- tasks -----------------------------------------------------------------------------------

async function caption(call, image, options) {
  return withPictures([image], ([picture]) => model.caption(picture, options, streamTo(call)));
}

async function classify(call, image, labels, options) {
  return withPictures([image], ([picture]) => model.classify(picture, labels, options));
}

async function match(call, image, texts) {
  return withPictures([image], ([picture]) => model.match(picture, texts));
}

async function answer(call, images, question, options) {
  return withPictures(images, (pictures) => model.answer(pictures, question, options, streamTo(call)));
}

async function embed(call, items, options) {
  const vectors = [];
  for (const item of items) {
    await nextTurn();
    stopIfAborted(call);
    const ofPicture = ([picture]) => model.embedImage(picture, options);
    vectors.push(await (typeof item === "string" ? model.embedText(item, options) : withPictures([item], ofPicture)));
  }
  return vectors;
}

/** Decodes the pictures, and frees what the wasm holds of them however the work ends. */
async function withPictures(images, work) {
  const pictures = [];
  try {
    for (const { encoded, rgba, width, height } of images) {
      if (rgba) pictures.push(wasm.Picture.fromRgba(new Uint8Array(rgba), width, height));
      else pictures.push(wasm.Picture.decode(await readEncoded(encoded)));
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
    if (token !== undefined) self.postMessage({ type: "token", id: call.id, text, token });
    await nextTurn();
    stopIfAborted(call);
  };
}

function stopIfAborted(call) {
  if (call.aborted) throw new ObscuraError("aborted", "The call was aborted.");
}

// A message to ourselves: unlike a timer it is not slowed down, unlike a promise it lets others in.
const { port1, port2 } = new MessageChannel();
const waiting = [];
port1.onmessage = () => waiting.shift()();

function nextTurn() {
  return new Promise((resume) => {
    waiting.push(resume);
    port2.postMessage(null);
  });
}

function buffersOf(value) {
  return Array.isArray(value) ? value.filter((item) => item instanceof Float32Array).map((item) => item.buffer) : [];
}
