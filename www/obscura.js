// The public module: CLIP and BLIP behind promises. Each model lives in a worker of its own
// (worker.js), which bridge.js hands one call at a time. Types: obscura.d.ts.

import { deleteAlbum, openAlbum } from "./album.js";
import { cache as kept, isAvailable } from "./cache.js";
import { Engine } from "./bridge.js";
import { compareModels } from "./compare.js";
import { createDecoder, DecodedPicture, toDecoded } from "./decoded.js";
import { embeddedModel } from "./embedded.js";
import { ObscuraError } from "./error.js";
import { filterPictures } from "./filter.js";
import { LabelSet, labelSet, openLabels } from "./labels.js";
import { describe, readPicture } from "./picture.js";
import { platform } from "./platform.js";
import { describeSource, droppedFiles } from "./source.js";
import { sampleFrames } from "./video.js";

export { kept as cache, DecodedPicture, deleteAlbum, droppedFiles, LabelSet, labelSet, ObscuraError, openAlbum, openLabels, sampleFrames };

const DEVICES = ["auto", "webgpu", "cpu"];
const DTYPES = ["auto", "q4", "q8", "f16", "f32"];

// What each call takes. Anything else is refused: a misspelt option would be missed silently.
const LOAD_OPTIONS = ["device", "dtype", "threads", "tasks", "revision", "hub", "cache", "sha256", "signal", "progress"];
const TASKS = ["caption", "classify", "embed", "embed-image", "embed-text", "match", "answer"];
const LENGTHS = ["maxNewTokens", "minLength", "numBeams", "lengthPenalty", "earlyStopping"];
const SAMPLING = ["doSample", "temperature", "topK", "topP", "repetitionPenalty", "seed"];
const KINDS = {
  prompt: "string",
  template: "string",
  normalize: "boolean",
  attention: "boolean",
  norm: "boolean",
  earlyStopping: "boolean",
  doSample: "boolean",
  onToken: "function",
  onResult: "function",
  progress: "function",
  cache: "boolean",
  revision: "string",
};
const NUMBERS = ["threshold", "candidates"];
const SCORES = ["probability", "cosine"];
const TEMPLATES = ["template", "templates"];
const CAPTION_OPTIONS = ["prompt", ...LENGTHS, ...SAMPLING, "onToken", "signal"];
const CALL_OPTIONS = {
  caption: [...CAPTION_OPTIONS, "attention"],
  classify: [...TEMPLATES, "scores", "topK", "progress", "signal"],
  embedLabels: [...TEMPLATES, "progress", "signal"],
  filter: ["threshold", "seed", "onResult", "signal"],
  decode: ["signal"],
  embed: ["normalize", "signal"],
  embedTokens: ["layer", "norm", "pad", "signal"],
  match: ["attention", "signal"],
  rank: ["signal"],
  identity: ["signal"],
  answer: ["answers", "candidates", ...LENGTHS, ...SAMPLING, "onToken", "signal"],
};

/** Loads a model; see obscura.d.ts. */
export async function load(source, options) {
  const { device = "auto", dtype = "auto", threads, cache = true, tasks, sha256, revision, hub, signal, progress } = checkOptions("load", options, LOAD_OPTIONS);
  checkOneOf("device", device, DEVICES);
  checkOneOf("dtype", dtype, DTYPES);
  for (const task of tasks ?? []) checkOneOf("each of tasks", task, TASKS);
  const engine = new Engine();
  let described = null;
  try {
    const prepare = async () => {
      const found = await findModel(source, { revision, hub }, signal);
      if (cache && found.description.kind === "remote") askToKeep();
      const hashes = checkHashes(sha256 ?? found.sha256, found.description.file);
      const most = platform.hasThreads ? threads : 1;
      described = { source: found.description, device, dtype, threads: most, tasks: tasks && [...new Set(tasks)].sort(), sha256: hashes, cache };
      return [described];
    };
    const info = await engine.call("load", prepare, { signal, onProgress: progress });
    return new Model(engine, info, described);
  } catch (error) {
    engine.terminate(error);
    throw error;
  }
}

const COMPARE_OPTIONS = ["labels", ...TEMPLATES, "scores", "progress", ...CAPTION_OPTIONS]; // topK among the last

/** Two models, one call; see obscura.d.ts. */
export async function compare(models, image, options) {
  return compareModels(models, image, checkOptions("compare", options, COMPARE_OPTIONS));
}

const decodeAlone = createDecoder(() => new Engine());

/** Decodes a picture once for many calls; see obscura.d.ts. */
export async function decode(image, options) {
  const { signal } = checkOptions("decode", options, CALL_OPTIONS.decode);
  if (image instanceof DecodedPicture) return image;
  return decodeAlone(async () => [await readPicture(image, signal)], signal);
}

/** A loaded model. Calls may overlap: they run one after the other, in the order they were made. */
class Model {
  #engine;
  #described; // what the worker was told to load
  #reloading = null;

  constructor(engine, info, described) {
    this.#engine = engine;
    this.#described = described;
    this.info = Object.freeze({ ...info, tasks: Object.freeze([...info.tasks]) });
  }

  async caption(image, options) {
    return this.#call("caption", options, async (plain, signal) => [await readPicture(image, signal), plain]);
  }

  async classify(image, labels, options) {
    return this.#call("classify", options, async ({ template, templates, ...plain }, signal) => {
      const described = LabelSet.forWorker(await labels, { template, templates });
      return [await readPicture(image, signal), described, plain];
    });
  }

  async embedLabels(labels, options) {
    const encode = async (plain) => [LabelSet.forWorker(await labels, plain)];
    return openLabels(await this.#call("embedLabels", options, encode));
  }

  async filter(images, texts, options) {
    const checked = checkOptions("filter", options, CALL_OPTIONS.filter);
    const judge = (picture, given, settings) =>
      this.#send("filter", async () => [picture, given, settings], { signal: checked.signal });
    return filterPictures(judge, images, texts, checked);
  }

  async decode(image, options) {
    if (image instanceof DecodedPicture) return image;
    return toDecoded(await this.#call("decode", options, async (plain, signal) => [await readPicture(image, signal)]));
  }

  async embed(input, options) {
    const items = Array.isArray(input) ? input : [input];
    const read = async (item, signal) => {
      if (typeof item === "string") return item;
      return isVideo(item) ? { frames: await readPictures(item.frames, signal) } : readPicture(item, signal);
    };
    const vectors = await this.#call("embed", options, async (plain, signal) => [
      await Promise.all(items.map((item) => read(item, signal))),
      plain,
    ]);
    return Array.isArray(input) ? vectors : vectors[0];
  }

  async embedTokens(text, options) {
    if (typeof text !== "string") throw new ObscuraError("bad_input", `The text is a string, not ${describe(text)}.`);
    return this.#call("embedTokens", options, async (plain) => [text, plain]);
  }

  async match(image, texts, options) {
    checkTexts("texts", texts);
    return this.#call("match", options, async (plain, signal) => [await readPicture(image, signal), texts, plain]);
  }

  async rank(image, texts, options) {
    checkTexts("texts", texts);
    return this.#call("rank", options, async (plain, signal) => [await readPicture(image, signal), texts]);
  }

  async identity(options) {
    return this.#call("identity", options, async () => []);
  }

  async answer(imageOrFrames, question, options) {
    const frames = Array.isArray(imageOrFrames) ? imageOrFrames : [imageOrFrames];
    if (frames.length === 0) throw new ObscuraError("bad_input", "answer() needs at least one picture.");
    if (typeof question !== "string" || question.trim() === "") {
      throw new ObscuraError("bad_input", `The question is a text, not ${describe(question)}.`);
    }
    return this.#call("answer", options, async (plain, signal) => [
      await readPictures(frames, signal),
      question,
      plain,
    ]);
  }

  async dispose() {
    await this.#engine.dispose();
  }

  #call(method, options, prepare) {
    const { signal, onToken, progress, ...plain } = checkOptions(method, options, CALL_OPTIONS[method]);
    return this.#send(method, () => prepare(plain, signal), { signal, onToken, onProgress: progress });
  }

  /** A call of a model whose device was lost loads it again first, which its cache makes quick. */
  #send(method, prepare, settings) {
    if (!this.#engine.isLost && !this.#reloading) return this.#engine.call(method, prepare, settings);
    const prepared = prepare(); // at once, as ever
    prepared.catch(() => {}); // the call will say it
    this.#reloading ??= this.#reload().finally(() => (this.#reloading = null));
    return this.#reloading.then(() => this.#engine.call(method, () => prepared, settings));
  }

  async #reload() {
    const engine = new Engine();
    this.#engine = engine; // so that it can be disposed of meanwhile
    try {
      await engine.call("load", async () => [this.#described]);
    } catch (error) {
      engine.terminate(error.code === "aborted" ? error : new ObscuraError("device_lost", error.message, { cause: error }));
      throw error;
    }
  }
}

/** {description, sha256?}: the description is what the worker wants. */
async function findModel(source, settings, signal) {
  const base = platform.base();
  if (source !== undefined && source !== null) return { description: await describeSource(source, { ...settings, base }) };
  const embedded = await embeddedModel(signal);
  if (!embedded) {
    throw new ObscuraError("bad_input", "No model is embedded here: give load() a hub id, an address or files.");
  }
  const { id, url, sha256 } = embedded;
  return { description: { ...(await describeSource(url, settings)), name: id }, sha256 };
}

/** {file: hash} from either form; undefined without. */
function checkHashes(sha256, file) {
  if (sha256 === undefined) return undefined;
  if (typeof sha256 === "string" && file === undefined) {
    const message = "This model has several files: sha256 names them, as in { \"model.safetensors\": \"…\" }.";
    throw new ObscuraError("bad_input", message);
  }
  const hashes = typeof sha256 === "string" ? { [file]: sha256 } : sha256;
  const wrong = Object.values(hashes).some((hash) => typeof hash !== "string" || !/^[0-9a-f]{64}$/i.test(hash));
  if (typeof hashes !== "object" || wrong || Object.keys(hashes).length === 0) {
    throw new ObscuraError("bad_input", "sha256 is a file's SHA-256 as 64 hexadecimal digits, or an object of them by the files' names.");
  }
  return hashes;
}

/** Asks the browser, once, not to delete what is kept when room gets scarce. It may well say no. */
let asked = false;
function askToKeep() {
  if (asked || !isAvailable()) return;
  asked = true;
  navigator.storage.persist?.().catch(() => {});
}

/** The options that are given: each is known and of its kind. `null` is as good as nothing. */
function checkOptions(method, options, known) {
  if (options === undefined || options === null) return {};
  if (typeof options !== "object" || Array.isArray(options)) {
    throw new ObscuraError("bad_input", `The options of ${method}() are an object, not ${describe(options)}.`);
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new ObscuraError("bad_input", `${method}() has no option '${unknown}'. It has ${known.join(", ")}.`);
  }
  const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== null);
  for (const [name, value] of given) checkKind(name, value);
  return Object.fromEntries(given);
}

function checkKind(name, value) {
  if (name === "templates" || name === "answers" || name === "tasks") return checkTexts(name, value);
  const refuse = (kind) => {
    throw new ObscuraError("bad_input", `${name} is ${kind}, not ${describe(value)}.`);
  };
  if (name === "layer" && !Number.isInteger(value)) refuse("a whole number");
  if (name === "threads" && !(Number.isInteger(value) && value > 0)) refuse("a whole number, at least 1");
  if (name === "pad" && typeof value !== "boolean" && !Number.isInteger(value)) refuse("true, false or a token's number");
  if (name === "hub" && typeof value !== "object") refuse("an object {host, template, token}");
  if (name === "signal" && !(value instanceof AbortSignal)) refuse("an AbortController's signal");
  if (name === "scores") return checkOneOf(name, value, SCORES);
  if (LENGTHS.concat(SAMPLING, NUMBERS).includes(name) && !(name in KINDS) && !Number.isFinite(value)) refuse("a finite number");
  if (name in KINDS && typeof value !== KINDS[name]) refuse(`a ${KINDS[name]}`);
}

function isVideo(item) {
  return Array.isArray(item?.frames);
}

async function readPictures(images, signal) {
  if (images.length === 0) throw new ObscuraError("bad_input", "A video has at least one frame.");
  return Promise.all(images.map((image) => readPicture(image, signal)));
}

function checkOneOf(name, value, allowed) {
  if (allowed.includes(value)) return;
  throw new ObscuraError("bad_input", `${name} is one of ${allowed.join(", ")}, not ${describe(value)}.`);
}

function checkTexts(name, texts) {
  const isList = Array.isArray(texts) && texts.length > 0;
  const wrong = isList ? texts.find((text) => typeof text !== "string") : texts;
  if (isList && wrong === undefined) return;
  throw new ObscuraError("bad_input", `${name} is a list of at least one text, not ${describe(isList ? [wrong] : texts)}.`);
}
