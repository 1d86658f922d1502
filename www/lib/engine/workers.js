// How the engine's workers are started. node.js and same-thread.js put their own in place of these.

export const workers = {
  // Bundlers look for exactly this form, and bundle the worker with what it imports.
  start: () => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "obscura" }),
  startThread: () => new Worker(new URL("./thread.js", import.meta.url), { type: "module", name: "obscura thread" }),
  /** Only a page can start threads: team.js. */
  haveThreads: typeof document !== "undefined",
};
