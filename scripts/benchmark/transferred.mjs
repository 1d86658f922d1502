// What a page's visitor downloads before the first result, the model aside: each peer's wasm and JavaScript,
// compressed with brotli as hosts send it.

import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";

const LEVEL = 9; // the level that servers take for files which they compress once

/** {runner: {wasm, js}} in bytes, of the peers that have such files. */
export async function transferred(root, peers) {
  const found = {};
  for (const runner of new Set(peers.map((peer) => peer.runner))) {
    const files = await filesOf(runner, root);
    if (files.length === 0) continue;
    const sizes = await Promise.all(files.map(async (file) => [file.endsWith(".wasm") ? "wasm" : "js", await compressedSize(file)]));
    found[runner] = { wasm: 0, js: 0 };
    for (const [kind, size] of sizes) found[runner][kind] += size;
  }
  return found;
}

async function filesOf(runner, root) {
  if (runner !== "obscura") return [];
  const www = join(root, "www");
  const own = (await readdir(www)).filter((name) => name.endsWith(".js") && !["app.js", "sw.js", "node.js"].includes(name));
  return [...own, "pkg/obscura_wasm.js", "pkg/obscura_wasm_bg.wasm"].map((name) => join(www, name));
}

async function compressedSize(file) {
  const compressed = await promisify(brotliCompress)(await readFile(file), { params: { [constants.BROTLI_PARAM_QUALITY]: LEVEL } });
  return compressed.length;
}
