// Models as files: chosen, dropped, in a folder, or as bytes that have no name.

import { ObscuraError } from "../errors/error.js";

/** Where files lie of which the browser does not say it: within a dropped folder, or behind a handle. */
const paths = new WeakMap();

/** The file, remembered to lie there. */
export function placed(file, path) {
  paths.set(file, path);
  return file;
}

/** Files that a model may take from a folder inside its own, such as text_encoder/ or 0_CLIPModel/. */
const INSIDE = /\.(json|txt|safetensors|bin|onnx)$/i;

/** One model file stands for itself; several are a folder in Hugging Face layout. */
export function describeFiles(given, folderName) {
  if (given.length === 0) throw new ObscuraError("bad_input", "There are no files: choose a model's file, or the folder it is in.");
  const stranger = given.find((file) => !(file instanceof Blob));
  if (stranger !== undefined) throw new ObscuraError("bad_input", "A list of files holds File objects only.");
  const files = Object.fromEntries(modelFolder(given));
  const names = Object.keys(files);
  const top = names.filter((name) => !name.includes("/"));
  const single = names.length === 1 ? names[0] : "config.json" in files ? undefined : top.find((name) => /\.gguf$/i.test(name));
  const root = given[0].webkitRelativePath?.split("/")[0];
  const name = single ?? (folderName || root || "the chosen files");
  const dated = given.every((file) => file.lastModified !== undefined);
  const isConverted = single && /\.gguf$/i.test(single); // reading it again costs no more than a copy of it would
  const identity = dated && !isConverted ? JSON.stringify(names.sort().map((file) => [file, files[file].size, files[file].lastModified])) : null;
  return { kind: "local", name, file: single, files, identity };
}

/** [name, file] of those that lie in the uppermost folder, and of what a model may take from the folders in it. */
function modelFolder(given) {
  const pathOf = (file) => paths.get(file) ?? (file.webkitRelativePath || file.name || "model.gguf");
  const located = given.map((file) => [pathOf(file).split("/"), file]);
  const depth = Math.min(...located.map(([path]) => path.length));
  const wanted = located.filter(([path]) => path.length === depth || (path.length === depth + 1 && INSIDE.test(path.at(-1))));
  return wanted.map(([path, file]) => [path.slice(depth - 1).join("/"), file]);
}

/** What a handle of the file system leads to. */
export async function filesOfHandle(handle) {
  if (handle.kind === "file") return [await handle.getFile()];
  return filesWithin(handle, handle.name, 1);
}

/** The files of a folder and of those in it, so deep. */
async function filesWithin(folder, path, deep) {
  const files = [];
  for await (const entry of folder.values()) {
    const name = `${path}/${entry.name}`;
    if (entry.kind === "file") files.push(placed(await entry.getFile(), name));
    else if (deep > 0) files.push(...(await filesWithin(entry, name, deep - 1)));
  }
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
    else if (entry) files.push(...(await insideOf(entry, entry.name, 1)));
  }
  return files;

  /** The files of a dropped folder and of those in it, so deep. */
  async function insideOf(folder, path, deep) {
    const found = [];
    for (const entry of await entriesOf(folder)) {
      const name = `${path}/${entry.name}`;
      if (entry.isFile) found.push(placed(await read(entry), name));
      else if (deep > 0) found.push(...(await insideOf(entry, name, deep - 1)));
    }
    return found;
  }
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
export async function describeBytes(blob) {
  const file = await kindOfBytes(blob);
  return { kind: "local", name: file, file, files: { [file]: blob }, identity: null };
}

async function kindOfBytes(blob) {
  const head = new Uint8Array(await blob.slice(0, 9).arrayBuffer());
  const text = String.fromCharCode(...head);
  if (text.startsWith("PK") || head[0] === 0x80) return "pytorch_model.bin";
  return text[8] === "{" ? "model.safetensors" : "model.gguf";
}
