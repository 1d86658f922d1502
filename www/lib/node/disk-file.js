// A file of the disk as what load() takes: a Blob with a name, which knows its path.

import { stat } from "node:fs/promises";

/** A file that is read where it is needed, in the thread: Node.js can send no Blob of a file there. */
export class DiskFile extends Blob {
  static async open(path) {
    const { size, mtimeMs } = await stat(path);
    return new DiskFile(path, size, mtimeMs);
  }

  #size;
  #modified;

  constructor(path, size, modified) {
    super();
    this.path = path;
    this.#size = size;
    this.#modified = modified;
  }

  // As getters: in Bun every Blob has a lastModified, which cannot be assigned.
  get name() {
    return this.path.split(/[\\/]/).at(-1);
  }

  get lastModified() {
    return this.#modified;
  }

  get size() {
    return this.#size;
  }
}
