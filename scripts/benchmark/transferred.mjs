// What a page's visitor downloads before the first result, the model aside: each peer's wasm and JavaScript,
// compressed with brotli as hosts send it.

import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";

/** {peer: {wasm, js}} in bytes, of the peers that have such files. 9 is the level that many servers take. */
export async function transferred({ www, bench }, peers, level = 9) {
  const found = {};
  for (const peer of peers) {
    const files = (await filesOf(peer, www, bench)).filter((file) => existsSync(file));
    if (files.length === 0) continue;
    found[peer.id] = { wasm: 0, js: 0 };
    for (const file of files) found[peer.id][file.endsWith(".wasm") ? "wasm" : "js"] += await compressedSize(file, level);
  }
  return found;
}

async function filesOf({ runner, options }, www, bench) {
  if (runner === "obscura" && options.library === "/obscura.js") {
    const rooms = (await readdir(join(www, "lib"), { recursive: true })).filter((name) => name.endsWith(".js") && !/^(elements|node)\b/.test(name));
    const own = ["obscura.js", ...rooms.map((name) => join("lib", name))];
    const relaxed = existsSync(join(www, "pkg/obscura_wasm_relaxed_bg.wasm")); // which Chromium takes; older builds had one engine
    const build = options.threads > 1 ? "_threads" : relaxed ? "_relaxed" : "";
    const built = [...new Set(["obscura_wasm.js", "obscura_wasm_relaxed.js", `obscura_wasm${build}.js`]), `obscura_wasm${build}_bg.wasm`];
    return [...own, ...built.map((name) => `pkg/${name}`)].map((name) => join(www, name));
  }
  if (runner === "candle") return ["benchmark_candle.js", "benchmark_candle_bg.wasm"].map((name) => join(bench, "candle/pkg", name));
  const packages = join(bench, "node_modules");
  if (runner === "transformersjs") {
    const folder = join(packages, "@huggingface/transformers");
    return ["dist/transformers.min.js", "node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.wasm"].map((name) => join(folder, name));
  }
  const [flavour, bundle] = options.device === "webgpu" ? [".asyncify", "webgpu"] : ["", "wasm"];
  const engine = (folder) => [`ort.${bundle}.bundle.min.mjs`, `ort-wasm-simd-threaded${flavour}.wasm`].map((name) => join(folder, "onnxruntime-web/dist", name));
  return runner === "ort" ? engine(packages) : [];
}

const sizes = new Map(); // several peers have the same files

async function compressedSize(file, level) {
  const key = `${level} ${file}`;
  if (sizes.has(key)) return sizes.get(key);
  const compressed = await promisify(brotliCompress)(await readFile(file), { params: { [constants.BROTLI_PARAM_QUALITY]: level } });
  sizes.set(key, compressed.length);
  return compressed.length;
}
