// obscura in Node.js, Bun and Deno: the same wasm, each model in a worker thread. What they do in their own
// way is put in place here. Types: node.d.ts.

import { workers } from "./lib/engine/workers.js";
import "./lib/node/platform.js";
import { Thread } from "./lib/node/thread.js";

workers.start = () => new Thread("model");
workers.startAlbum = () => new Thread("album");

export * from "./obscura.js";
export { load } from "./lib/node/load.js"; // in the place of the browser's
