// Starts the engine, with threads where that is possible: where the page is isolated from other sites
// (COOP and COEP headers), which browsers ask for before memory may be shared, and where the CPU computes.
// That build is one for relaxed SIMD. Whatever goes wrong with it, the engine starts without.
//
// This is the part of the models' worker; the page's is team.js.

import * as threaded from "../../pkg/obscura_wasm_threads.js"; // not by import(): bundlers would split the worker, which some cannot
import { engine } from "./engine.js";
import { hasRelaxedSimd } from "./simd.js";

/** Unless told otherwise. No more than a guess: nobody has measured more than two yet. */
const MOST_THREADS = 8;

/**
 * Starts the engine for a device, "auto", "webgpu" or "cpu", with at most so many threads: {engine, memory}.
 * `gather(parts, count)` starts so many more workers with the same memory, and resolves once they are there.
 */
export async function startEngine(device, most = MOST_THREADS, gather) {
  const threads = Math.min(most, possibleThreads());
  if (threads > 1 && (device === "cpu" || (device === "auto" && !(await hasGpu())))) {
    try {
      return await startThreads(threads, gather);
    } catch (error) {
      console.info("Without threads:", error); // too little memory, or not kept and no network
    }
  }
  const { memory } = await engine.default();
  return { engine, memory };
}

function possibleThreads() {
  const isWorker = typeof DedicatedWorkerGlobalScope !== "undefined" && self instanceof DedicatedWorkerGlobalScope;
  return isWorker && self.crossOriginIsolated && hasRelaxedSimd() ? (navigator.hardwareConcurrency ?? 1) : 1;
}

/** Whether there is a GPU; one in software is slower than the CPU by itself. */
async function hasGpu() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return Boolean(adapter) && !(adapter.info?.isFallbackAdapter || adapter.isFallbackAdapter);
}

async function startThreads(count, gather) {
  await threaded.default();
  const parts = threaded.parts();
  await gather(parts, count - 1);
  threaded.startPool(count);
  return { engine: threaded, memory: parts.memory };
}
