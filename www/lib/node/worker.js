// A thread in Node.js, Bun and Deno: calls.js or album-worker.js, which are written for browsers, in
// surroundings that look like a browser's worker to them.

import { parentPort, workerData } from "node:worker_threads";
import { fetchFiles, FileParts } from "./files.js";
import { offerGpu } from "./gpu.js";
import "./platform.js";

globalThis.self = globalThis;
self.name = "obscura"; // see port.js
globalThis.fetch = fetchFiles; // the engine's own file lies on the disk
self.postMessage = (message, transfer) => parentPort.postMessage(message, transfer);
// Deno has the browser's events, and makes those of `process` from them.
if (!globalThis.Deno) self.addEventListener = listenToProcess;
offerGpu();

await (workerData === "album" ? import("../album/album-worker.js") : import("../engine/calls.js"));
parentPort.on("message", (message) => self.onmessage({ data: withFiles(message) }));

function listenToProcess(type, listener) {
  const name = { error: "uncaughtException", unhandledrejection: "unhandledRejection" }[type];
  process.on(name, (error) => {
    let isHandled = false;
    listener({ error, reason: error, preventDefault: () => (isHandled = true) });
    if (!isHandled) throw error;
  });
}

/** The message with readable files in place of their paths. */
function withFiles(message) {
  const source = message.parameters?.[0]?.source;
  if (source) for (const each of [source, source.base, ...(source.adapters ?? [])]) readable(each?.files);
  return message;
}

function readable(files) {
  for (const [name, file] of Object.entries(files ?? {})) {
    if (file.path !== undefined) files[name] = new FileParts(file);
  }
}
