// The model's thread as the bridge sees it.

import { Worker } from "node:worker_threads";
import { DiskFile } from "./disk-file.js";

/** A worker thread that looks like a browser's worker. It keeps the program alive only while it works. */
export class Thread {
  onmessage = null;
  onerror = null;
  #thread;
  #calls = 0;

  /** @param {"model" | "album"} kind what it does: worker.js knows */
  constructor(kind) {
    this.#thread = new Worker(new URL("./worker.js", import.meta.url), { execArgv: [], workerData: kind });
    this.#thread.unref();
    this.#thread.on("message", (data) => {
      if (isAnswer(data)) this.#count(-1);
      this.onmessage?.({ data });
    });
    this.#thread.on("error", ({ message }) => this.onerror?.({ message, preventDefault() {} }));
  }

  postMessage(message, transfer) {
    this.#thread.postMessage(withPaths(message), transfer);
    if (message.method !== undefined) this.#count(1);
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

/** The last message of a call: that of calls.js, or of album-worker.js. */
const isAnswer = ({ type, progress }) => (type === undefined ? !progress : type === "result" || type === "error");

/** The message with the paths of files in place of them. */
function withPaths(message) {
  const [first, ...others] = message.parameters ?? [];
  if (!first?.source) return message;
  return { ...message, parameters: [{ ...first, source: pathsIn(first.source) }, ...others] };
}

/** The same of a described source, its adapters and its base. */
function pathsIn({ files, adapters, base, ...source }) {
  const pathOf = (file) => (file instanceof DiskFile ? { path: file.path, size: file.size } : file);
  if (files) source.files = Object.fromEntries(Object.entries(files).map(([name, file]) => [name, pathOf(file)]));
  if (adapters) source.adapters = adapters.map(pathsIn);
  if (base) source.base = pathsIn(base);
  return source;
}
