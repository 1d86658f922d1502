// The requests for one file of a web server, and what its answers tell: whether there is such a file, in
// which version, and whether it can be read in pieces.

import { ObscuraError } from "../errors/error.js";
import { explainStatus, unreachable } from "./refusals.js";
import { ChangedError, isSameVersion, lengthOf, versionOf } from "./version.js";

export class Requests {
  /** What identifies this version: {size, etag, modified}, as far as the server tells. */
  validator;
  /** The commit that a hub says the file is of. */
  commit = null;
  /** Whether the file was begun: until then failures are taken for final sooner. */
  hasAnswered = false;
  /** Until an answer ignores one. */
  takesRanges = true;
  /** Whether the server sent a page of its own in place of the file, with status 200. */
  sentPage = false;

  #url;
  #name;
  #headers;
  #transport;
  #whole;
  #retries;
  #ifRange = true; // until a request with it gets no answer: a redirect may lead to a site that refuses it

  /** What RemoteFile is given, complete, and its `retries`, whose end ends every request. */
  constructor(url, { name, headers, transport, expected, whole }, retries) {
    this.#url = url;
    this.#name = name;
    this.#headers = headers;
    this.#transport = transport;
    this.#whole = whole;
    this.#retries = retries;
    this.validator = expected;
  }

  /**
   * One request for the bytes from `start` on: {body, start, size, stop}, or null where there is no
   * such file. `start` of the answer is 0 where the server ignores ranges.
   */
  async ask(start, end = Infinity) {
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
      const patience = this.hasAnswered ? this.#transport.retries : this.#transport.firstRetries;
      throw this.#retries.ended ?? unreachable(this.#url, this.#name, cause, { patience, begun: this.hasAnswered });
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
    if (this.#whole || !this.takesRanges) return headers;
    headers.Range = end === Infinity || end === this.validator?.size ? `bytes=${start}-` : `bytes=${start}-${end - 1}`;
    const { etag, modified } = this.validator ?? {};
    const strong = etag && !etag.startsWith("W/") ? etag : modified;
    if (start > 0 && strong && this.#ifRange && this.#transport.allowsIfRange(this.#url)) headers["If-Range"] = strong;
    return headers;
  }

  #understand(response, start) {
    const { status, headers } = response;
    this.sentPage = isPageInstead(response, this.#url);
    if (status === 404 || status === 410 || this.sentPage) return null;
    if (status === 416) {
      const size = Number(/^bytes \*\/(\d+)$/.exec(headers.get("Content-Range") ?? "")?.[1] ?? Number.NaN);
      if (start > 0 || size > 0) throw new ChangedError(this.#name);
      this.#recognize(headers, 0);
      return { body: new Blob([]).stream(), start: 0, size: 0 };
    }
    if (status !== 200 && status !== 206) {
      const begun = this.hasAnswered; // an address that has expired is asked for anew
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
    if (!ranged && start === 0 && !this.hasAnswered) this.takesRanges = false;
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
