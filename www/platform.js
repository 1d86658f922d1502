// What a browser and Node.js do differently: starting workers, fetching, and what relative
// addresses are relative to. node.js puts its own in place of these; everything else is the same.

export const platform = {
  // Bundlers look for exactly this form, and bundle the worker with what it imports.
  startWorker: () => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "obscura" }),
  startThread: () => new Worker(new URL("./thread.js", import.meta.url), { type: "module", name: "obscura thread" }),
  /** Only a page can start threads: team.js. */
  hasThreads: typeof document !== "undefined",
  fetch: (...request) => fetch(...request),
  base: () => globalThis.document?.baseURI ?? globalThis.location?.href,
};
