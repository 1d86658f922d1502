// obscura in Node.js: the same wasm, on the CPU, each model in a worker thread. What Node.js does in
// its own way is put in place here; see platform.js. Types: node.d.ts.

import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { embeddedModel } from "./embedded.js";
import { ObscuraError } from "./error.js";
import { fetchFiles } from "./node-files.js";
import * as obscura from "./obscura.js";
import { platform } from "./platform.js";

export * from "./obscura.js";

platform.startWorker = () => new Thread();
platform.fetch = fetchFiles;
platform.base = () => pathToFileURL("./").href; // the folder that the program was started in

/** Like obscura.js's, and a model may be a path; see node.d.ts. */
export async function load(source, options) {
  const settings = { cache: false, ...options }; // there is no browser storage to keep it in
  if (source !== undefined && source !== null) return obscura.load(await fromDisk(source), settings);
  const embedded = await embeddedModel(settings.signal);
  if (!embedded) return obscura.load(source, settings); // which explains what to do
  return obscura.load([await DiskFile.open(fileURLToPath(embedded.url))], { sha256: embedded.sha256, ...settings });
}

/** The files at a path; anything else as it is. What exists on the disk is not looked for on the hub. */
async function fromDisk(source) {
  if (typeof source !== "string" && !(source instanceof URL)) return source;
  const isFileAddress = /^file:/.test(source);
  if (!isFileAddress && URL.canParse(source) && !/^[a-z]:[\\/]/i.test(source)) return source;
  const path = isFileAddress ? fileURLToPath(source) : resolve(source);
  const found = await stat(path).catch(() => null);
  if (found?.isFile()) return [await DiskFile.open(path)];
  if (found?.isDirectory()) {
    const names = (await readdir(path, { withFileTypes: true })).filter((entry) => !entry.isDirectory()).map(({ name }) => name);
    return Promise.all(names.map((name) => DiskFile.open(join(path, name))));
  }
  const isPath = isFileAddress || /^(\.{0,2}[\\/]|[a-z]:[\\/])/i.test(source) || String(source).endsWith("/");
  if (isPath) throw new ObscuraError("bad_input", `There is no file or folder ${path}.`);
  return source;
}

/** A file that is read where it is needed, in the thread: Node.js can send no Blob of a file there. */
class DiskFile extends Blob {
  static async open(path) {
    const { size, mtimeMs } = await stat(path);
    return new DiskFile(path, size, mtimeMs);
  }

  #size;

  constructor(path, size, modified) {
    super();
    this.path = path;
    this.name = path.split(/[\\/]/).at(-1);
    this.lastModified = modified;
    this.#size = size;
  }

  get size() {
    return this.#size;
  }
}

/** A worker thread that looks like a browser's worker. It keeps the program alive only while it works. */
class Thread {
  onmessage = null;
  onerror = null;
  #thread = new Worker(new URL("./node-worker.js", import.meta.url), { execArgv: [] });
  #calls = 0;

  constructor() {
    this.#thread.unref();
    this.#thread.on("message", (data) => {
      if (data.type === "result" || data.type === "error") this.#count(-1);
      this.onmessage?.({ data });
    });
    this.#thread.on("error", ({ message }) => this.onerror?.({ message, preventDefault() {} }));
  }

  postMessage(message, transfer) {
    this.#thread.postMessage(withPaths(message), transfer);
    if (message.type === "call") this.#count(1);
  }

  terminate() {
    this.#thread.terminate();
  }

  #count(change) {
    this.#calls += change;
    if (this.#calls > 0) this.#thread.ref();
    else this.#thread.unref();
  }
}

/** The message with the paths of files in place of them. */
function withPaths(message) {
  const [first, ...others] = message.parameters ?? [];
  if (first?.source?.kind !== "local") return message;
  const files = Object.entries(first.source.files).map(([name, file]) => {
    return [name, file instanceof DiskFile ? { path: file.path, size: file.size } : file];
  });
  const source = { ...first.source, files: Object.fromEntries(files) };
  return { ...message, parameters: [{ ...first, source }, ...others] };
}
