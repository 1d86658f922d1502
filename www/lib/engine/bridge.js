// The bridge from the page to one model's worker: a queue, abort, the threads that the worker asks for,
// and what to do when it breaks. worker.js is the other end, calls.js says what goes across.

import { ObscuraError } from "../errors/error.js";
import { note } from "../pictures/by-browser.js";
import { transferables } from "../pictures/picture.js";
import { NOT_STARTED } from "./start-worker.js";
import { Team } from "./team.js";
import { workers } from "./workers.js";

const DISPOSE_PATIENCE_MS = 1000;

export class Engine {
  #worker;
  #team = new Team();
  #queue = [];
  #running = null;
  #dead = null; // why no call can be made any more
  #lastId = 0;
  #disposed = null;

  constructor() {
    try {
      this.#worker = workers.start();
    } catch (error) {
      const message = `The worker could not be started (${error.message}). Load models where workers can be started, and where the page's Content-Security-Policy allows them (worker-src).`;
      throw new ObscuraError("network", message, { cause: error });
    }
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const detail = event.message || NOT_STARTED;
      this.terminate(new ObscuraError("network", `The worker broke: ${detail}. Load the model again.`));
    };
  }

  /** Whether its device was lost: a new engine can load the model again. */
  get isLost() {
    return this.#dead?.code === "device_lost" && !this.#disposed;
  }

  /** Whether no call can be made any more. */
  get isDead() {
    return this.#dead !== null;
  }

  /**
   * Queues one call. `prepare` starts at once and resolves with the arguments; the promise rejects as
   * soon as `signal` aborts, and a call that has not been sent by then never is.
   */
  call(method, prepare, { signal, onToken, onProgress } = {}) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortError(signal));
      if (this.#dead) return reject(this.#dead);
      const call = { id: ++this.#lastId, method, onToken, onProgress, settled: false, sent: false };
      const settle = (report) => (value) => {
        if (call.settled) return;
        call.settled = true;
        signal?.removeEventListener("abort", call.abort);
        report(value);
      };
      call.resolve = settle(resolve);
      call.reject = settle(reject);
      call.abort = () => {
        call.reject(abortError(signal));
        if (call.sent) this.#worker.postMessage({ type: "abort", id: call.id });
      };
      signal?.addEventListener("abort", call.abort);
      call.prepared = prepare();
      call.prepared.catch((error) => call.reject(error)); // at once, not when its turn comes
      this.#queue.push(call);
      this.#next();
    });
  }

  async #next() {
    if (this.#running) return;
    this.#running = this.#queue.shift() ?? null;
    if (!this.#running) return;
    await this.#run(this.#running);
    this.#running = null;
    this.#next();
  }

  /** Sends one call and waits until the worker has really ended it, aborted or not. */
  async #run(call) {
    try {
      const parameters = await call.prepared;
      if (call.settled) return;
      const parts = parameters.flat().flatMap((part) => part?.frames ?? [part]);
      const pictures = parts.filter((part) => part?.rgba || part?.encoded);
      await new Promise((ended) => {
        call.ended = ended;
        this.#worker.postMessage({ type: "call", id: call.id, method: call.method, parameters }, transferables(pictures));
        call.sent = true;
      });
    } catch (error) {
      const unsendable = error.name === "DataCloneError";
      const message = `An option of ${call.method}() cannot be sent to a worker: ${error.message}`;
      call.reject(unsendable ? new ObscuraError("bad_input", message) : error);
    }
  }

  #receive({ type, id, ...message }) {
    if (type === "gather") return this.#gather(message);
    if (type === "note") return note(message);
    const call = this.#running;
    if (call?.id !== id) return;
    if (type === "token" || type === "progress") {
      if (!call.settled) this.#notify(call, type, message);
      return;
    }
    if (type === "result") call.resolve(message.value);
    else call.reject(new ObscuraError(message.code, message.message));
    if (message.fatal) this.terminate(new ObscuraError(message.code, message.message));
    call.ended();
  }

  /** Starts the threads that the worker asks for; without them it goes on alone. */
  async #gather({ parts, count }) {
    const text = "A thread of the engine stopped. The next call loads the model again.";
    const broken = () => this.terminate(new ObscuraError("device_lost", text));
    const failure = await this.#team.gather(parts, count, broken).then(() => null, (error) => error.message);
    this.#worker.postMessage({ type: "gathered", failure });
  }

  /** An error in the caller's own function ends the call with that error. */
  #notify(call, type, { text, token, event }) {
    try {
      if (type === "token") call.onToken?.(text, token);
      else call.onProgress?.(event);
    } catch (error) {
      call.reject(error);
      this.#worker.postMessage({ type: "abort", id: call.id });
    }
  }

  /** Lets the worker free what it holds, the GPU's memory too, then ends it. */
  dispose() {
    this.#disposed ??= new Promise((freed) => {
      if (this.#dead) return freed();
      this.#endCalls(new ObscuraError("aborted", "The model was disposed of: load it again."));
      this.#worker.onmessage = ({ data }) => data.type === "disposed" && freed();
      this.#worker.postMessage({ type: "dispose" });
      setTimeout(freed, DISPOSE_PATIENCE_MS); // a long computation does not hear messages
    }).then(() => this.#end());
    return this.#disposed;
  }

  terminate(reason) {
    this.#end();
    this.#endCalls(reason);
  }

  #end() {
    this.#worker.terminate();
    this.#team.disband();
  }

  #endCalls(reason) {
    this.#dead ??= reason;
    for (const call of [this.#running, ...this.#queue.splice(0)]) {
      call?.reject(reason);
      call?.ended?.();
    }
  }
}

function abortError(signal) {
  return new ObscuraError("aborted", "The call was aborted.", { cause: signal.reason });
}
