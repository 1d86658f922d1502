// Where calls.js hears calls and answers them: the worker that bridge.js started for it, else
// whoever connects in the same thread (same-thread.js).

/** Looks like a worker from both sides; messages are handed over as they are, a moment later. */
class SameThread {
  onmessage = null; // set by calls.js
  #caller = null;

  /** The side that looks like a `Worker`. There is one until its model is freed, which an aborted load delays. */
  connect() {
    if (this.#caller) throw new Error("in one thread there is one model at a time: dispose of the other first");
    const caller = {
      onmessage: null,
      onerror: null,
      isFreed: false,
      isEnded: false,
      postMessage: (data) => queueMicrotask(() => this.onmessage({ data })),
      terminate: () => {
        caller.isEnded = true;
        if (!caller.isFreed) caller.postMessage({ type: "dispose" });
        this.#forgetEnded();
      },
    };
    this.#caller = caller;
    return caller;
  }

  postMessage(data) {
    const caller = this.#caller;
    if (data.type === "disposed") caller.isFreed = true;
    queueMicrotask(() => caller.onmessage?.({ data }));
    this.#forgetEnded();
  }

  #forgetEnded() {
    if (this.#caller?.isFreed && this.#caller.isEnded) this.#caller = null;
  }
}

const isStartedByObscura = globalThis.name === "obscura" && typeof globalThis.postMessage === "function";

export const port = isStartedByObscura ? globalThis : new SameThread();
