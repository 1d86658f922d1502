// load() in Node.js, where a model may also be a path.

import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ObscuraError } from "../errors/error.js";
import { placed } from "../loading/chosen-files.js";
import { embeddedModel } from "../loading/embedded.js";
import { load as loadSource } from "../model/load.js";
import { DiskFile } from "./disk-file.js";

/** Like the browser's, and a model may be a path; see node.d.ts. */
export async function load(source, options) {
  const settings = { cache: false, ...options }; // there is no browser storage to keep it in
  if (Array.isArray(settings.adapters)) settings.adapters = await Promise.all(settings.adapters.map(fromDisk));
  if (settings.base) settings.base = await fromDisk(settings.base);
  if (source !== undefined && source !== null) return loadSource(await fromDisk(source), settings);
  const embedded = await embeddedModel(settings.signal);
  if (!embedded) return loadSource(source, settings); // which explains what to do
  return loadSource([await DiskFile.open(fileURLToPath(embedded.url))], { sha256: embedded.sha256, ...settings });
}

/** The files of a folder and of those in it, so deep. */
async function filesWithin(folder, name, deep) {
  const entries = await readdir(folder, { withFileTypes: true });
  const files = entries.map(async (entry) => {
    const [path, inside] = [join(folder, entry.name), `${name}/${entry.name}`];
    if (!entry.isDirectory()) return [placed(await DiskFile.open(path), inside)];
    return deep > 0 ? filesWithin(path, inside, deep - 1) : [];
  });
  return (await Promise.all(files)).flat();
}

/** The files at a path; anything else as it is. What exists on the disk is not looked for on the hub. */
async function fromDisk(source) {
  if (typeof source !== "string" && !(source instanceof URL)) return source;
  const isFileAddress = /^file:/.test(source);
  if (!isFileAddress && URL.canParse(source) && !/^[a-z]:[\\/]/i.test(source)) return source;
  const path = isFileAddress ? fileURLToPath(source) : resolve(source);
  const found = await stat(path).catch(() => null);
  if (found?.isFile()) return [await DiskFile.open(path)];
  if (found?.isDirectory()) {
    return filesWithin(path, "model", 1);
  }
  const isPath = isFileAddress || /^(\.{0,2}[\\/]|[a-z]:[\\/])/i.test(source) || String(source).endsWith("/");
  if (isPath) throw new ObscuraError("bad_input", `There is no file or folder ${path}.`);
  return source;
}
