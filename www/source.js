// What people call a model, and what a loader reads: an address, a name on a hub, files, or bytes.
// `describeSource` says on the page's thread which it is, as a plain object that can be sent to the
// worker; there `openSource` makes {name, file, size(file), read(file, offset, length)} of it.

import { ObscuraError } from "./error.js";
import { RemoteFile } from "./download.js";
import { ChangedError, isSameVersion, versionOf } from "./version.js";

const HUB = { host: "https://huggingface.co", template: "{host}/{id}/resolve/{revision}/{file}" };
const HUB_ID = /^[\w-][\w.-]*\/[\w-][\w.-]*$/;
const MODEL_FILE = /\.(gguf|safetensors|bin|pth|pt)$/i;
const TEXT_FILE = /\.(json|txt)$/i; // asked for whole, so that servers may compress them
const SITE = /^(https?|[a-z-]+-extension):/; // sites, and browser extensions, whose files have addresses, too
const COMMIT = /^[0-9a-f]{40}$/;

// --- on the page -----------------------------------------------------------------------------

/**
 * A plain description of a model's source:
 * remote {kind: "remote", name, file?, address | hub, token?, identity, immutable} or
 * local {kind: "local", name, file?, files: {[name]: Blob}, identity | null}.
 */
export async function describeSource(source, { revision, hub, base } = {}) {
  if (typeof source === "string" || source instanceof URL) return describeAddress(String(source).trim(), { revision, hub, base });
  if (revision) throw new ObscuraError("bad_input", "revision is for models on the hub: files and bytes have none.");
  if (source instanceof Blob) return describeFiles([source]);
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    const blob = new Blob([source]);
    const file = await kindOfBytes(blob);
    return { kind: "local", name: file, file, files: { [file]: blob }, identity: null };
  }
  if (source?.kind === "directory" || source?.kind === "file") return describeFiles(await filesOfHandle(source), source.name);
  if (source?.[Symbol.iterator]) return describeFiles([...source]);
  const message = "A model is an address, a hub id such as 'owner/name', a file or files, a folder's handle, or bytes.";
  throw new ObscuraError("bad_input", message);
}

function describeAddress(address, { revision, hub, base }) {
  const settings = checkHub(hub);
  const page = parseHubPage(address, settings.host);
  if (page) address = page.id ?? page.address;
  if (HUB_ID.test(address) && !MODEL_FILE.test(address)) {
    const wanted = revision ?? page?.revision ?? "main";
    const described = { id: address, revision: wanted, host: settings.host, template: settings.template };
    return {
      kind: "remote",
      name: address,
      hub: described,
      token: settings.token,
      identity: hubAddress(described, ""),
      immutable: COMMIT.test(wanted),
    };
  }
  if (revision) throw new ObscuraError("bad_input", `revision is for models on the hub: '${address}' is an address, which names its own.`);
  let url;
  try {
    url = new URL(address, base);
  } catch (error) {
    throw new ObscuraError("bad_input", `'${address}' is neither an address nor a hub id such as 'owner/name'.`, { cause: error });
  }
  const isHeldHere = /^(blob|data):$/.test(url.protocol);
  if (!isHeldHere && !SITE.test(url.href)) {
    throw new ObscuraError("bad_input", `'${address}' cannot be fetched: an address begins with https:// or http://.`);
  }
  url.hash = "";
  const file = MODEL_FILE.test(url.pathname) ? decodeURIComponent(url.pathname.split("/").pop()) : undefined;
  if (!file && !isHeldHere && !url.pathname.endsWith("/")) url.pathname += "/";
  const isOnHub = url.origin === new URL(settings.host).origin;
  const immutable = isOnHub && /\/resolve\/[0-9a-f]{40}\//.test(url.pathname);
  return {
    kind: "remote",
    name: address,
    file: file ?? (isHeldHere ? "model.gguf" : undefined),
    address: url.href,
    token: isOnHub ? settings.token : undefined,
    identity: isHeldHere ? null : url.href,
    immutable,
  };
}

function checkHub(hub = {}) {
  const { host = HUB.host, template = HUB.template, token, ...unknown } = hub;
  const stranger = Object.keys(unknown)[0];
  if (stranger !== undefined) throw new ObscuraError("bad_input", `hub has no setting '${stranger}'. It has host, template, token.`);
  for (const [name, value] of Object.entries({ host, template, token: token ?? "" })) {
    if (typeof value !== "string") throw new ObscuraError("bad_input", `hub.${name} is a text.`);
  }
  if (!URL.canParse(host)) throw new ObscuraError("bad_input", `hub.host is an address such as ${HUB.host}, not '${host}'.`);
  if (!template.includes("{id}") || !template.includes("{file}")) {
    throw new ObscuraError("bad_input", `hub.template needs {id} and {file}, as in ${HUB.template}.`);
  }
  return { host: host.replace(/\/+$/, ""), template, token: token || undefined };
}

/** A model's page on the hub, as copied from the browser's address bar: {id, revision} or {address} of a file. */
function parseHubPage(address, host) {
  if (!address.startsWith(`${host}/`)) return null;
  const path = address.slice(host.length + 1).split(/[?#]/, 1)[0];
  const page = /^([^/]+\/[^/]+)(?:\/tree\/([^/]+))?\/?$/.exec(path);
  if (page && HUB_ID.test(page[1])) return { id: page[1], revision: page[2] && decodeURIComponent(page[2]) };
  if (/^[^/]+\/[^/]+\/blob\//.test(path)) return { address: `${host}/${path.replace("/blob/", "/resolve/")}` };
  return null;
}

function hubAddress({ host, template, id, revision }, file) {
  const parts = { host, id, revision: encodeURIComponent(revision), file: file.split("/").map(encodeURIComponent).join("/") };
  return template.replace(/\{(host|id|revision|file)\}/g, (_, name) => parts[name]);
}

/** One model file stands for itself; several are a folder in Hugging Face layout. */
function describeFiles(given, folderName) {
  if (given.length === 0) throw new ObscuraError("bad_input", "There are no files: choose a model's file, or the folder it is in.");
  const stranger = given.find((file) => !(file instanceof Blob));
  if (stranger !== undefined) throw new ObscuraError("bad_input", "A list of files holds File objects only.");
  const files = Object.fromEntries(topFolder(given));
  const names = Object.keys(files);
  const single = names.length === 1 ? names[0] : "config.json" in files ? undefined : names.find((name) => /\.gguf$/i.test(name));
  const root = given[0].webkitRelativePath?.split("/")[0];
  const name = single ?? (folderName || root || "the chosen files");
  const dated = given.every((file) => file.lastModified !== undefined);
  const isConverted = single && /\.gguf$/i.test(single); // reading it again costs no more than a copy of it would
  const identity = dated && !isConverted ? JSON.stringify(names.sort().map((file) => [file, files[file].size, files[file].lastModified])) : null;
  return { kind: "local", name, file: single, files, identity };
}

/** [name, file] of those that lie in the uppermost folder; a folder chosen whole has subfolders, too. */
function topFolder(given) {
  const paths = given.map((file) => file.webkitRelativePath || file.name || "model.gguf");
  const depth = Math.min(...paths.map((path) => path.split("/").length));
  const located = given.map((file, index) => [paths[index].split("/"), file]);
  return located.filter(([path]) => path.length === depth).map(([path, file]) => [path.at(-1), file]);
}

async function filesOfHandle(handle) {
  if (handle.kind === "file") return [await handle.getFile()];
  const files = [];
  for await (const entry of handle.values()) if (entry.kind === "file") files.push(await entry.getFile());
  return files;
}

/**
 * The files of a drop or a paste, those of dropped folders among them. Call it inside the event:
 * afterwards the browser has forgotten them.
 */
export async function droppedFiles(transfer) {
  const items = [...(transfer?.items ?? [])].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null);
  const plain = [...(transfer?.files ?? [])];
  if (!entries.some((entry) => entry?.isDirectory)) return plain;
  const read = (entry) => new Promise((found, failed) => (entry.isFile ? entry.file(found, failed) : failed(new Error("not a file"))));
  const files = [];
  for (const entry of entries) {
    if (entry?.isFile) files.push(await read(entry));
    else if (entry) for (const inside of await entriesOf(entry)) if (inside.isFile) files.push(await read(inside));
  }
  return files;
}

/** Folders are told in portions, until an empty one. */
async function entriesOf(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    const portion = await new Promise((read, failed) => reader.readEntries(read, failed));
    if (portion.length === 0) return found;
    found.push(...portion);
  }
}

/** Bytes have no name: their beginning says what they are. */
async function kindOfBytes(blob) {
  const head = new Uint8Array(await blob.slice(0, 9).arrayBuffer());
  const text = String.fromCharCode(...head);
  if (text.startsWith("PK")) return "pytorch_model.bin";
  return text[8] === "{" ? "model.safetensors" : "model.gguf";
}

// --- in the worker ---------------------------------------------------------------------------

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
    return new ObscuraError("network", `There is no model at ${where}: the server answered 404. ${advice}`);
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
    if (!remote.commit) return;
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
    const { address } = this.#description;
    return file === this.file || address === undefined || SITE.test(address);
  }

  #addressOf(file) {
    const { hub, address } = this.#description;
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
