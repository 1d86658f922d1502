// obscura in Node.js: the same wasm, on the CPU, each model in a worker thread. What Node.js does in
// its own way is put in place here. Types: node.d.ts.

import { pathToFileURL } from "node:url";
import { workers } from "./lib/engine/workers.js";
import { fetchFiles } from "./lib/node/files.js";
import { Thread } from "./lib/node/thread.js";
import { platform } from "./lib/platform/platform.js";

workers.start = () => new Thread();
platform.fetch = fetchFiles;
platform.base = () => pathToFileURL("./").href; // the folder that the program was started in

export * from "./obscura.js";
export { load } from "./lib/node/load.js"; // in the place of the browser's
