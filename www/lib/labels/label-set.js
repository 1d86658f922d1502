// Label sets: labels with the sentences that they are put into, as the site's own files or anybody's,
// or as the vectors that they became for one model. `obscura labels` and model.embedLabels() write
// the latter, in safetensors format; what is in it is the Rust side's business (tasks/label_vectors.rs),
// here only the labels are read.

import { checkTexts } from "../errors/checks.js";
import { describe } from "../errors/describe.js";
import { ObscuraError } from "../errors/error.js";
import { platform } from "../platform/platform.js";

const LARGEST_HEADER = 100_000_000;
let lastId = 0;

/** See label-set.d.ts. */
export class LabelSet {
  #bytes;
  #id = ++lastId;

  /** @param {ArrayBuffer} [bytes] the file of vectors */
  constructor({ name = "", labels, templates = [], ids = [] }, bytes) {
    checkTexts("labels", labels);
    for (const [field, list] of Object.entries({ templates, ids })) {
      if (list.length > 0) checkTexts(field, list);
    }
    this.name = name;
    this.labels = Object.freeze([...labels]);
    this.templates = Object.freeze([...templates]);
    this.ids = Object.freeze([...ids]);
    this.isEncoded = bytes !== undefined;
    this.#bytes = bytes;
    Object.freeze(this);
  }

  /** The file of vectors, to be kept and given to openLabels() later. */
  toBlob() {
    if (!this.isEncoded) throw new ObscuraError("bad_input", "This label set has no vectors: model.embedLabels() makes them.");
    return new Blob([this.#bytes], { type: "application/octet-stream" });
  }

  /** What the worker wants: `{set}`, or `{file: {id, bytes}}`. */
  static forWorker(labels, { template, templates }) {
    const given = [...(templates ?? []), ...(template === undefined ? [] : [template])];
    if (!(labels instanceof LabelSet)) {
      checkTexts("labels", labels);
      return { set: { labels, templates: given } };
    }
    if (!labels.isEncoded) {
      const { name, ids, labels: texts } = labels;
      return { set: { name, ids, labels: texts, templates: given.length > 0 ? given : labels.templates } };
    }
    if (given.length > 0) {
      const message = "The vectors of this label set were made with templates of their own, which cannot be changed.";
      throw new ObscuraError("bad_input", message);
    }
    return { file: { id: labels.#id, bytes: labels.#bytes } };
  }
}

// Bundlers look for exactly this form of address.
const OWN_SETS = { imagenet: () => new URL("../../labels/imagenet.json", import.meta.url) };
const fetched = new Map();

/** One of obscura's own label sets, fetched when it is first asked for. */
export async function labelSet(name, { signal } = {}) {
  if (!Object.hasOwn(OWN_SETS, name)) {
    const known = Object.keys(OWN_SETS).join(", ");
    throw new ObscuraError("bad_input", `The label set is one of ${known}, not ${describe(name)}. openLabels() opens your own.`);
  }
  if (!fetched.has(name)) fetched.set(name, parse(await fetchBytes(OWN_SETS[name](), signal, `The label set '${name}'`)));
  return fetched.get(name);
}

/** The label set in a file: as JSON, as lines, or with its vectors. */
export async function openLabels(source, { signal } = {}) {
  if (typeof source === "string" || source instanceof URL) {
    const address = new URL(source, platform.base());
    return parse(await fetchBytes(address, signal, `The label file ${address.pathname.split("/").at(-1)}`));
  }
  if (source instanceof Blob) return parse(await source.arrayBuffer());
  if (source instanceof ArrayBuffer) return parse(source.slice(0));
  if (ArrayBuffer.isView(source)) {
    return parse(new Uint8Array(source.buffer, source.byteOffset, source.byteLength).slice().buffer);
  }
  throw new ObscuraError("bad_input", `${describe(source)} is no label file. Give an address, a File, a Blob or its bytes.`);
}

async function fetchBytes(address, signal, what) {
  try {
    const response = await platform.fetch(address, { signal });
    if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`.trim());
    return await response.arrayBuffer();
  } catch (error) {
    if (signal?.aborted) throw new ObscuraError("aborted", "The call was aborted.", { cause: signal.reason });
    throw new ObscuraError("network", `${what} could not be fetched: ${error.message}`, { cause: error });
  }
}

function parse(buffer) {
  const bytes = new Uint8Array(buffer);
  try {
    if (bytes.subarray(0, 8).includes(0)) return parseVectors(buffer);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes).trim();
    if (text.startsWith("{")) return new LabelSet(JSON.parse(text));
    if (text.startsWith("[")) return new LabelSet({ labels: JSON.parse(text) });
    return new LabelSet({ labels: text.split("\n").map((line) => line.trim()) });
  } catch (error) {
    if (error instanceof ObscuraError) throw error;
    throw new ObscuraError("bad_input", `The label file is unusable: ${error.message}`, { cause: error });
  }
}

/** A safetensors file: the length of its header, the header, numbers. */
function parseVectors(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  if (length > LARGEST_HEADER || 8 + length > buffer.byteLength) throw new Error("it is truncated, or no file of labels");
  const header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(buffer, 8, length)));
  const { kind, labels } = header.__metadata__ ?? {};
  if (kind !== "obscura.labels") throw new Error("it is a safetensors file, but not one of labels");
  return new LabelSet(JSON.parse(labels), buffer);
}
