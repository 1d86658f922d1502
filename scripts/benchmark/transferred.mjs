// What a page's visitor downloads before the first result, the model aside: each peer's wasm and JavaScript,
// compressed with brotli as hosts send it.

import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";

const LEVEL = 9; // the level that servers take for files which they compress once

/** {peer: {wasm, js}} in bytes, of the peers that have such files. */
export async function transferred({ www, bench }, peers) {
  const found = {};
  for (const peer of peers) {
    const files = await filesOf(peer, www, join(bench, "node_modules"));
    if (files.length === 0) continue;
    found[peer.id] = { wasm: 0, js: 0 };
    for (const file of files) found[peer.id][file.endsWith(".wasm") ? "wasm" : "js"] += await compressedSize(file);
  }
  return found;
}

async function filesOf({ runner, options }, www, packages) {
  if (runner === "obscura" && options.library === "/obscura.js") {
    const own = (await readdir(www)).filter((name) => name.endsWith(".js") && !["app.js", "sw.js", "node.js"].includes(name));
    return [...own, "pkg/obscura_wasm.js", "pkg/obscura_wasm_bg.wasm"].map((name) => join(www, name));
  }
  const [flavour, bundle] = options.device === "webgpu" ? [".asyncify", "webgpu"] : ["", "wasm"];
  const engine = (folder) => [`ort.${bundle}.bundle.min.mjs`, `ort-wasm-simd-threaded${flavour}.wasm`].map((name) => join(folder, "onnxruntime-web/dist", name));
  return runner === "ort" ? engine(packages) : [];
}

const sizes = new Map(); // several peers have the same files

async function compressedSize(file) {
  if (sizes.has(file)) return sizes.get(file);
  const compressed = await promisify(brotliCompress)(await readFile(file), { params: { [constants.BROTLI_PARAM_QUALITY]: LEVEL } });
  sizes.set(file, compressed.length);
  return compressed.length;
}
