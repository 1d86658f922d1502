// Patience with a failing server, within bounds, that can be ended at any moment.

export class Retries {
  /** Why nothing is tried any more. */
  ended = null;

  #bounds;
  #onEnd = new Set();

  /** @param {{retries, backoffMs, maxBackoffMs, progressBytes}} bounds see TRANSPORT in remote-file.js */
  constructor(bounds) {
    this.#bounds = bounds;
  }

  /**
   * Acts until it succeeds, fails for good, or there have been too many failures in a row. `progress()`
   * counts the bytes that have arrived: it tells one long chain of failures from many short ones. An
   * error that is `retriable` may also say `retryAfterMs`, and by `patience` how often at most.
   */
  async persist(act, progress = () => 0) {
    const { retries, backoffMs, maxBackoffMs, progressBytes } = this.#bounds;
    let failures = 0;
    let reached = progress();
    for (;;) {
      try {
        return await act();
      } catch (error) {
        if (this.ended) throw this.ended;
        if (!error.retriable) throw error;
        if (progress() - reached >= progressBytes) failures = 0;
        reached = Math.max(reached, progress());
        if (++failures > (error.patience ?? retries)) throw error;
        const backoff = Math.min(maxBackoffMs, backoffMs * 2 ** (failures - 1)) * (0.75 + 0.5 * Math.random());
        await this.#pause(error.retryAfterMs ?? backoff);
      }
    }
  }

  /** Calls `act` at the end; the returned function takes that back. */
  onEnd(act) {
    this.#onEnd.add(act);
    return () => this.#onEnd.delete(act);
  }

  end(reason) {
    this.ended ??= reason;
    for (const act of this.#onEnd) act();
  }

  async #pause(milliseconds) {
    let timer;
    let unhook;
    await new Promise((resume) => {
      timer = setTimeout(resume, milliseconds);
      unhook = this.onEnd(resume);
    });
    unhook();
    clearTimeout(timer);
    if (this.ended) throw this.ended;
  }
}
