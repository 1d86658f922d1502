// Files of the disk in the forms that the rest of obscura reads: an answer to fetch(), and parts of
// a Blob. For Node.js only.

import { open, readFile } from "node:fs/promises";

/** fetch(), which in Node.js does not know files, taught to read them. */
export async function fetchFiles(address, options) {
  if (!/^file:/.test(address)) return fetchElsewhere(address, options);
  const url = new URL(address);
  try {
    const type = url.pathname.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
    return new Response(await readFile(url, { signal: options?.signal }), { headers: { "Content-Type": type } });
  } catch (error) {
    if (error.code === "EISDIR") throw new Error("it is a folder");
    if (error.code === "ENOENT") return new Response(null, { status: 404, statusText: "there is no such file" });
    throw error;
  }
}
const fetchElsewhere = globalThis.fetch;

/** What a source reads of a Blob, of the file at `path`. */
export class FileParts {
  #path;

  constructor({ path, size }) {
    this.#path = path;
    this.size = size;
  }

  slice(start, end) {
    return { arrayBuffer: () => this.#read(start, Math.min(end, this.size) - start) };
  }

  async #read(start, length) {
    const file = await open(this.#path);
    try {
      const bytes = new Uint8Array(Math.max(0, length));
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled);
        if (bytesRead === 0) break; // it has become shorter
        filled += bytesRead;
      }
      return bytes.buffer.slice(0, filled);
    } finally {
      await file.close();
    }
  }
}
