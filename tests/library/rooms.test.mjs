// www/ as a house: the public modules and the page lie at the top, everything else in rooms. An import leads
// down, to a room below, or sideways, to a neighbour; never up, and never round in a circle.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { circle } from "./circle.mjs";

const WWW = fileURLToPath(new URL("../../www/", import.meta.url));
const BUILT = "pkg"; // made by wasm-bindgen, and not always there
const PAGE = ["app.js", "sw.js"];

// import … from "./x.js", export … from "./x.js", import "./x.js", import("./x.js"), new Worker(new URL("./x.js", …))
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*|\bnew Worker\(\s*new URL\(\s*)"(\.[^"]+)"/g;

const files = readdirSync(WWW, { recursive: true })
  .map((name) => name.replaceAll("\\", "/"))
  .filter((name) => /\.(js|ts)$/.test(name) && !name.startsWith(`${BUILT}/`));
const imports = files.flatMap((from) => importsOf(from).map((to) => ({ from, to })));

test("an import leads down or sideways, never up", () => {
  assert.ok(imports.length > 100, "the imports were not found");
  const upward = imports.filter(({ from, to }) => leadsUp(from, to)).map(({ from, to }) => `${from} imports ${to}`);
  assert.deepEqual(upward, []);
});

test("what is imported is there", () => {
  const isThere = (from, to) => files.includes(to) || (from.endsWith(".d.ts") && files.includes(to.replace(/\.js$/, ".d.ts")));
  const missing = imports.filter(({ from, to }) => !to.startsWith(`${BUILT}/`) && !isThere(from, to));
  assert.deepEqual(missing, []);
});

test("rooms do not need each other in a circle", () => {
  const doors = new Map();
  for (const { from, to } of imports) {
    const [room, other] = [from, to].map(posix.dirname);
    if (room !== other) doors.set(room, (doors.get(room) ?? new Set()).add(other));
  }
  assert.deepEqual(circle(doors), null);
});

test("at the top there is only what people import by name, and the page's beginning", () => {
  const { exports } = JSON.parse(readFileSync(join(WWW, "package.json"), "utf8"));
  const named = Object.values(exports).flatMap(targetsOf).map((target) => posix.normalize(target));
  const atTop = files.filter((name) => !name.includes("/"));
  assert.deepEqual(atTop.filter((name) => !named.includes(name) && !PAGE.includes(name)), []);
});

test("the rules notice what they are against", () => {
  assert.ok(leadsUp("lib/a/x.js", "obscura.js"));
  assert.ok(leadsUp("page/x.js", "app.js"));
  assert.ok(leadsUp("lib/a/x.js", "lib/y.js"));
  for (const to of ["lib/a/y.js", "lib/b/y.js", "pkg/y.js", "lib/a/inner/y.js"]) assert.ok(!leadsUp("lib/a/x.js", to), to);
  assert.deepEqual(circle(new Map([["a", ["b"]], ["b", ["c"]], ["c", ["b"]]])), ["b", "c", "b"]);
});

/** Into a folder that the importer's own folder lies in. */
function leadsUp(from, to) {
  const [room, other] = [from, to].map(dirname);
  return room !== other && (other === "." || room.startsWith(`${other}/`));
}

function importsOf(file) {
  const text = readFileSync(join(WWW, file), "utf8");
  return [...text.matchAll(IMPORT)].map(([, path]) => posix.join(posix.dirname(file), path));
}

function targetsOf(target) {
  return typeof target === "string" ? [target] : Object.values(target).flatMap(targetsOf);
}
