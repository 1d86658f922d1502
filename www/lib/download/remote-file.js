// One file of a web server, read in pieces: streamed in order over as few connections as possible,
// resumed where a connection breaks, and never mixed from two versions of the file. Knows neither
// models nor the page; runs in browsers and in Node.js.

import { ObscuraError } from "../errors/error.js";
import { Connection } from "./connection.js";
import { ReadPlan } from "./read-plan.js";
import { Requests } from "./requests.js";
import { Retries } from "./retries.js";
import { Spool } from "./spool.js";
import { ChangedError } from "./version.js";

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
  // ReadPlan says when there are several connections.
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
  /** Bytes that have come over the network. */
  arrived = 0;

  #name;
  #transport;
  #whole;
  #onBytes;
  #requests;
  #exists = null; // null until the server has answered
  #lanes = []; // open connections, each beginning where the one before ends
  #first = null; // the first answer, until a connection takes over its body
  #spool = null; // what of a file without ranges has been kept for reading again
  #handedOut = false;
  #plan;
  #turn = Promise.resolve();
  #expectedSize;
  #retries;

  /**
   * @param {{name?: string, headers?: object, transport?: object, expected?: object, whole?: boolean,
   *   onBytes?: (count: number) => void}} options `expected` is the validator that an earlier session
   *   saw; `whole` asks for the file in one answer, which servers may compress.
   */
  constructor(url, { name = url, headers = {}, transport = {}, expected = null, whole = false, onBytes } = {}) {
    this.#name = name;
    this.#transport = { ...TRANSPORT, ...transport };
    this.#retries = new Retries(this.#transport);
    this.#requests = new Requests(url, { name, headers, transport: this.#transport, expected, whole }, this.#retries);
    this.#plan = new ReadPlan(this.#transport);
    this.#whole = whole;
    this.#onBytes = onBytes ?? (() => {});
    this.#expectedSize = expected?.size ?? null;
  }

  /** What identifies this version: {size, etag, modified}, as far as the server tells. */
  get validator() {
    return this.#requests.validator;
  }

  /** The commit that a hub says the file is of. */
  get commit() {
    return this.#requests.commit;
  }

  /** Whether the server has given something of the file. */
  get isThere() {
    return this.#exists === true;
  }

  /** Whether the server has said that there is no such file. */
  get isMissing() {
    return this.#exists === false;
  }

  /** Whether that was by a page of its own, sent as if it were the file. */
  get sentPage() {
    return this.#requests.sentPage;
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
    const { connections } = this.#plan; // once there are several, there are
    this.#plan = new ReadPlan(this.#transport, ranges, { arrived: this.arrived, connections });
    const last = this.#lanes.at(-1);
    if (this.#requests.takesRanges && last) last.endAt(this.#endOfLane(last.position));
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
    if (!this.#requests.takesRanges) await this.#readWithoutRanges(bytes, offset);
    else await this.#readByRanges(bytes, offset);
    this.#handedOut = true;
    return bytes;
  }

  /** The first request: is there such a file, how long is it, can it be read in pieces? */
  async #begin() {
    const answer = await this.#retries.persist(() => this.#requests.ask(0));
    if (answer === null) return this.#found(false);
    const known = answer.size;
    const countable = known !== null && !this.#whole && (this.#requests.takesRanges || known > this.#transport.smallBytes);
    this.#first = answer;
    if (!countable) {
      this.#requests.takesRanges = false;
      await this.#keepAll(known);
    }
    this.#requests.validator = { ...this.validator, size: countable ? known : this.#spool.length };
    this.#found(true);
  }

  #found(exists) {
    this.#exists = exists;
    this.#requests.hasAnswered = true;
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
      this.#plan.waited(performance.now() - asked);
      filled += count;
      if (this.#plan.widens(this.arrived)) lane.endAt(this.#endOfLane(lane.position));
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

  /** Further connections, for what comes after the last one. */
  #openAhead() {
    while (this.#lanes.length > 0 && this.#lanes.length < this.#plan.connections) {
      const start = this.#plan.next(this.#lanes.at(-1).end);
      if (start === null) return;
      this.#openLane(start, this.#endOfLane(start));
    }
  }

  #endOfLane(offset) {
    return this.#plan.endOf(offset, this.validator.size);
  }

  #openLane(start, end, { mayBeLonger = false } = {}) {
    const { readAhead, segmentBytes } = this.#transport;
    const first = this.#first;
    if (start === 0) this.#first = null;
    const lane = new Connection({
      start,
      end,
      mayBeLonger,
      isWhole: !this.#requests.takesRanges,
      name: this.#name,
      readAhead: this.#plan.connections > 1 ? segmentBytes : readAhead,
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

  async #reopen(from, end) {
    const answer = await this.#requests.ask(from, end);
    if (answer === null) throw new ChangedError(this.#name);
    return answer;
  }
}
