// Fails if what a visitor downloads, the model aside, is larger than it may be: node scripts/build/check-size.mjs

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress } from "node:zlib";
import { entryFiles } from "./entry-files.mjs";

const BUDGET = 2_800_000; // bytes of wasm and JavaScript, as brotli
const ENTRIES = ["obscura.js", "alt.js", "element.js"];
const ENGINES = { "both devices": "_relaxed", "the CPU, with threads": "_threads" };
const www = fileURLToPath(new URL("../../www/", import.meta.url));

const sizes = new Map(); // entries share most files
async function compressedSize(file) {
  if (!sizes.has(file)) sizes.set(file, (await promisify(brotliCompress)(await readFile(join(www, file)))).length); // as hosts of files do it: once, and well
  return sizes.get(file);
}

/** Of the files of one kind together. */
async function sizeOf(files, ending) {
  let sum = 0;
  for (const file of files.filter((name) => name.endsWith(ending))) sum += await compressedSize(file);
  return sum;
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;
for (const entry of ENTRIES) {
  for (const [name, build] of Object.entries(ENGINES)) {
    if (!(await stat(join(www, `pkg/obscura_wasm${build}_bg.wasm`)).catch(() => null))) continue; // there is no build with threads
    const files = await entryFiles(www, entry, build);
    const [wasm, js] = [await sizeOf(files, ".wasm"), await sizeOf(files, ".js")];
    console.log(`${entry}, ${name}: wasm ${megabytes(wasm)} and JavaScript ${megabytes(js)} in ${files.length} files as brotli, of ${megabytes(BUDGET)}`);
    if (wasm + js <= BUDGET) continue;
    console.error("that is too much: scripts/build/leave-out.mjs says how Burn's unused parts stay out");
    process.exitCode = 1;
  }
}
