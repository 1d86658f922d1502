// A loaded model: each of its calls is checked, its pictures are read, and the worker that holds the model is
// asked. A model whose device was lost loads itself again at the next call.

import { Engine } from "../engine/bridge.js";
import { checkTexts } from "../errors/checks.js";
import { describe, shorten } from "../errors/describe.js";
import { ObscuraError } from "../errors/error.js";
import { LabelSet, openLabels } from "../labels/label-set.js";
import { DecodedPicture, toDecoded } from "../pictures/decoded.js";
import { namesPicture } from "../pictures/picture-files.js";
import { readPicture } from "../pictures/picture.js";
import { filterPictures } from "./filter.js";
import { checkOptions } from "./options.js";

/** A loaded model. Calls may overlap: they run one after the other, in the order they were made. */
export class Model {
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
    const checked = checkOptions("filter", options);
    const judge = (picture, given, settings) =>
      this.#send("filter", async () => [picture, given, settings], { signal: checked.signal });
    return filterPictures(judge, images, texts, checked);
  }

  async decode(image, options) {
    if (image instanceof DecodedPicture) return image;
    return toDecoded(await this.#call("decode", options, async (plain, signal) => [await readPicture(image, signal), plain]));
  }

  async embed(input, options) {
    const items = Array.isArray(input) ? input : [input];
    const read = async (item, signal) => {
      if (typeof item === "string") return checkIsText(item);
      if (typeof item?.text === "string") return item.text;
      if (item?.picture !== undefined) return readPicture(item.picture, signal);
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

  async gauge(options) {
    return this.#call("gauge", options, async () => []);
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
    const { signal, onToken, progress, ...plain } = checkOptions(method, options);
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

/** A string is a text: one that names a picture was most likely meant as that picture. */
function checkIsText(text) {
  if (!namesPicture(text)) return text;
  const name = JSON.stringify(shorten(text));
  throw new ObscuraError("bad_input", `embed() takes a string as a text, but ${name} names a picture: give { picture: ${name} }, or { text: ${name} } if the words are meant.`);
}

function isVideo(item) {
  return Array.isArray(item?.frames);
}

async function readPictures(images, signal) {
  if (images.length === 0) throw new ObscuraError("bad_input", "A video has at least one frame.");
  return Promise.all(images.map((image) => readPicture(image, signal)));
}
