// One stretch of a file as it arrives: read ahead up to a bound, reopened where it breaks.

import { ObscuraError } from "../errors/error.js";

export class Connection {
  /** The next byte to be handed out, and the one after the last; `end` may be Infinity until it is known. */
  position;
  end;

  #options;
  #chunks = [];
  #buffered = 0;
  #received; // the next byte to arrive
  #failure = null;
  #finished = false;
  #stop = null; // ends the request under way
  #closed = false;
  #arrived = () => {};
  #drained = () => {};

  /**
   * @param {{start: number, end: number, mayBeLonger: boolean, isWhole: boolean, name: string, readAhead: number,
   *   stallMs: number,
   *   open(from: number, isFirst: boolean): Promise<{body, start: number, stop?(): void}>,
   *   persist(act: () => Promise<void>, progress: () => number): Promise<void>,
   *   onArrived(count: number): void, onTaken(count: number): void}} options `mayBeLonger`: `end` is but a guess from below; `isWhole`: the
   *   answers are the whole file, so that anything after `end` is wrong.
   */
  constructor(options) {
    this.#options = options;
    this.position = this.#received = options.start;
    this.end = options.end;
    this.#run();
  }

  /** Fills `bytes` with what comes next. */
  async fill(bytes) {
    for (let filled = 0; filled < bytes.length; ) {
      const chunk = await this.#take(bytes.length - filled);
      if (chunk === null) throw this.#brokenOff();
      bytes.set(chunk, filled);
      filled += chunk.length;
    }
  }

  /** Lets `count` bytes pass. */
  async skip(count) {
    while (count > 0) {
      const chunk = await this.#take(count);
      if (chunk === null) throw this.#brokenOff();
      count -= chunk.length;
    }
  }

  /** The next bytes, as many as have arrived together; null at the end. */
  next() {
    return this.#take(Infinity);
  }

  /** Ends earlier than at first intended, if that much has not arrived yet. */
  endAt(end) {
    this.end = Math.min(this.end, Math.max(end, this.#received));
  }

  close() {
    this.#closed = true;
    this.#stop?.();
    this.#chunks = [];
    this.#drained();
    this.#arrived();
  }

  async #take(limit) {
    while (this.#chunks.length === 0) {
      if (this.#failure) throw this.#failure;
      if (this.#finished) return null;
      if (this.#closed) throw new ObscuraError("aborted", `The download of ${this.#options.name} was stopped.`);
      await new Promise((arrived) => (this.#arrived = arrived));
    }
    let chunk = this.#chunks.shift();
    if (chunk.length > limit) {
      this.#chunks.unshift(chunk.subarray(limit));
      chunk = chunk.subarray(0, limit);
    }
    this.position += chunk.length;
    this.#buffered -= chunk.length;
    this.#options.onTaken(chunk.length);
    this.#drained();
    return chunk;
  }

  async #run() {
    let isFirst = true;
    const receive = () => this.#receive(isFirst).finally(() => (isFirst = false));
    try {
      await this.#options.persist(receive, () => this.#received);
      this.end = this.#received;
      this.#finished = true;
    } catch (error) {
      this.#failure = error;
    }
    this.#arrived();
  }

  /** One answer's body, from where the last one broke off. */
  async #receive(isFirst) {
    if (this.#closed || this.#received >= this.end) return;
    const { body, start, stop } = await this.#options.open(this.#received, isFirst);
    this.#stop = stop;
    if (this.#closed) return stop?.();
    const reader = body.getReader();
    let at = start; // of the next chunk; behind #received where the server began from the start again
    try {
      for (;;) {
        while (this.#buffered >= this.#options.readAhead && !this.#closed) {
          await new Promise((drained) => (this.#drained = drained));
        }
        if (this.#closed) return;
        const { done, value } = await this.#notStalled(reader.read());
        if (done) break;
        this.#accept(value, at);
        at += value.length;
        const { mayBeLonger, isWhole } = this.#options;
        if (at >= this.end && !mayBeLonger && !isWhole) break;
      }
    } catch (error) {
      if (!this.#closed) throw error;
      return;
    } finally {
      stop?.();
      reader.cancel().catch(() => {});
    }
    if (this.end !== Infinity && this.#received < this.end) throw this.#brokenOff();
  }

  #accept(value, at) {
    const { mayBeLonger, isWhole, name, onArrived } = this.#options;
    if (at + value.length > this.end && isWhole && !mayBeLonger) {
      const hint = "It may compress model files, which it should not.";
      throw new ObscuraError("network", `${name}: the server sends more than the ${this.end} bytes that it announced. ${hint}`);
    }
    const from = Math.max(0, this.#received - at);
    const to = mayBeLonger ? value.length : Math.min(value.length, this.end - at);
    if (to <= from) return;
    this.#chunks.push(value.subarray(from, to));
    this.#buffered += to - from;
    this.#received = at + to;
    onArrived(to - from);
    this.#arrived();
  }

  /** Two short waits, not one long: work that blocks this thread is not the server's silence. */
  async #notStalled(read) {
    const { stallMs, name } = this.#options;
    let timer;
    const stalled = new Promise((_, reject) => {
      const giveUp = () => reject(retriable(`${name}: the server has sent nothing for ${stallMs / 1000} seconds. Try again.`));
      timer = setTimeout(() => (timer = setTimeout(giveUp, stallMs / 2)), stallMs / 2);
    });
    try {
      return await Promise.race([read, stalled]);
    } catch (error) {
      throw error.code ? error : this.#brokenOff(error);
    } finally {
      clearTimeout(timer);
    }
  }

  #brokenOff(cause) {
    const of = this.end === Infinity ? "" : ` of ${this.end}`;
    const why = cause?.message ? ` (${cause.message})` : "";
    return retriable(`${this.#options.name} broke off after ${this.#received}${of} bytes${why}. Try again.`, cause);
  }
}

function retriable(message, cause) {
  return Object.assign(new ObscuraError("network", message, { cause }), { retriable: true });
}
