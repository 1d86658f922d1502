// How the engine's workers are started. node.js and same-thread.js put their own in place of these.

import { startWorker } from "./start-worker.js";

export const workers = {
  // Bundlers look for exactly this form, and bundle the worker with what it imports.
  start: () => startWorker(() => new Worker(new URL("./bundled-worker.js", import.meta.url), { type: "module", name: "obscura" })),
  startThread: () => startWorker(() => new Worker(new URL("./thread.js", import.meta.url), { type: "module", name: "obscura thread" })),
  startAlbum: undefined, // album.js starts its own
  /** Only a page can start threads: team.js. */
  haveThreads: typeof document !== "undefined",
};
