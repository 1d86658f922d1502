// The workers that are the engine's further threads, seen from the page, which has to start them: Firefox
// stops for ever, now and then, in a worker that starts workers.

import { NOT_STARTED } from "./start-worker.js";
import { workers } from "./workers.js";

/** Threads that have not started by then have failed in silence. */
const PATIENCE_MS = 20_000;

export class Team {
  #workers = [];

  /** Starts workers over these `parts` of the engine, and resolves once all have nothing left to load. */
  async gather(parts, count, onBroken) {
    try {
      while (this.#workers.length < count) this.#workers.push(workers.startThread());
      const late = new Promise((_, failed) => setTimeout(failed, PATIENCE_MS, new Error("threads did not start in time")));
      await Promise.race([late, Promise.all(this.#workers.map((worker) => prepare(worker, parts, onBroken)))]);
    } catch (error) {
      this.disband();
      throw error;
    }
  }

  disband() {
    for (const worker of this.#workers.splice(0)) worker.terminate();
  }
}

/** Gives a worker the engine. One that breaks later says so: the engine would wait for it for ever. */
function prepare(worker, parts, onBroken) {
  return new Promise((ready, failed) => {
    worker.onmessage = ({ data }) => (data === "ready" ? ready() : onBroken());
    worker.onerror = (event) => failed(new Error(event.message || NOT_STARTED));
    worker.postMessage(parts);
  });
}
