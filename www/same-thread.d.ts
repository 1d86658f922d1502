/**
 * obscura without a worker of its own, for threads in which none can be started, such as a browser
 * extension's service worker. Everything is as in `obscura.d.ts`, except that the engine computes in
 * the thread that imports this module, and that there is one model at a time: `load` refuses another
 * one until the first is disposed of. Not for pages, which would stand still meanwhile.
 */

export * from "./obscura.js";
