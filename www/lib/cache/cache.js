// The models that this browser keeps, in its private file system (OPFS) or, where no file of that can be
// written in place, in the Cache API (cache-api.js): one folder an entry with
// model.gguf and journal, which belong to the loader, and meta.json, which says whose they are.
// `Entry` is for the worker, where files can be written in place; `cache` is for everybody.

import { ObscuraError } from "../errors/error.js";
import * as cacheApi from "./cache-api.js";

const FOLDER = "obscura";
const ID = /^[0-9a-f]{32}$/;
const STAY_ERRORS = ["QuotaExceededError", "NoModificationAllowedError"];
const HANDLE_ATTEMPTS = 20; // a worker that was just ended lets go of its files a moment later
const HANDLE_PAUSE_MS = 100;

/** One model in one number format: what a load reads instead of the network, or writes for the next. */
export class Entry {
  /** {source, revision, dtype, tasks, sha256, created, lastUsed, bytes, complete, commit, files: {[name]: {size, etag, modified}}}. */
  meta = null;
  #id;
  #handles = {};
  #release;

  /**
   * Opens the entry of that key, an empty one if need be; null where this browser cannot keep files
   * or has no room. Waits while another tab loads the same model: `onWait` is told so.
   */
  static async open(key, { signal, onWait } = {}) {
    if (!isAvailable() && !cacheApi.isAvailable()) return null;
    const id = await idOf(key);
    const release = await lock(id, signal, onWait);
    try {
      const entry = (await Entry.#inFolder(id, release)) ?? (await cacheApi.CachedEntry.open(id, release, parseMeta));
      if (!entry) release();
      return entry;
    } catch (error) {
      release();
      throw error;
    }
  }

  /** null where the files cannot be had: in windows and service workers, and in Firefox's private windows. */
  static async #inFolder(id, release) {
    if (!isAvailable() || !globalThis.FileSystemFileHandle?.prototype.createSyncAccessHandle) return null;
    const entry = new Entry(id, release);
    try {
      await entry.#openFiles();
      return entry;
    } catch (error) {
      await entry.#giveUp();
      if (STAY_ERRORS.includes(error.name)) throw error; // the Cache API would not help, or keep it twice
      return null;
    }
  }

  constructor(id, release) {
    this.#id = id;
    this.#release = release;
  }

  async #openFiles() {
    const folder = await (await rootFolder(true)).getDirectoryHandle(this.#id, { create: true });
    for (const name of ["model.gguf", "journal", "meta.json"]) {
      const file = await folder.getFileHandle(name, { create: true });
      this.#handles[name] = await openExclusively(file);
    }
    this.stores = { model: new Store(this.#handles["model.gguf"]), journal: new Store(this.#handles.journal) };
    this.meta = parseMeta(this.#readAll("meta.json"));
    if (!this.meta) this.reset(); // contents that nobody can place
  }

  /** The journal as a whole. */
  journal() {
    return this.#readAll("journal");
  }

  /** Forgets what the entry holds; it is then like a new one. */
  reset() {
    for (const handle of Object.values(this.#handles)) handle.truncate(0);
    this.meta = null;
  }

  save(meta) {
    this.meta = meta;
    const bytes = new TextEncoder().encode(JSON.stringify(meta));
    const handle = this.#handles["meta.json"];
    handle.truncate(0);
    if (handle.write(bytes, { at: 0 }) !== bytes.length) throw diskFull();
    handle.flush();
  }

  get bytes() {
    return this.stores.model.size() + this.stores.journal.size();
  }

  /** Closes the files. What has been written stays; where nothing was, the entry goes, too. */
  async close() {
    const isEmpty = this.#handles["model.gguf"]?.getSize() === 0;
    if (isEmpty) return this.remove();
    for (const handle of Object.values(this.#handles)) handle.close();
    this.#handles = {};
    this.#release();
  }

  /** Leaves the folder as it was found: without one, if nothing is in it. */
  async #giveUp() {
    for (const handle of Object.values(this.#handles)) handle.close();
    this.#handles = {};
    const root = await rootFolder();
    const folder = await root?.getDirectoryHandle(this.#id).catch(() => null);
    if (folder && (await describeEntry(this.#id, folder)).bytes === 0) await root.removeEntry(this.#id, { recursive: true }).catch(() => {});
  }

  /** Closes the files and deletes them. */
  async remove() {
    for (const handle of Object.values(this.#handles)) handle.close();
    this.#handles = {};
    await (await rootFolder())?.removeEntry(this.#id, { recursive: true }).catch(() => {});
    this.#release();
  }

  #readAll(name) {
    const handle = this.#handles[name];
    const bytes = new Uint8Array(handle.getSize());
    return bytes.subarray(0, handle.read(bytes, { at: 0 }));
  }
}

/** A file of an entry as the loader wants it. */
class Store {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  size() {
    return this.#handle.getSize();
  }

  read(offset, length) {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, this.#handle.read(bytes, { at: offset }));
  }

  write(offset, bytes) {
    if (this.#handle.write(bytes, { at: offset }) !== bytes.length) throw diskFull();
  }

  truncate(size) {
    this.#handle.truncate(size);
  }

  flush() {
    this.#handle.flush();
  }
}

/** What is kept, for everybody to see and to clear. */
export const cache = Object.freeze({
  /** [{id, source, dtype, bytes, complete, lastUsed}], last used first. */
  async list() {
    const entries = (await everyEntry()).filter(({ bytes }) => bytes > 0); // the others have only just been begun
    return entries.sort((a, b) => b.lastUsed - a.lastUsed);
  },

  /** Bytes in all. */
  async size() {
    return (await cache.list()).reduce((sum, { bytes }) => sum + bytes, 0);
  },

  /** Deletes one entry, or all of them. One that is being loaded right now is not deleted. */
  async clear(id) {
    const ids = id === undefined ? (await everyEntry()).map((entry) => entry.id) : [id];
    const busy = [];
    for (const each of ids) if (!(await removeIfIdle(each))) busy.push(each);
    if (busy.length > 0) {
      throw new ObscuraError("bad_input", "A model that is being loaded right now cannot be cleared: cancel the load first, or wait for it.");
    }
  },
});

async function everyEntry() {
  const root = await rootFolder();
  const entries = [];
  if (root) for await (const [id, folder] of root.entries()) if (ID.test(id) && folder.kind === "directory") entries.push(await describeEntry(id, folder));
  for (const [id, ...files] of await cacheApi.cachedEntries()) entries.push(await describeFiles(id, files));
  return entries;
}

async function describeEntry(id, folder) {
  const open = (name) => folder.getFileHandle(name).then((handle) => handle.getFile()).catch(() => null);
  return describeFiles(id, await Promise.all(["model.gguf", "journal", "meta.json"].map(open)));
}

async function describeFiles(id, [model, journal, described]) {
  const meta = described ? parseMeta(new Uint8Array(await described.arrayBuffer().catch(() => new ArrayBuffer(0)))) : null;
  return {
    id,
    source: meta?.source ?? "unknown",
    dtype: meta?.dtype ?? "unknown",
    bytes: (model?.size ?? 0) + (journal?.size ?? 0) + (described?.size ?? 0),
    complete: meta?.complete ?? false,
    lastUsed: meta?.lastUsed ?? 0,
  };
}

async function removeIfIdle(id) {
  if (!ID.test(id)) throw new ObscuraError("bad_input", `'${id}' is not the id of a kept model: cache.list() has them.`);
  return navigator.locks.request(lockName(id), { ifAvailable: true }, async (held) => {
    if (!held) return false;
    await cacheApi.removeCached(id);
    await (await rootFolder())?.removeEntry(id, { recursive: true }).catch((error) => {
      if (error.name !== "NotFoundError") throw error;
    });
    return true;
  });
}

/** Browsers offer it on pages of https and of localhost only, and not in every private window. */
export function isAvailable() {
  return Boolean(globalThis.navigator?.storage?.getDirectory && globalThis.navigator.locks);
}

async function rootFolder(create = false) {
  if (!isAvailable()) return null;
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create });
  } catch (error) {
    if (create) throw error;
    return null; // nothing has been kept yet, or this window may keep nothing
  }
}

/** Holds the lock of an entry until the returned function is called. Tabs that end let go of theirs. */
function lock(id, signal, onWait) {
  return new Promise((locked, failed) => {
    const hold = () => new Promise((release) => locked(release));
    const wait = (held) => {
      if (held) return hold();
      onWait?.();
      navigator.locks.request(lockName(id), { signal }, hold).catch(failed);
    };
    navigator.locks.request(lockName(id), { ifAvailable: true }, wait).catch(failed);
  });
}

function lockName(id) {
  return `obscura:${id}`;
}

/** The folder's name: it says nothing of the model to those who list folders. */
async function idOf(key) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(key)));
  return Array.from(new Uint8Array(digest, 0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A file for its only writer. */
export async function openExclusively(file) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await file.createSyncAccessHandle();
    } catch (error) {
      if (error.name !== "NoModificationAllowedError" || attempt === HANDLE_ATTEMPTS) throw error;
      await new Promise((resume) => setTimeout(resume, HANDLE_PAUSE_MS));
    }
  }
}

function parseMeta(bytes) {
  try {
    const meta = JSON.parse(new TextDecoder().decode(bytes));
    return typeof meta?.source === "string" && typeof meta.files === "object" ? meta : null;
  } catch {
    return null; // empty, or torn by a tab that ended while it wrote
  }
}

function diskFull() {
  return new ObscuraError("out_of_memory", "The browser's storage is full: the model is not kept.");
}
