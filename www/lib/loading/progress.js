// What a load tells of itself, in the shape that transformers.js uses: for each file `initiate`,
// `download`, `progress`, `done`; for all together `progress_total` and at last `ready`.

const INTERVAL_MS = 100;

export class Progress {
  #name;
  #notify;
  #files = new Map(); // {loaded, total, reportedAt, isDone}
  #isPlanned = false;
  #totalReportedAt = -Infinity;

  constructor(name, notify) {
    this.#name = name;
    this.#notify = notify;
  }

  /** A file was found. */
  begin(file, total) {
    const known = this.#files.get(file);
    if (known?.total !== undefined) return;
    const state = { loaded: Math.min(known?.loaded ?? 0, total), total, reportedAt: -Infinity, isDone: false };
    this.#files.set(file, state);
    this.#report("initiate", file, state);
    this.#report("download", file, state);
    this.#advance(file, state);
  }

  /** Bytes of a file have come, some of which nobody may have asked for. */
  add(file, count) {
    const state = this.#files.get(file);
    if (state?.total === undefined) {
      this.#files.set(file, { loaded: (state?.loaded ?? 0) + count });
      return;
    }
    state.loaded = Math.min(state.total, state.loaded + count);
    this.#advance(file, state);
  }

  /** [[file, offset, length], ...] are all that is still to come: the rest is here, or not needed. */
  plan(ranges) {
    this.#isPlanned = true;
    const missing = new Map();
    for (const [file, , length] of ranges) missing.set(file, (missing.get(file) ?? 0) + length);
    for (const [file, state] of this.#files) {
      if (state.total === undefined || state.isDone) continue;
      state.loaded = Math.max(0, state.total - (missing.get(file) ?? 0));
      this.#advance(file, state);
    }
  }

  /** A tensor is in its place. It tells how far a load has come that reads from the cache alone. */
  tensor({ loaded, total }, cachedFiles) {
    if (this.#isPlanned) return;
    const largest = Object.entries(cachedFiles ?? {}).sort(([, a], [, b]) => (b.size ?? 0) - (a.size ?? 0))[0];
    const file = largest?.[0] ?? "model.gguf";
    this.begin(file, total);
    const state = this.#files.get(file);
    state.total = total;
    state.loaded = loaded;
    this.#advance(file, state);
    this.#reportTotal();
  }

  finish() {
    this.#isPlanned = true;
    for (const [file, state] of this.#files) {
      if (state.total === undefined) continue;
      state.loaded = state.total;
      this.#advance(file, state);
    }
    this.#reportTotal(true);
    this.#notify({ status: "ready", name: this.#name, file: [...this.#files.keys()].at(-1) ?? this.#name, ...this.#sum(), progress: 100 });
  }

  warn(message) {
    this.say("warning", message);
  }

  say(status, message) {
    this.#notify({ status, name: this.#name, message });
  }

  #advance(file, state) {
    if (state.isDone) return;
    state.isDone = state.loaded >= state.total;
    const now = performance.now();
    if (state.isDone || now - state.reportedAt >= INTERVAL_MS) {
      state.reportedAt = now;
      this.#report("progress", file, state);
      if (state.isDone) this.#report("done", file, state);
    }
    if (this.#isPlanned) this.#reportTotal();
  }

  #report(status, file, { loaded, total }) {
    this.#notify({ status, name: this.#name, file, loaded, total, progress: percent(loaded, total) });
  }

  #reportTotal(isLast = false) {
    const now = performance.now();
    if (!isLast && now - this.#totalReportedAt < INTERVAL_MS) return;
    this.#totalReportedAt = now;
    const known = [...this.#files].filter(([, { total }]) => total !== undefined);
    const files = Object.fromEntries(known.map(([file, { loaded, total }]) => [file, { loaded, total }]));
    const { loaded, total } = this.#sum();
    this.#notify({ status: "progress_total", name: this.#name, loaded, total, progress: percent(loaded, total), files });
  }

  #sum() {
    const known = [...this.#files.values()].filter(({ total }) => total !== undefined);
    const add = (key) => known.reduce((sum, state) => sum + state[key], 0);
    return { loaded: add("loaded"), total: add("total") };
  }
}

function percent(loaded, total) {
  return total > 0 ? (100 * loaded) / total : 100;
}
