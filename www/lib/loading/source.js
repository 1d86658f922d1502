// What a loader reads: {name, file, size(file), read(file, offset, length)}, of a source that
// describe-source.js has described. In the worker.

import { RemoteFile } from "../download/remote-file.js";
import { ChangedError, isSameVersion, versionOf } from "../download/version.js";
import { ObscuraError } from "../errors/error.js";
import { hubAddress, SITE } from "./addresses.js";

const CLIPS_WORDS = "openai/clip-vit-base-patch32/"; // where open_clip's tokenizer is, which its repositories may lack
const TEXT_FILE = /\.(json|txt)$/i; // asked for whole, so that servers may compress them

/**
 * Opens a described source. `expected` is what an earlier session saw of its files; `onBytes(file,
 * count)` is told what arrives.
 */
export function openSource(description, { transport = {}, expected = {}, onBytes = () => {} } = {}) {
  return description.kind === "local" ? new LocalSource(description, onBytes) : new RemoteSource(description, { transport, expected, onBytes });
}

class LocalSource {
  #files;
  #onBytes;
  #closed = null;

  constructor({ name, file, files }, onBytes) {
    this.name = name;
    this.file = file;
    this.#files = files;
    this.#onBytes = onBytes;
  }

  size(file) {
    return Object.hasOwn(this.#files, file) ? this.#files[file].size : null;
  }

  async read(file, offset, length) {
    let bytes;
    try {
      bytes = new Uint8Array(await this.#files[file].slice(offset, offset + length).arrayBuffer());
    } catch (error) {
      throw new ObscuraError("bad_weights", `${file} could not be read: ${error.message} Choose it again.`, { cause: error });
    }
    if (this.#closed) throw this.#closed;
    if (bytes.length !== length) {
      throw new ObscuraError("bad_weights", `${file} has ${this.#files[file].size} bytes, but ${length} are needed at ${offset}: it is truncated.`);
    }
    this.#onBytes(file, length);
    return bytes;
  }

  plan() {}

  notFound() {
    return null;
  }

  validators() {
    return {};
  }

  async isCurrent() {
    return true;
  }

  close(reason) {
    this.#closed ??= reason ?? new ObscuraError("aborted", "The source was closed.");
  }
}

class RemoteSource {
  commit = null;
  #description;
  #options;
  #files = new Map();
  #closed = null;

  constructor(description, options) {
    this.name = description.name;
    this.file = description.file;
    this.part = description.part;
    this.#description = description;
    this.#options = options;
  }

  async size(file) {
    if (!this.#canAddress(file)) return null;
    const remote = this.#open(file);
    try {
      const size = await remote.size();
      if (size !== null) this.#notice(file, remote);
      else if (file === this.file) throw this.notFound();
      return size;
    } catch (error) {
      if (this.#isMissing(file, error)) return null;
      throw error;
    }
  }

  async read(file, offset, length) {
    const remote = this.#open(file);
    const bytes = await remote.read(offset, length);
    this.#notice(file, remote);
    return bytes;
  }

  /** [[file, offset, length], ...] that will be read from now on. */
  plan(ranges) {
    for (const file of new Set(ranges.map(([file]) => file))) {
      this.#open(file).plan(ranges.filter(([other]) => other === file).map(([, offset, length]) => [offset, length]));
    }
  }

  /** Why there is no model, where the server had none of the files that were asked for; else null. */
  notFound() {
    const remotes = [...this.#files.values()];
    if (remotes.length === 0 || !remotes.every((remote) => remote.isMissing)) return null;
    const { hub, address } = this.#description;
    const where = hub ? `'${this.name}' in its revision '${hub.revision}' on ${hub.host}` : address;
    const advice = hub ? "Check the name and the revision. A private model wants your access token: load(id, { hub: { token } })." : "Check the address.";
    const page = [...this.#files].find(([, remote]) => remote.sentPage)?.[0];
    const asked = page === undefined || page === this.file ? "" : ` for ${this.#addressOf(page)}`;
    const answer = page === undefined ? "the server answered 404" : `the server sent a web page instead${asked}, with status 200`;
    return new ObscuraError("network", `There is no model at ${where}: ${answer}. ${advice}`);
  }

  /** What identifies the versions of the files that are there. */
  validators() {
    return Object.fromEntries([...this.#files].filter(([, remote]) => remote.isThere).map(([file, remote]) => [file, remote.validator]));
  }

  /**
   * Whether the files are still those of `validators`: one request on a hub that tells its commit,
   * else one a file. null where the server cannot be asked.
   */
  async isCurrent(validators, commit, patienceMs = 5000) {
    if (this.#description.immutable) return true;
    const names = Object.keys(validators);
    const first = names.find((file) => file === "config.json") ?? names[0];
    if (first === undefined) return null;
    const answer = await this.#head(first, patienceMs);
    if (answer === null) return null;
    if (commit && answer.commit === commit) return true;
    const others = names.filter((file) => file !== first);
    const answers = [answer, ...(await Promise.all(others.map((file) => this.#head(file, patienceMs))))];
    if (answers.includes(null)) return null;
    return [first, ...others].every((file, index) => isSameVersion(validators[file], answers[index], TEXT_FILE.test(file)));
  }

  close(reason = new ObscuraError("aborted", "The source was closed.")) {
    this.#closed ??= reason;
    for (const remote of this.#files.values()) remote.close(reason);
  }

  async #head(file, patienceMs) {
    const stopper = new AbortController();
    const timer = setTimeout(() => stopper.abort(), patienceMs);
    const fetch = this.#options.transport.fetch ?? globalThis.fetch;
    try {
      const options = { method: "HEAD", headers: this.#headers(), signal: stopper.signal, cache: "no-store", referrerPolicy: "no-referrer" };
      const { ok, headers } = await fetch(this.#addressOf(file), options);
      if (!ok) return null;
      const length = headers.get("Content-Length");
      const size = length === null || headers.has("Content-Encoding") ? null : Number(length);
      return { ...versionOf(headers, size), commit: headers.get("X-Repo-Commit") };
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  #open(file) {
    let remote = this.#files.get(file);
    if (!remote) {
      const { transport, expected, onBytes } = this.#options;
      remote = new RemoteFile(this.#addressOf(file), {
        name: file === this.name ? file : `${file} of ${this.name}`,
        headers: this.#headers(),
        transport,
        expected: Object.hasOwn(expected, file) ? expected[file] : null,
        whole: TEXT_FILE.test(file),
        onBytes: (count) => onBytes(file, count),
      });
      if (this.#closed) remote.close(this.#closed);
      this.#files.set(file, remote);
    }
    return remote;
  }

  /** All files of a model are of one commit: a push in the middle of a load mixes two otherwise. */
  #notice(file, remote) {
    if (!remote.commit || file.startsWith(CLIPS_WORDS)) return;
    this.commit ??= remote.commit;
    if (this.commit !== remote.commit) throw new ChangedError(this.name);
  }

  /** Some servers say "forbidden" of what is not there, and do not know a file's neighbours. */
  #isMissing(file, error) {
    if (error.status !== 403 && error.status !== 401) return false;
    if (this.file !== undefined && file !== this.file) return true;
    return [...this.#files.values()].some((remote) => remote.isThere);
  }

  /** What is held in the browser, blob: and data:, has no neighbours. */
  #canAddress(file) {
    const { hub, address } = this.#description;
    if (!hub && file.startsWith(CLIPS_WORDS)) return false;
    return file === this.file || address === undefined || SITE.test(address);
  }

  #addressOf(file) {
    const { hub, address } = this.#description;
    if (hub && file.startsWith(CLIPS_WORDS)) {
      return hubAddress({ ...hub, id: CLIPS_WORDS.slice(0, -1), revision: "main" }, file.slice(CLIPS_WORDS.length));
    }
    if (hub) return hubAddress(hub, file);
    if (file === this.file) return address;
    const url = new URL(address);
    if (this.file !== undefined) url.search = ""; // what signs one file's address does not sign another's
    url.pathname = url.pathname.replace(/[^/]*$/, "") + file.split("/").map(encodeURIComponent).join("/");
    return url.href;
  }

  /** The token is the hub's: browsers drop it where an answer redirects to another site. */
  #headers() {
    const { token } = this.#description;
    return token ? { Authorization: `Bearer ${token}` } : {};
  }
}
