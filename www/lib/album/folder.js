// The files of albums, for the worker that owns them: in the private file system (OPFS), read and
// written in place, or in memory where the browser has none. The index of vectors (src/search) sees
// nothing but bytes at offsets.

import { openExclusively } from "../cache/cache.js";
import { ObscuraError } from "../errors/error.js";

const FOLDER = "obscura-albums";
const LONGEST_NAME = 200; // of an encoded name: file systems end at 255

/** For workers. Browsers offer it on pages of https and of localhost only, and not in every private window. */
export async function canPersist() {
  const handle = globalThis.FileSystemFileHandle?.prototype;
  if (!globalThis.navigator?.storage?.getDirectory || !handle?.createSyncAccessHandle) return false;
  return navigator.storage.getDirectory().then(() => true, () => false); // Firefox's private windows refuse it
}

/** The folder of an album: `name` may be any text that is not too long. */
async function folderOf(name, create) {
  const root = await navigator.storage.getDirectory();
  const albums = await root.getDirectoryHandle(FOLDER, { create });
  return albums.getDirectoryHandle(encodeName(name), { create });
}

/** @returns {string} what a file system takes as a name */
export function encodeName(name) {
  const encoded = encodeURIComponent(name).replaceAll(".", "%2E").replaceAll("*", "%2A");
  if (encoded.length === 0 || encoded.length > LONGEST_NAME) {
    throw new ObscuraError("bad_input", `An album's name has 1 to ${LONGEST_NAME} letters, not ${encoded.length}.`);
  }
  return encoded;
}

/**
 * The file of an album. While an album is made smaller there are two, numbered: the later one counts
 * only once the earlier one is gone.
 */
export class AlbumFolder {
  #folder;
  #number;

  static async open(name) {
    const folder = new AlbumFolder();
    folder.#folder = await folderOf(name, true);
    const numbers = [];
    for await (const entry of folder.#folder.keys()) if (/^\d+$/.test(entry)) numbers.push(Number(entry));
    numbers.sort((a, b) => a - b);
    folder.#number = numbers[0] ?? 0;
    for (const unfinished of numbers.slice(1)) await folder.#folder.removeEntry(String(unfinished));
    return folder;
  }

  /** The album's present file. */
  current() {
    return this.#file(this.#number);
  }

  /** A new, empty one. */
  next() {
    return this.#file(this.#number + 1);
  }

  /** Makes the next one the present one; the file before has been closed. */
  async advance() {
    await this.#folder.removeEntry(String(this.#number));
    this.#number += 1;
  }

  /** Gives the next one up; it has been closed. */
  async giveUp() {
    await this.#folder.removeEntry(String(this.#number + 1)).catch(() => {});
  }

  async #file(number) {
    const file = await this.#folder.getFileHandle(String(number), { create: true });
    return new DiskFile(await openExclusively(file));
  }
}

/** Deletes an album, from a worker or a page; one that is not there is as good as deleted. */
export async function removeAlbum(name) {
  if (!globalThis.navigator?.storage?.getDirectory) return;
  try {
    const albums = await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER);
    await albums.removeEntry(encodeName(name), { recursive: true });
  } catch (error) {
    if (error.name !== "NotFoundError") throw error;
  }
}

/** A file in the private file system. */
class DiskFile {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  size() {
    return this.#handle.getSize();
  }

  read(offset, bytes) {
    if (this.#handle.read(bytes, { at: offset }) !== bytes.length) throw endsEarly();
  }

  readMany(offsets, bytes) {
    const length = bytes.length / offsets.length;
    for (let index = 0; index < offsets.length; index++) {
      this.read(offsets[index], bytes.subarray(index * length, (index + 1) * length));
    }
  }

  write(offset, bytes) {
    let written = 0;
    try {
      written = this.#handle.write(bytes, { at: offset });
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
    }
    if (written !== bytes.length) throw full();
  }

  truncate(size) {
    this.#handle.truncate(size);
  }

  flush() {
    this.#handle.flush();
  }

  close() {
    this.#handle.close();
  }
}

/** A file that nobody keeps. */
export class MemoryFile {
  #bytes = new Uint8Array(1 << 16);
  #size = 0;

  size() {
    return this.#size;
  }

  read(offset, bytes) {
    if (offset + bytes.length > this.#size) throw endsEarly();
    bytes.set(this.#bytes.subarray(offset, offset + bytes.length));
  }

  readMany(offsets, bytes) {
    const length = bytes.length / offsets.length;
    offsets.forEach((offset, index) => this.read(offset, bytes.subarray(index * length, (index + 1) * length)));
  }

  write(offset, bytes) {
    const end = offset + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, offset);
    this.#size = Math.max(this.#size, end);
  }

  truncate(size) {
    this.#size = size;
  }

  flush() {}

  close() {}
}

function endsEarly() {
  return new ObscuraError("integrity", "The album's file ends early: it is damaged. Import it from a copy.");
}

function full() {
  return new ObscuraError("out_of_memory", "The browser's storage is full: what was being added is not in the album.");
}
