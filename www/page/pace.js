// A download in words: how much, how fast, and for how long still.

const WINDOW_MS = 5000;
const LEAST_MS = 1000; // of measuring: before that a speed would be a guess

export class Pace {
  #samples = []; // [time, bytes loaded] of the last seconds

  /** `now` in milliseconds, of any clock that goes on evenly. */
  describe(loaded, total, now) {
    this.#samples = [...this.#samples.filter(([time]) => now - time < WINDOW_MS), [now, loaded]];
    const amount = `${megabytes(loaded)} of ${megabytes(total)}`;
    const [since, before] = this.#samples[0];
    const speed = (loaded - before) / ((now - since) / 1000);
    if (now - since < LEAST_MS || !(speed > 0)) return amount;
    return `${amount}, ${megabytes(speed)}/s, ${duration((total - loaded) / speed)} left`;
  }
}

export function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function duration(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return seconds < 3600 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
