// A model and the adapters that are merged into it, as one source: the model's files have their own names,
// an adapter's begin with the adapter's name and a slash. An adapter in place of the model is found out
// here, and so is its base. In the worker.

import { ObscuraError } from "../errors/error.js";
import { HUB_ID } from "./addresses.js";
import { describeSource } from "./describe-source.js";
import { openSource } from "./source.js";

const CONFIG = "adapter_config.json";
const WEIGHTS = /^adapter_model\.(safetensors|bin)$/;
const DEEPEST = 8; // adapters of adapters that are believed

/**
 * Opens a described model: `description` is describe-source's, and may have `adapters`, `base` (the same of others) and
 * `settings`, `{hub}`, by which names of bases are found. `options` are those of openSource.
 */
export function openModel(description, options) {
  return new AdaptedSource(description, options);
}

/** What tells a model from others: of itself, its adapters and the base that is asked for. null if something does not. */
export function identityOf({ identity, adapters = [], base }) {
  const others = [...adapters, ...(base ? [base] : [])].map((other) => other.identity);
  if ([identity, ...others].includes(null)) return null;
  return others.length === 0 ? identity : [identity, adapters.map((adapter) => adapter.identity), base?.identity ?? null];
}

class AdaptedSource {
  #description;
  #options;
  #model; // the part that the description itself names
  #base; // the part that has the model's files, once that is known
  #parts = new Map(); // adapters by their names, those that were given last
  #resolved = null;
  #closed = null;

  constructor(description, options) {
    this.#description = description;
    this.#options = options;
    this.#model = this.#open(description, () => this.#prefixOf(this.#model), this.#expectedOfModel());
    this.#base = this.#model;
    for (const adapter of description.adapters ?? []) this.#add(adapter);
  }

  get name() {
    return this.#description.name;
  }

  /** The model's only file, if it has but one. */
  get file() {
    return this.#base.file;
  }

  /** The commits of what is on a hub: the model's alone, or all of them. */
  get commit() {
    if (this.#parts.size === 0) return this.#model.commit ?? null;
    return Object.fromEntries([["", this.#base], ...this.#parts].map(([name, { commit }]) => [name, commit ?? null]));
  }

  /** The adapters' names in the order in which they are merged. Finds out what the model is. */
  async adapters() {
    this.#resolved ??= this.#resolve();
    await this.#resolved;
    return [...this.#parts.keys()];
  }

  async size(file) {
    await this.adapters();
    const [part, own] = this.#find(file);
    return part.size(own);
  }

  async read(file, offset, length) {
    await this.adapters();
    const [part, own] = this.#find(file);
    return part.read(own, offset, length);
  }

  plan(ranges) {
    for (const part of [this.#base, ...this.#parts.values()]) {
      const own = ranges.filter(([file]) => this.#find(file)[0] === part);
      if (own.length > 0) part.plan(own.map(([file, ...range]) => [this.#find(file)[1], ...range]));
    }
  }

  notFound() {
    for (const part of new Set([this.#model, this.#base, ...this.#parts.values()])) {
      const reason = part.notFound();
      if (reason) return reason;
    }
    return null;
  }

  validators() {
    const named = [["", this.#base], ...this.#parts].map(([name, part]) => prefixed(part.validators(), name && `${name}/`));
    return Object.assign({}, ...named);
  }

  /** As of one source; null also where an adapter's base cannot be asked for. */
  async isCurrent(validators, commit) {
    const wasAdapter = Object.keys(validators).some((file) => file.startsWith(`${folderName(this.name)}/`));
    if (wasAdapter) {
      const known = await this.adapters().then(() => true, () => false);
      if (!known) return null;
    }
    if (this.#parts.size === 0) return this.#model.isCurrent(validators, commit);
    const asked = [["", this.#base], ...this.#parts].map(([name, part]) => {
      const own = Object.entries(validators).filter(([file]) => this.#find(file)[0] === part);
      return part.isCurrent(Object.fromEntries(own.map(([file, value]) => [this.#find(file)[1], value])), commit?.[name]);
    });
    const answers = await Promise.all(asked);
    if (answers.includes(false)) return false;
    return answers.includes(null) ? null : true;
  }

  close(reason) {
    this.#closed = reason ?? new ObscuraError("aborted", "The source was closed.");
    for (const part of new Set([this.#model, this.#base, ...this.#parts.values()])) part.close(reason);
  }

  /** The part that has a file, and what the file is called there. */
  #find(file) {
    for (const [name, part] of this.#parts) {
      if (file.startsWith(`${name}/`)) return [part, file.slice(name.length + 1)];
    }
    return [this.#base, file];
  }

  #open(description, prefix, expected) {
    const { transport, onBytes = () => {} } = this.#options;
    const part = openSource(description, { transport, expected, onBytes: (file, count) => onBytes(prefix() + file, count) });
    if (this.#closed) part.close(this.#closed);
    return part;
  }

  /** What an earlier session saw of the files whose names begin with that. */
  #expected(prefix) {
    const files = Object.entries(this.#options.expected ?? {}).filter(([file]) => file.startsWith(prefix));
    return Object.fromEntries(files.map(([file, value]) => [file.slice(prefix.length), value]));
  }

  /** The same of the model, which may have turned out to be an adapter. */
  #expectedOfModel() {
    const asAdapter = this.#expected(`${folderName(this.name)}/`);
    return Object.keys(asAdapter).length > 0 ? asAdapter : this.#expected("");
  }

  #prefixOf(part) {
    for (const [name, other] of this.#parts) if (other === part) return `${name}/`;
    return "";
  }

  #add(description) {
    const name = freeName(folderName(description.name), this.#parts);
    this.#parts.set(name, this.#open(description, () => `${name}/`, this.#expected(`${name}/`)));
  }

  /** While there is an adapter where a model is wanted, its base is what is wanted. */
  async #resolve() {
    let description = this.#description;
    let { base } = description;
    const given = [...this.#parts];
    const alone = [];
    for (let text; (text = await configOfAdapter(this.#base, description)) !== null; ) {
      if (alone.length === DEEPEST) throw new ObscuraError("bad_input", `${this.name}: adapters name each other as their base.`);
      alone.unshift([freeName(folderName(description.name), new Map([...given, ...alone])), this.#base]);
      this.#parts = new Map([...alone, ...given]);
      description = base ?? (await describeBase(text, description, this.#description));
      base = undefined;
      const next = this.#open(description, () => this.#prefixOf(next), this.#expected(""));
      this.#base = next;
    }
    if (base) {
      throw new ObscuraError("bad_input", `base is the model that an adapter was made for, but ${this.name} is a whole model: give its adapters as adapters.`);
    }
  }
}

/** The configuration of an adapter that is there instead of a model; null of a model. */
async function configOfAdapter(source, { file, hub }) {
  if (file !== undefined && !WEIGHTS.test(file)) return null;
  const hasModel = file === undefined && (await source.size("config.json")) !== null;
  const size = await source.size(CONFIG);
  if (size === null && file === undefined) return null;
  if (size === null) throw new ObscuraError("bad_input", `${file} holds the weights of an adapter, but there is no ${CONFIG} beside it: choose the adapter's folder.`);
  const text = new TextDecoder().decode(await source.read(CONFIG, 0, size));
  // On a hub the reference takes the base that the adapter names, whatever lies beside the adapter.
  const isOfAnother = hub !== undefined && (fieldsOf(text).base_model_name_or_path ?? hub.id) !== hub.id;
  return hasModel && !isOfAnother ? null : text;
}

/** What an adapter says of its base; the engine will say what is wrong with the rest. */
async function describeBase(text, { name }, { settings }) {
  const { base_model_name_or_path: base, revision } = fieldsOf(text);
  const advice = "Name it: load(adapter, { base: \"owner/name\" }).";
  if (!base) throw new ObscuraError("bad_input", `${name} is an adapter that does not say what model it was made for. ${advice}`);
  if (!HUB_ID.test(base) && !/^https?:/.test(base)) {
    throw new ObscuraError("bad_input", `${name} is an adapter for '${base}', which is no name on a hub. ${advice}`);
  }
  const isOnHub = HUB_ID.test(base);
  return describeSource(base, { ...settings, revision: isOnHub ? (revision ?? undefined) : undefined });
}

function fieldsOf(text) {
  try {
    const fields = JSON.parse(text);
    return fields && typeof fields === "object" ? fields : {};
  } catch {
    return {};
  }
}

/** What the files of an adapter of that name begin with, less the slash. */
function folderName(name) {
  return name.replace(/[/\\]+$/, "");
}

function freeName(name, taken) {
  let free = name;
  for (let number = 2; taken.has(free); number++) free = `${name} (${number})`;
  return free;
}

function prefixed(files, prefix) {
  return Object.fromEntries(Object.entries(files).map(([file, value]) => [prefix + file, value]));
}
