// What the modules of www/ refer to: other modules, workers and files.

import { posix } from "node:path";

// import … from "./x.js" | import "./x.js" | import("./x.js") | new URL("./x", import.meta.url)
const REFERENCE = /(?:\bfrom\s*|\bimport\s*\(?\s*|\bnew URL\(\s*)(["'])(?<path>\.{0,2}\/?[\w./-]+)\1(?<url>\s*,\s*import\.meta\.url)?/g;

/** The paths in www/ that the module at `path`, of that text, refers to. */
export function referencesOf(path, text) {
  const found = [...text.matchAll(REFERENCE)].map(({ groups }) => groups);
  const own = found.filter((groups) => groups.url || groups.path.startsWith(".")); // no module of Node.js
  return own.map((groups) => posix.join(posix.dirname(path), groups.path));
}
