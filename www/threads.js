// Starts the engine, with threads where that is possible: where the page is isolated from other sites
// (COOP and COEP headers), which browsers ask for before memory may be shared, and where the CPU computes.
// That build is one for relaxed SIMD. Whatever goes wrong with it, the engine starts without.

import { engine } from "./engine.js";
import { hasRelaxedSimd } from "./simd.js";

/** Unless told otherwise. No more than a guess: nobody has measured more than two yet. */
const MOST_THREADS = 8;

/**
 * Starts the engine for a device, "auto", "webgpu" or "cpu", with at most so many threads: {engine, memory}.
 * `watch` is given a port for each thread, on which it says that it broke: the engine would wait for it
 * for ever.
 */
export async function startEngine(device, most = MOST_THREADS, watch) {
  const threads = Math.min(most, possibleThreads());
  if (threads > 1 && (device === "cpu" || (device === "auto" && !(await hasGpu())))) {
    try {
      return await startThreads(threads, watch);
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

async function startThreads(count, watch) {
  const engine = await import("./pkg/obscura_wasm_threads.js");
  await engine.default();
  const parts = engine.parts();
  const workers = [];
  try {
    while (workers.length < count - 1) {
      workers.push(new Worker(new URL("./thread.js", import.meta.url), { type: "module", name: "obscura thread" }));
    }
    await Promise.all(workers.map((worker) => prepare(worker, parts, watch)));
    engine.startPool(count);
  } catch (error) {
    workers.forEach((worker) => worker.terminate());
    throw error;
  }
  return { engine, memory: parts.memory };
}

/** Gives a worker the engine; it is ready once it has nothing left to load. */
function prepare(worker, parts, watch) {
  const { port1, port2 } = new MessageChannel();
  watch(port1);
  return new Promise((ready, failed) => {
    worker.onmessage = ready;
    worker.onerror = (event) => failed(new Error(event.message || "thread.js is missing"));
    worker.postMessage({ parts, port: port2 }, [port2]);
  });
}
