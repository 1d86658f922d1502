// What a page fetches that imports an entry of the library and has a picture described, the model aside: the modules, the
// worker with its own, and one of the engines.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { referencesOf } from "./references.mjs";

const BUNDLED = "lib/engine/bundled-worker.js"; // in place of which worker.js starts where nothing is bundled
const OTHERS = /album-worker\.js$|^(labels|models)\/|\.wasm$/; // fetched when they are used, the wasm once it is chosen

/** @param {"_relaxed" | "_threads" | ""} build which of the engines */
export async function entryFiles(www, entry, build) {
  const isWanted = (path) => !OTHERS.test(path) && (build === "_threads" || !path.endsWith("/thread.js"));
  const files = new Set();
  const collect = async (path) => {
    if (files.has(path)) return;
    files.add(path);
    const others = referencesOf(path, await readFile(join(www, path), "utf8"));
    for (const other of others.filter(isWanted)) await collect(other === BUNDLED ? "lib/engine/worker.js" : other);
  };
  await collect(entry);
  return [...files, `pkg/obscura_wasm${build}_bg.wasm`].sort();
}
