// src/ as a house: the modules that lie side by side in a folder, with all that is below them, do not need
// each other in a circle. What lies in a folder's own mod.rs is everyone's there, and not counted.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { circle } from "./circle.mjs";
import { ROOT } from "./surroundings.mjs";

const SRC = join(ROOT, "src");
const APART = /(^|\/)tests(\/|\.rs$)|^main\.rs$|^cli\//; // the program has modules of its own: below

test("modules of the library do not need each other in a circle", () => {
  const files = rustFiles(SRC).filter((file) => !APART.test(file));
  assert.ok(files.length > 200, "the modules were not found");
  assert.deepEqual(circles(SRC, files), []);
});

test("modules of the program do not need each other in a circle", () => {
  const folder = join(SRC, "cli");
  assert.deepEqual(circles(folder, rustFiles(folder)), []);
});

test("a circle is noticed, in whichever way its paths are written", () => {
  const source = { "a/one.rs": "use super::two::{Two, three::Three};", "a/two.rs": "fn f() { crate::a::one::g() }", "a/mod.rs": "", "b.rs": "use crate::a::one; // use crate::c" };
  assert.deepEqual(circles("", Object.keys(source), (file) => source[file]), ["a: one, two, one"]);
});

test("outside of training products are our own: one of Burn's brings its kernels, a third of the wasm", () => {
  const files = rustFiles(SRC).filter((file) => !/^train\/|^nn\/matmul\.rs$/.test(file));
  const callers = files.filter((file) => readFileSync(join(SRC, file), "utf8").includes(".matmul("));
  assert.deepEqual(callers, []);
});

function rustFiles(folder) {
  const names = readdirSync(folder, { recursive: true }).map((name) => name.replaceAll("\\", "/"));
  return names.filter((name) => name.endsWith(".rs"));
}

/** Each folder's circle, as "FOLDER: MODULE, …". */
function circles(root, files, read = (file) => readFileSync(join(root, file), "utf8")) {
  const modules = new Set(files.map((file) => moduleOf(file).join("/")));
  const needs = new Map(); // folder -> module -> its neighbours that it needs
  for (const file of files) {
    for (const target of pathsIn(read(file), moduleOf(file))) note(needs, modules, moduleOf(file), target);
  }
  const found = [...needs].map(([folder, doors]) => [folder, circle(doors)]).filter(([, round]) => round);
  return found.map(([folder, round]) => `${folder || "src"}: ${round.join(", ")}`);
}

/** Where the two ways part, one neighbour needs the other. */
function note(needs, modules, from, to) {
  const parting = from.findIndex((name, place) => name !== to[place]);
  if (parting < 0 || to[parting] === undefined || !modules.has(to.slice(0, parting + 1).join("/"))) return;
  const folder = from.slice(0, parting).join("/");
  if (!needs.has(folder)) needs.set(folder, new Map());
  const doors = needs.get(folder);
  doors.set(from[parting], (doors.get(from[parting]) ?? new Set()).add(to[parting]));
}

const moduleOf = (file) => file.replace(/(^|\/)(mod|lib)\.rs$/, "").replace(/\.rs$/, "").split("/").filter(Boolean);

/** Every path from `crate`, `super` or `self`, from the crate's root on. */
function* pathsIn(source, module) {
  const code = source.replace(/\/\/.*/g, "").replace(/"(\\.|[^"\\])*"/g, '""');
  for (const [tree] of code.matchAll(/\b(crate|super|self)::[\w:]*(\{[^;]*\})?/g)) {
    for (const path of branches(tree.replace(/\s+/g, ""))) {
      const names = path.split("::");
      const ups = names.findIndex((name) => name !== "super" && name !== "self");
      if (names[0] === "crate") yield names.slice(1);
      else yield [...module.slice(0, module.length - names.filter((name) => name === "super").length), ...names.slice(ups)];
    }
  }
}

/** `a::{b, c::{d, e}}` as `a::b`, `a::c::d`, `a::c::e`. */
function branches(tree) {
  const open = tree.indexOf("{");
  if (open < 0) return [tree];
  const parts = [""];
  let depth = 0;
  for (const letter of tree.slice(open + 1, tree.lastIndexOf("}"))) {
    if (letter === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += letter;
    if (letter === "{") depth++;
    if (letter === "}") depth--;
  }
  return parts.flatMap(branches).map((branch) => tree.slice(0, open) + branch);
}
