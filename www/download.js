// One file of a web server, read in pieces: streamed in order over as few connections as possible,
// resumed where a connection breaks, and never mixed from two versions of the file. Knows neither
// models nor the page; runs in browsers and in Node.js.

import { ObscuraError } from "./error.js";
import { Connection } from "./connection.js";
import { Spool } from "./spool.js";
import { explainStatus, unreachable } from "./refusal.js";
import { Retries } from "./retry.js";
import { ChangedError, isSameVersion, lengthOf, versionOf } from "./version.js";

/** How patient and how greedy downloads are. Tests make all of it small. */
export const TRANSPORT = Object.freeze({
  retries: 5, // failures in a row before giving up; a failure after real progress counts as the first
  firstRetries: 2, // the same for a file that has never answered: most likely it never will
  progressBytes: 64 << 10, // what counts as real progress
  backoffMs: 500, // doubled with every failure in a row
  maxBackoffMs: 15_000,
  maxRetryAfterMs: 60_000, // a server that wants more patience than this is an error
  stallMs: 30_000, // silence that counts as a broken connection
  readAhead: 8 << 20, // what one connection may be ahead of the reader
  gapBytes: 1 << 20, // unwanted bytes up to this many are read through instead of asking anew
  // Several connections help where a server limits each one, and cost a little where none does. So a
  // large file is begun with one; the others join where it is slow and the reader mostly waits for it.
  connections: 4,
  largeBytes: 64 << 20, // what has to be planned for that
  patienceMs: 2000,
  waitingShare: 0.5,
  ampleSpeed: 40e6, // bytes a second: the weights are not converted much faster anyway
  segmentBytes: 8 << 20, // what each connection fetches at a time where there are several
  smallBytes: 16 << 20, // answers without ranges up to this size are read whole before they are used
  allowsIfRange: () => true, // whether a URL may be sent If-Range: elsewhere it costs a CORS preflight
  fetch: (url, options) => globalThis.fetch(url, options),
});

export class RemoteFile {
  /** What identifies this version: {size, etag, modified}, as far as the server tells. */
  validator = null;
  /** The commit that a hub says the file is of. */
  commit = null;
  /** Bytes that have come over the network. */
  arrived = 0;

  #url;
  #name;
  #headers;
  #transport;
  #whole;
  #onBytes;
  #exists = null; // null until the server has answered
  #ranges = true; // until an answer ignores one
  #ifRange = true; // until a request with it gets no answer: a redirect may lead to a site that refuses it
  #lanes = []; // open connections, each beginning where the one before ends
  #first = null; // the first answer, until a connection takes over its body
  #spool = null; // what of a file without ranges has been kept for reading again
  #handedOut = false;
  #planned = [];
  #connections = 1;
  #mayWiden = false; // to several connections
  #began = 0;
  #waited = 0; // milliseconds since then
  #arrivedBefore = 0;
  #turn = Promise.resolve();
  #expectedSize;
  #retries;

  /**
   * @param {{name?: string, headers?: object, transport?: object, expected?: object, whole?: boolean,
   *   onBytes?: (count: number) => void}} options `expected` is the validator that an earlier session
   *   saw; `whole` asks for the file in one answer, which servers may compress.
   */
  constructor(url, { name = url, headers = {}, transport = {}, expected = null, whole = false, onBytes } = {}) {
    this.#url = url;
    this.#name = name;
    this.#headers = headers;
    this.#transport = { ...TRANSPORT, ...transport };
    this.#retries = new Retries(this.#transport);
    this.#whole = whole;
    this.#onBytes = onBytes ?? (() => {});
    this.validator = expected;
    this.#expectedSize = expected?.size ?? null;
  }

  /** Whether the server has given something of the file. */
  get isThere() {
    return this.#exists === true;
  }

  /** Whether the server has said that there is no such file. */
  get isMissing() {
    return this.#exists === false;
  }

  /** The file's exact length, or null where there is no such file. */
  size() {
    return this.#inTurn(() => this.#size());
  }

  /** Exactly the bytes asked for. */
  read(offset, length) {
    return this.#inTurn(() => this.#read(offset, length));
  }

  /** What will be read from now on, as [offset, length] in order: nothing else is fetched ahead. */
  plan(ranges) {
    this.#planned = mergeRanges(ranges, this.#transport.gapBytes);
    const planned = this.#planned.reduce((sum, [start, end]) => sum + end - start, 0);
    this.#mayWiden = planned >= this.#transport.largeBytes;
    this.#began = performance.now();
    this.#waited = 0;
    this.#arrivedBefore = this.arrived;
    const last = this.#lanes.at(-1);
    if (this.#ranges && last) last.endAt(this.#endOfLane(last.position));
  }

  /** Ends all connections; reads under way reject with `reason`. */
  close(reason = new ObscuraError("aborted", `The download of ${this.#name} was stopped.`)) {
    this.#retries.end(reason);
    this.#closeLanes();
    this.#dropFirst();
    this.#spool = null;
  }

  /** One after the other, in the order asked for. */
  #inTurn(act) {
    const result = this.#turn.then(() => {
      if (this.#retries.ended) throw this.#retries.ended;
      return act();
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  async #size() {
    if (this.#exists === null) await this.#begin();
    return this.#exists ? this.validator.size : null;
  }

  async #read(offset, length) {
    const size = await this.#size();
    if (size === null) throw new ObscuraError("network", `There is no ${this.#name}.`);
    if (offset + length > size) {
      throw new ObscuraError("bad_weights", `${this.#name} has ${size} bytes, but ${length} are needed at ${offset}: it is truncated.`);
    }
    const bytes = new Uint8Array(length);
    if (length === 0) return bytes;
    if (!this.#ranges) await this.#readWithoutRanges(bytes, offset);
    else await this.#readByRanges(bytes, offset);
    this.#handedOut = true;
    return bytes;
  }

  /** The first request: is there such a file, how long is it, can it be read in pieces? */
  async #begin() {
    const answer = await this.#retries.persist(() => this.request(0));
    if (answer === null) {
      this.#exists = false;
      return;
    }
    const known = answer.size;
    const countable = known !== null && !this.#whole && (this.#ranges || known > this.#transport.smallBytes);
    this.#first = answer;
    if (!countable) {
      this.#ranges = false;
      await this.#keepAll(known);
    }
    this.validator = { ...this.validator, size: countable ? known : this.#spool.length };
    this.#exists = true;
  }

  /** Without a trustworthy length the file is read to its end before it is used. */
  async #keepAll(size) {
    this.#spool = new Spool();
    const lane = this.#openLane(0, size ?? Infinity, { mayBeLonger: true });
    for (let chunk; (chunk = await lane.next()) !== null; ) this.#spool.append(chunk);
    if ((this.#expectedSize ?? this.#spool.length) !== this.#spool.length) throw new ChangedError(this.#name);
    this.#closeLanes();
  }

  // --- servers without ranges ------------------------------------------------------------------

  /** In order the file streams past; as soon as somebody wants to go back, it is kept. */
  async #readWithoutRanges(bytes, offset) {
    if (!this.#spool) {
      const position = this.#lanes[0]?.position ?? 0;
      const jumpsFirst = !this.#handedOut && offset > this.#transport.gapBytes;
      if (!jumpsFirst && offset >= position) {
        const lane = this.#lanes[0] ?? this.#openLane(0, this.validator.size);
        await lane.skip(offset - position);
        return lane.fill(bytes);
      }
      if (position > 0) this.#closeLanes();
      this.#spool = new Spool();
    }
    const lane = this.#spool.length < this.validator.size ? (this.#lanes[0] ?? this.#openLane(0, this.validator.size)) : null;
    while (this.#spool.length < offset + bytes.length) this.#spool.append(await lane.next());
    await this.#spool.fill(bytes, offset);
  }

  // --- servers with ranges ---------------------------------------------------------------------

  async #readByRanges(bytes, offset) {
    for (let filled = 0; filled < bytes.length; ) {
      const lane = this.#laneAt(offset + filled);
      await lane.skip(offset + filled - lane.position);
      const count = Math.min(bytes.length - filled, lane.end - lane.position);
      const asked = performance.now();
      await lane.fill(bytes.subarray(filled, filled + count));
      this.#waited += performance.now() - asked;
      filled += count;
      this.#widen(lane);
      this.#openAhead();
    }
  }

  /** The connection that is about to deliver the byte at `offset`; a new one where none is. */
  #laneAt(offset) {
    while (this.#lanes.length > 0 && offset >= this.#lanes[0].end) this.#lanes.shift().close();
    const near = this.#lanes[0];
    if (near && offset >= near.position && offset - near.position <= this.#transport.gapBytes) return near;
    this.#closeLanes();
    const lane = this.#openLane(offset, this.#endOfLane(offset));
    this.#openAhead();
    return lane;
  }

  /** Several connections from now on, if it is the network that everything waits for. */
  #widen(lane) {
    const { patienceMs, waitingShare, ampleSpeed } = this.#transport;
    const passed = performance.now() - this.#began;
    if (!this.#mayWiden || passed < patienceMs || this.#waited < waitingShare * passed) return;
    if (this.arrived - this.#arrivedBefore > (ampleSpeed * passed) / 1000) return;
    this.#mayWiden = false;
    this.#connections = this.#transport.connections;
    lane.endAt(this.#endOfLane(lane.position));
  }

  /** Further connections, for what comes after the last one. */
  #openAhead() {
    while (this.#lanes.length > 0 && this.#lanes.length < this.#connections) {
      const start = this.#nextPlanned(this.#lanes.at(-1).end);
      if (start === null) return;
      this.#openLane(start, this.#endOfLane(start));
    }
  }

  #endOfLane(offset) {
    const run = this.#planned.find(([start, end]) => offset >= start && offset < end);
    const end = run ? run[1] : this.validator.size;
    return run && this.#connections > 1 ? Math.min(end, offset + this.#transport.segmentBytes) : end;
  }

  #nextPlanned(offset) {
    const run = this.#planned.find(([, end]) => offset < end);
    return run ? Math.max(offset, run[0]) : null;
  }

  #openLane(start, end, { mayBeLonger = false } = {}) {
    const { readAhead, segmentBytes } = this.#transport;
    const first = this.#first;
    if (start === 0) this.#first = null;
    const lane = new Connection({
      start,
      end,
      mayBeLonger,
      isWhole: !this.#ranges,
      name: this.#name,
      readAhead: this.#connections > 1 ? segmentBytes : readAhead,
      stallMs: this.#transport.stallMs,
      onArrived: (count) => (this.arrived += count),
      onTaken: this.#onBytes,
      open: async (from, isFirst) => (isFirst && start === 0 && first) || this.#reopen(from, end),
      persist: (act, progress) => this.#retries.persist(act, progress),
    });
    if (start > 0) this.#dropFirst();
    this.#lanes.push(lane);
    return lane;
  }

  #dropFirst() {
    this.#first?.stop?.();
    this.#first = null;
  }

  #closeLanes() {
    for (const lane of this.#lanes.splice(0)) lane.close();
  }

  // --- requests --------------------------------------------------------------------------------

  async #reopen(from, end) {
    const answer = await this.request(from, end);
    if (answer === null) throw new ChangedError(this.#name);
    return answer;
  }

  /**
   * One request for the bytes from `start` on: {body, start, size, stop}, or null where there is no
   * such file. `start` of the answer is 0 where the server ignores ranges.
   */
  async request(start, end = Infinity) {
    const stopper = new AbortController();
    const { fetch } = this.#transport;
    const options = {
      headers: this.#headersFor(start, end),
      signal: stopper.signal,
      cache: "no-store", // what is worth keeping is kept by the cache of models, in another form
      referrerPolicy: "no-referrer",
    };
    const unhook = this.#retries.onEnd(() => stopper.abort());
    let response;
    const stall = setTimeout(() => stopper.abort(new Error("the server did not answer")), this.#transport.stallMs);
    try {
      response = await fetch(this.#url, options);
    } catch (error) {
      unhook();
      if (options.headers["If-Range"]) this.#ifRange = false;
      const cause = stopper.signal.aborted && !this.#retries.ended ? stopper.signal.reason : error;
      const patience = this.#exists === null ? this.#transport.firstRetries : this.#transport.retries;
      throw this.#retries.ended ?? unreachable(this.#url, this.#name, cause, { patience, begun: this.#exists !== null });
    } finally {
      clearTimeout(stall);
    }
    try {
      const answer = this.#understand(response, start);
      if (answer === null) stopper.abort();
      return answer && { ...answer, stop: () => (unhook(), stopper.abort()) };
    } catch (error) {
      unhook();
      stopper.abort(); // nobody reads the body
      throw error;
    }
  }

  #headersFor(start, end) {
    const headers = { ...this.#headers };
    if (this.#whole || !this.#ranges) return headers;
    headers.Range = end === Infinity || end === this.validator?.size ? `bytes=${start}-` : `bytes=${start}-${end - 1}`;
    const { etag, modified } = this.validator ?? {};
    const strong = etag && !etag.startsWith("W/") ? etag : modified;
    if (start > 0 && strong && this.#ifRange && this.#transport.allowsIfRange(this.#url)) headers["If-Range"] = strong;
    return headers;
  }

  #understand(response, start) {
    const { status, headers } = response;
    if (status === 404 || status === 410 || isPageInstead(response, this.#url)) return null;
    if (status === 416) {
      const size = Number(/^bytes \*\/(\d+)$/.exec(headers.get("Content-Range") ?? "")?.[1] ?? Number.NaN);
      if (start > 0 || size > 0) throw new ChangedError(this.#name);
      this.#recognize(headers, 0);
      return { body: new Blob([]).stream(), start: 0, size: 0 };
    }
    if (status !== 200 && status !== 206) {
      const begun = this.#exists !== null; // an address that has expired is asked for anew
      throw explainStatus(response, this.#name, { begun, maxRetryAfterMs: this.#transport.maxRetryAfterMs });
    }
    const ranged = status === 206;
    const range = /^bytes (\d+)-\d*\/(\d+|\*)$/.exec(headers.get("Content-Range") ?? "");
    if (ranged && range && Number(range[1]) !== start) {
      const message = `${this.#name}: the server sent another part of the file than the one asked for.`;
      throw Object.assign(new ObscuraError("network", message), { retriable: true });
    }
    const size = lengthOf(headers, ranged ? start : 0, range);
    this.#recognize(headers, size);
    if (!ranged && start === 0 && this.#exists === null) this.#ranges = false;
    return { body: response.body, start: ranged ? start : 0, size };
  }

  /** Notices another version of the file than the one that was read before. */
  #recognize(headers, size) {
    const found = versionOf(headers, size);
    const known = this.validator;
    const isCompressible = headers.has("Content-Encoding") || this.#whole;
    this.commit ??= headers.get("X-Repo-Commit");
    if (known && !isSameVersion(known, found, isCompressible)) throw new ChangedError(this.#name);
    this.validator = { size: known?.size ?? size, etag: known?.etag ?? found.etag, modified: known?.modified ?? found.modified };
  }

}

/** Servers of single-page applications answer with their page for whatever is missing. */
function isPageInstead(response, url) {
  const type = response.headers.get("Content-Type") ?? "";
  return response.status === 200 && /^text\/html\b/i.test(type) && !/\.html?$/i.test(new URL(url).pathname);
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
