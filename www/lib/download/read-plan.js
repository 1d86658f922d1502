// What will be read of a file, and over how many connections. Several help where a server limits each one,
// and cost a little where none does: a large file is begun with one, and the others join where it is slow
// and the reader mostly waits for it.

export class ReadPlan {
  /** How many connections there may be now. */
  connections;

  #transport;
  #runs; // [start, end) in order
  #mayWiden; // to several connections
  #began = performance.now();
  #waited = 0; // milliseconds since then
  #arrivedBefore;

  /** `ranges` as [offset, length] in order; `arrived` is how much has come over the network until now. */
  constructor(transport, ranges = [], { arrived = 0, connections = 1 } = {}) {
    this.connections = connections;
    this.#transport = transport;
    this.#runs = mergeRanges(ranges, transport.gapBytes);
    const planned = this.#runs.reduce((sum, [start, end]) => sum + end - start, 0);
    this.#mayWiden = planned > 0 && planned >= transport.largeBytes;
    this.#arrivedBefore = arrived;
  }

  /** The reader has waited for the network. */
  waited(milliseconds) {
    this.#waited += milliseconds;
  }

  /** Whether there are to be several connections from now on, as it is the network that everything waits for. */
  widens(arrived) {
    const { patienceMs, waitingShare, ampleSpeed, connections } = this.#transport;
    const passed = performance.now() - this.#began;
    if (!this.#mayWiden || passed < patienceMs || this.#waited < waitingShare * passed) return false;
    if (arrived - this.#arrivedBefore > (ampleSpeed * passed) / 1000) return false;
    this.#mayWiden = false;
    this.connections = connections;
    return true;
  }

  /** Where a connection that begins at `offset` ends, in a file of that size. */
  endOf(offset, size) {
    const run = this.#runs.find(([start, end]) => offset >= start && offset < end);
    const end = run ? run[1] : size;
    return run && this.connections > 1 ? Math.min(end, offset + this.#transport.segmentBytes) : end;
  }

  /** The first byte from `offset` on that will be read; null where there is none. */
  next(offset) {
    const run = this.#runs.find(([, end]) => offset < end);
    return run ? Math.max(offset, run[0]) : null;
  }
}

/** [offset, length] in order to [start, end), gaps too small to matter closed. */
function mergeRanges(ranges, gap) {
  const merged = [];
  for (const [offset, length] of ranges) {
    const last = merged.at(-1);
    if (last && offset >= last[1] && offset - last[1] <= gap) last[1] = offset + length;
    else merged.push([offset, offset + length]);
  }
  return merged;
}
