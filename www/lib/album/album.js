// Albums: vectors of pictures or texts under keys, kept in the browser, and the search among them.
// The vectors come from a model (obscura.js) or from the caller; album-worker.js keeps and finds them.

import { NOT_STARTED, startWorker } from "../engine/start-worker.js";
import { workers } from "../engine/workers.js";
import { describe } from "../errors/describe.js";
import { ObscuraError } from "../errors/error.js";
import { encodeName, removeAlbum } from "./folder.js";

export const ALBUM_OPTIONS = ["picture", "text", "persistent"];
export const SEARCH_OPTIONS = ["limit", "rerank", "minScore", "signal"];
const LIMIT = 20;
const RERANK = 16;

/** Opens an album, a new one if there is none of that name; see album.d.ts. */
export async function openAlbum(name, model = null, options = {}) {
  checkName(name);
  return Album.open(name, model, checkOptions("openAlbum", options, ALBUM_OPTIONS));
}

/** Deletes the album of that name, with the vectors in it; one that is open is refused. */
export async function deleteAlbum(name) {
  checkName(name);
  const release = await lock(name);
  try {
    await removeAlbum(name);
  } finally {
    await release();
  }
}

/** An open album. Calls run one after the other, in the order in which they were made. */
export class Album {
  /** @type {string} */
  name;
  /** @type {boolean} */
  persistent;
  #model;
  #picture;
  #text;
  #worker;
  #release;
  #size = 0;
  #gauge = null; // of the model, once it is asked for
  #opened = null; // settled when the engine has the album

  static async open(name, model, { picture, text, persistent = true }) {
    const album = new Album();
    album.#model = model;
    album.#picture = picture;
    album.#text = text;
    album.#release = persistent ? await lock(name) : async () => {};
    try {
      album.#worker = new AlbumWorker();
      const found = await album.#worker.call("find", [persistent ? name : null]);
      album.name = name;
      album.persistent = found.persistent;
      if (!found.isEmpty) await album.#open(); // else the engine, and the model, are not bothered yet
      return album;
    } catch (error) {
      album.#worker?.terminate(error);
      await album.#release();
      throw error;
    }
  }

  #open() {
    const open = async () => {
      const identity = this.#model ? await this.#model.identity() : undefined;
      this.#size = await this.#worker.call("open", [identity]);
    };
    this.#opened ??= open().catch((error) => {
      this.#opened = null; // the next call tries again
      throw error;
    });
    return this.#opened;
  }

  async #call(method, parameters, options) {
    await this.#open();
    return this.#worker.call(method, parameters, options);
  }

  /** How many vectors there are, as of the last call that has ended. */
  get size() {
    return this.#size;
  }

  async add(key, input, options = {}) {
    checkKey(key);
    const { signal } = checkOptions("add", options, ["signal"]);
    const vector = await this.#vectorOf(input, signal);
    await this.#change("add", [key, vector], { signal });
  }

  async delete(keyOrKeys) {
    const keys = Array.isArray(keyOrKeys) ? keyOrKeys : [keyOrKeys];
    keys.forEach(checkKey);
    return this.#change("delete", [keys]);
  }

  async search(query, options = {}) {
    const { limit = LIMIT, rerank = RERANK, minScore, signal } = checkOptions("search", options, SEARCH_OPTIONS);
    checkCount("limit", limit);
    checkCount("rerank", rerank);
    const gauge = await this.#gaugeOf(query, minScore, signal);
    const second = this.#secondLook(query);
    // Whatever visitors type is a text.
    const vector = await this.#vectorOf(typeof query === "string" ? { text: query } : query, signal);
    const count = second ? Math.max(limit, rerank) : limit;
    const found = await this.#call("search", [vector, count], { signal });
    if (second) await reorder(found, rerank, (keys) => second(keys, signal));
    const best = found.slice(0, limit);
    if (!gauge) return best;
    const scores = await this.#judge(best, gauge, signal);
    return best.filter((one, place) => scores[place] >= minScore);
  }

  /** How the model reads similarities with a text, where they are asked for. */
  async #gaugeOf(query, minScore, signal) {
    if (minScore === undefined) return null;
    if (typeof minScore !== "number" || !(minScore >= 0 && minScore <= 1)) {
      throw new ObscuraError("bad_input", `minScore is a probability, 0 to 1, not ${describe(minScore)}.`);
    }
    if (typeof query !== "string" || !this.#model) {
      throw new ObscuraError("bad_input", "minScore is for texts that a model compares with pictures: leave it out for pictures and vectors.");
    }
    this.#gauge ??= await this.#model.gauge({ signal });
    return this.#gauge;
  }

  /**
   * How likely each belongs to the query by the vectors, which is added where there is no probability: a matching head
   * orders, but takes a text for all that is to be said of a picture.
   */
  async #judge(found, { scale, bias, null: nothing }, signal) {
    const keys = found.map(({ key }) => key);
    const others = nothing ? await this.#call("similarities", [keys, nothing], { signal }) : [];
    return found.map((one, place) => {
      const score = 1 / (1 + Math.exp(-(scale * (one.similarity - (others[place] ?? 0)) + bias)));
      one.probability ??= score;
      return score;
    });
  }

  async keys() {
    return this.#call("keys", []);
  }

  async export(options = {}) {
    const { progress, signal } = checkOptions("export", options, ["progress", "signal"]);
    return this.#call("export", [], { progress, signal });
  }

  async import(files, options = {}) {
    const { progress, signal } = checkOptions("import", options, ["progress", "signal"]);
    const { vectors, keys } = files ?? {};
    if (!(vectors instanceof Blob && keys instanceof Blob)) {
      throw new ObscuraError("bad_input", "import() takes {vectors, keys}: an .npy file and a JSON file, as Files or Blobs.");
    }
    return this.#change("import", [vectors, keys], { progress, signal });
  }

  async clear() {
    await this.#change("clear", []);
  }

  async close() {
    await this.#worker.close();
    await this.#release();
  }

  async #change(method, parameters, options) {
    try {
      return await this.#call(method, parameters, options);
    } finally {
      this.#size = await this.#worker.call("size", []).catch(() => this.#size);
    }
  }

  async #vectorOf(input, signal) {
    if (input instanceof Float32Array) return input;
    if (!this.#model) {
      throw new ObscuraError("bad_input", `This album was opened without a model: give a Float32Array, not ${describe(input)}.`);
    }
    return this.#model.embed(input, { signal });
  }

  /**
   * How to look at candidates again, each together with the query: a text with the candidate's picture,
   * or a picture with the candidate's text. Takes their keys, resolves with {score, probability} or null
   * for each. Null where there is no way.
   */
  #secondLook(query) {
    if (query instanceof Float32Array || this.#model?.info.family !== "blip" || !this.#model.info.tasks.includes("match")) return null;
    if (typeof query === "string" && this.#picture) {
      return async (keys, signal) => {
        const looks = [];
        for (const key of keys) {
          const image = await this.#picture(key);
          looks.push(isMissing(image) ? null : (await this.#model.rank(image, [query], { signal }))[0]);
        }
        return looks;
      };
    }
    if (typeof query !== "string" && this.#text) {
      return async (keys, signal) => {
        const texts = await Promise.all(keys.map((key) => this.#text(key)));
        const known = texts.filter((text) => !isMissing(text));
        const ranked = known.length > 0 ? await this.#model.rank(query, known, { signal }) : [];
        return texts.map((text) => (isMissing(text) ? null : ranked.shift()));
      };
    }
    return null;
  }
}

const isMissing = (value) => value === null || value === undefined;

/** Orders the first `count` anew, by BLIP's score; what cannot be looked at again follows them. */
async function reorder(found, count, look) {
  const best = found.splice(0, count);
  const looks = await look(best.map(({ key }) => key));
  const scored = [];
  const others = [];
  best.forEach((one, place) => {
    if (!looks[place]) return others.push(one);
    one.probability = looks[place].probability;
    scored.push([looks[place].score, one]);
  });
  scored.sort(([a], [b]) => b - a);
  found.unshift(...scored.map(([, one]) => one), ...others);
}

/** The worker of an album, and the calls that it owes an answer. */
class AlbumWorker {
  #worker;
  #calls = new Map();
  #lastId = 0;
  #dead = null;

  constructor() {
    if (!globalThis.Worker && !workers.startAlbum) {
      throw new ObscuraError("bad_input", "Albums need workers, which cannot be started here: open the album in a page or in a worker of its own.");
    }
    // Bundlers look for exactly this form, and bundle the worker with what it imports.
    this.#worker =
      workers.startAlbum?.() ??
      startWorker(() => new Worker(new URL("./album-worker.js", import.meta.url), { type: "module", name: "obscura album" }));
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const detail = event.message || NOT_STARTED;
      this.terminate(new ObscuraError("network", `The album's worker broke: ${detail}. Open the album again.`));
    };
  }

  /** What is aborted while it waits or runs rejects at once; an addition or import may still have taken place. */
  call(method, parameters, { signal, progress } = {}) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted(signal));
      if (this.#dead) return reject(this.#dead);
      const id = ++this.#lastId;
      const abort = () => settle(reject)(aborted(signal));
      const settle = (report) => (value) => {
        this.#calls.delete(id);
        signal?.removeEventListener("abort", abort);
        report(value);
      };
      signal?.addEventListener("abort", abort);
      this.#calls.set(id, { resolve: settle(resolve), reject: settle(reject), progress });
      this.#worker.postMessage({ id, method, parameters });
    });
  }

  #receive({ id, value, code, message, progress }) {
    const call = this.#calls.get(id);
    if (!call) return; // aborted
    if (progress) {
      try {
        call.progress?.(progress);
      } catch (error) {
        call.reject(error); // the caller's own function ends the call with its error
      }
    } else if (code) {
      call.reject(new ObscuraError(code, message));
    } else {
      call.resolve(value);
    }
  }

  async close() {
    if (this.#dead) return;
    await this.call("close", []).catch(() => {});
    this.terminate(new ObscuraError("aborted", "The album was closed: open it again."));
  }

  terminate(reason) {
    this.#dead ??= reason;
    this.#worker.terminate();
    for (const call of [...this.#calls.values()]) call.reject(this.#dead);
  }
}

/** One tab at a time has an album open. Resolves with what lets go of it, which resolves when others can have it. */
async function lock(name) {
  const locks = globalThis.navigator?.locks;
  if (!locks) return async () => {};
  let letGo;
  const done = new Promise((resolve) => (letGo = resolve));
  return new Promise((locked, failed) => {
    let request;
    const release = async () => {
      letGo();
      await request;
    };
    // In Node.js and Deno this is called before request() returns.
    const hold = (held) => {
      if (!held) throw new ObscuraError("bad_input", `The album '${name}' is open already, here or in another tab: close it there first.`);
      locked(release);
      return done;
    };
    request = locks.request(`obscura-album:${name}`, { ifAvailable: true }, hold);
    request.catch(failed);
  });
}

function checkName(name) {
  if (typeof name !== "string") throw new ObscuraError("bad_input", `An album's name is a text, not ${describe(name)}.`);
  encodeName(name);
}

function checkKey(key) {
  if (typeof key !== "string") throw new ObscuraError("bad_input", `A key is a text, not ${describe(key)}.`);
}

function checkCount(name, count) {
  if (Number.isInteger(count) && count >= 0) return;
  throw new ObscuraError("bad_input", `${name} is a whole number, 0 or more, not ${describe(count)}.`);
}

function checkOptions(method, options, known) {
  const given = options ?? {};
  if (typeof given !== "object") throw new ObscuraError("bad_input", `The options of ${method}() are an object, not ${describe(given)}.`);
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown === undefined) return given;
  throw new ObscuraError("bad_input", `${method}() has no option '${unknown}'. It has ${known.join(", ")}.`);
}

function aborted(signal) {
  return new ObscuraError("aborted", "The call was aborted.", { cause: signal.reason });
}
