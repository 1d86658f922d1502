// The declarations (.d.ts) beside the modules that they describe: TypeScript compares the two, so that neither
// says what the other does not. Names, methods, options and the words that options take are compared;
// what a call's result holds is for the tests that make the call.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Album, ALBUM_OPTIONS, SEARCH_OPTIONS } from "../../www/lib/album/album.js";
import { ERROR_CODES } from "../../www/lib/errors/error.js";
import { Model } from "../../www/lib/model/model.js";
import { CALL_OPTIONS, DEVICES, DTYPES, GREY16, PRECISIONS, SCORES, TASKS } from "../../www/lib/model/options.js";
import { WHOLE_TEST, WWW } from "./surroundings.mjs";

const TSC = fileURLToPath(new URL("./node_modules/typescript/bin/tsc", import.meta.url));
const MODULES = ["obscura", "element", "alt", "tools", "node", "same-thread"];

/** Which options each call is declared with. */
const OPTION_TYPES = {
  load: "LoadOptions",
  compare: "CompareOptions",
  caption: "CaptionOptions",
  classify: "ClassifyOptions",
  embedLabels: "TemplateOptions",
  filter: "FilterOptions",
  decode: "DecodeOptions",
  embed: "EmbedOptions",
  embedTokens: "TokenStatesOptions",
  match: "MatchOptions",
  rank: "CallOptions",
  identity: "CallOptions",
  gauge: "CallOptions",
  answer: "AnswerOptions",
};

let folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "obscura-types-"));
  await copy("declared", (name) => !name.endsWith(".js"));
  await copy("real", (name) => !name.endsWith(".d.ts"));
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await writeFile(join(folder, "check.ts"), [...preamble(), ...modules(), ...options(), ...members()].join("\n"));
});

after(() => rm(folder, { recursive: true, force: true }));

test("what the declarations say is what the modules do", WHOLE_TEST, async () => {
  assert.deepEqual(Object.keys(CALL_OPTIONS).sort(), Object.keys(OPTION_TYPES).sort());
  assert.equal(await complaints(), "");
});

// Each of these is a slip that somebody may make tomorrow.
for (const [slip, file, from, to] of [
  ["a function that is not there", "obscura.d.ts", "", "export function describe(): void;\n"],
  ["an option that is called otherwise", "lib/model/options.d.ts", "maxNewTokens?", "maxTokens?"],
  ["an option that is not declared", "lib/model/load.d.ts", "revision?: string;", ""],
  ["a method that is not there", "lib/album/album.d.ts", "clear(): Promise<void>;", "clear(): Promise<void>; erase(): Promise<void>;"],
  ["a method that is not declared", "lib/model/model.d.ts", "dispose(): Promise<void>;", ""],
  ["a kind of error that is not there", "lib/errors/error.d.ts", '| "integrity"', '| "broken"'],
]) {
  test(`noticed: ${slip}`, WHOLE_TEST, async () => {
    const path = join(folder, "declared", file);
    const text = await readFile(path, "utf8");
    assert.ok(text.includes(from), from);
    await writeFile(path, from === "" ? to + text : text.replace(from, to));
    const found = await complaints();
    await writeFile(path, text);
    assert.match(found, /check\.ts.*error TS/);
  });
}

function copy(name, isWanted) {
  const inside = (path) => path.slice(WWW.length);
  const filter = (path) => !/^.(pkg|samples|models|icons|examples|page|labels)\b/.test(inside(path)) && isWanted(path);
  return cp(WWW, join(folder, name), { recursive: true, filter });
}

function preamble() {
  return [
    "type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;",
    'import type * as types from "./declared/obscura.js";',
  ];
}

/** Each module exports what is declared of it, and each export can stand for its declaration. */
function modules() {
  return MODULES.flatMap((module) => {
    const id = module.replace("-", "_");
    return [
      `import * as ${id}_declared from "./declared/${module}.js";`,
      `import * as ${id}_real from "./real/${module}.js";`,
      `export const ${id}_names: Same<keyof typeof ${id}_declared, keyof typeof ${id}_real> = true;`,
      `type ${id}_Instances<M> = { [K in keyof M]: M[K] extends { prototype: infer I } ? I : M[K] };`, // whose constructors may be private
      `export const ${id}_values: ${id}_Instances<typeof ${id}_declared> = {} as ${id}_Instances<typeof ${id}_real>;`,
    ];
  });
}

function options() {
  const same = (name, type, words) => `export const ${name}: Same<${type}, ${words.map((word) => JSON.stringify(word)).join(" | ")}> = true;`;
  return [
    ...Object.entries(OPTION_TYPES).map(([call, type]) => same(`${call}_options`, `keyof types.${type}`, CALL_OPTIONS[call])),
    same("album_options", "keyof types.AlbumOptions", ALBUM_OPTIONS),
    same("search_options", "keyof types.SearchOptions", SEARCH_OPTIONS),
    same("devices", 'NonNullable<types.LoadOptions["device"]>', DEVICES),
    same("dtypes", 'NonNullable<types.LoadOptions["dtype"]>', DTYPES),
    same("precisions", 'NonNullable<types.LoadOptions["precision"]>', PRECISIONS),
    same("tasks", 'NonNullable<types.LoadOptions["tasks"]>[number]', TASKS),
    same("scores", 'NonNullable<types.ClassifyOptions["scores"]>', SCORES),
    same("grey16", 'NonNullable<types.DecodeOptions["grey16"]>', GREY16),
    same("codes", "types.ErrorCode", ERROR_CODES),
  ];
}

/** What a class has that is no part of its module's exports. */
function members() {
  const methodsOf = ({ prototype }) => Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor");
  return [["Model", Model], ["Album", Album]].flatMap(([name, type]) => [
    `export const ${name}_methods: (keyof types.${name})[] = ${JSON.stringify(methodsOf(type))};`,
    `import type { ${name} as Real${name} } from "./real/lib/${name.toLowerCase()}/${name.toLowerCase()}.js";`,
    `export const ${name}_itself: types.${name} = {} as Real${name};`,
  ]);
}

/** What TypeScript finds wrong; nothing is an empty text. */
function complaints() {
  const settings = ["--strict", "--noEmit", "--allowJs", "--maxNodeModuleJsDepth", "0", "--target", "es2022", "--lib", "es2023,dom,dom.iterable,dom.asynciterable"];
  const parameters = [TSC, ...settings, "--types", "", "--module", "nodenext", "--moduleResolution", "nodenext", "check.ts"];
  return new Promise((resolve) => execFile(process.execPath, parameters, { cwd: folder }, (_, stdout, stderr) => resolve(stdout + stderr)));
}
