// Runs api.mjs in each runtime that scripts/test-runtimes has installed in FOLDER, compares what it found with
// the command line, and writes the table of docs/runtimes.md: node run.mjs FOLDER.
// Fails where anything differs.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CAPTIONER, ENCODER, LABELS, PHOTO, PICTURE, QUESTION, TEXTS } from "./given.mjs";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const OBSCURA = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "release/obscura");
const API = join(ROOT, "scripts/runtimes/api.mjs");
const DOCS = join(ROOT, "docs/runtimes.md");
const PATIENCE_MS = 300_000;
const COSINE = 0.99999;

const CODES = {
  "nothing there": "bad_input", "no model": "bad_weights", "no source": "bad_input", "no picture": "network", "no address": "bad_image",
  "nothing to see": "bad_image", "a name as a text": "bad_input", "no such task": "unsupported_task", "no such option": "bad_input",
  "no video": "bad_input", damaged: "bad_image", aborted: "aborted", "disposed of": "aborted",
};

/** A GPU in software, which Chromium comes with. */
const SWIFTSHADER = ["/usr/lib/chromium", "/usr/lib/chromium-browser"].find((folder) => existsSync(join(folder, "vk_swiftshader_icd.json")));
const SOFTWARE_GPU = SWIFTSHADER && {
  VK_ICD_FILENAMES: join(SWIFTSHADER, "vk_swiftshader_icd.json"),
  LD_LIBRARY_PATH: SWIFTSHADER,
};

const [folder] = process.argv.slice(2);
const expected = await askCommandLine();
const rows = [];
let failures = 0;
for (const runtime of await runtimes()) {
  for (const device of ["cpu", "webgpu"]) rows.push(await tryOut(runtime, device));
}
await writeTable();
process.exit(failures ? 1 : 0);

/** [{name, version, command, gpu}]: `gpu` says what its WebGPU is. */
async function runtimes() {
  const { dependencies } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const bin = (name) => join(folder, "node_modules", name, "bin/node");
  const dawn = `npm \`webgpu\` ${dependencies.webgpu}`;
  const nodes = Object.keys(dependencies).filter((name) => /^node\d+$/.test(name)).sort();
  return [
    ...nodes.map((name) => ({ name: "Node.js", command: [bin(name)], gpu: dawn })),
    { name: "Bun", command: [join(folder, "node_modules/.bin/bun")], gpu: dawn },
    { name: "Deno", command: [join(folder, "node_modules/.bin/deno"), "run", "-A"], gpu: "its own" },
  ];
}

/** A row of the table: {runtime, device, result}. */
async function tryOut({ name, command, gpu }, device) {
  const version = /\d+\.\d+\.\d+/.exec((await run(command[0], ["--version"])).stdout)[0];
  const row = { runtime: `${name} ${version}`, device: device === "cpu" ? "CPU" : `WebGPU: ${gpu}` };
  if (device === "webgpu" && !SOFTWARE_GPU) {
    console.log(`SKIP: ${row.runtime} on WebGPU: Chromium's SwiftShader is not here`);
    return { ...row, result: "not tried" };
  }
  const place = await mkdtemp(join(tmpdir(), "obscura-runtime-"));
  try {
    const [program, ...before] = command;
    const env = { ...process.env, NO_COLOR: "1", ...(device === "webgpu" && SOFTWARE_GPU) };
    // In the folder of the packages: obscura finds webgpu there.
    await run(program, [...before, API, device, join(place, "found.json")], { cwd: folder, env, timeout: PATIENCE_MS });
    const worst = compare(JSON.parse(await readFile(join(place, "found.json"), "utf8")), device);
    console.log(`${row.runtime}, ${row.device}: all as the command line, worst cosine ${worst.toFixed(8)}`);
    return { ...row, result: `the command line's texts; cosine above ${COSINE}` };
  } catch (error) {
    failures++;
    console.error(`${row.runtime}, ${row.device}: ${error.killed ? "did not end in time. " : ""}${error.stderr || error.stack}`);
    return { ...row, result: "**fails**" };
  } finally {
    await rm(place, { recursive: true });
  }
}

/** The worst cosine; throws where something differs. */
function compare(found, device) {
  const near = (one, other, what) => assert.ok(Math.abs(one - other) < 2e-4, `${what}: ${one} for ${other}`);
  assert.equal(found.device, device);
  for (const text of [found.caption.text, found.streamed, found.fromBytes, found.fromBlob, found.fromDecoded, found.goesOn]) {
    assert.equal(text, expected.caption.text);
  }
  assert.deepEqual(found.caption.tokens, expected.caption.tokens);
  assert.deepEqual(found.answer.tokens, expected.answer.tokens);
  assert.deepEqual(found.classify.map(({ label }) => label), expected.classify.labels.map(({ label }) => label));
  found.classify.forEach(({ score }, place) => near(score, expected.classify.labels[place].score, "a label's score"));
  found.match.forEach(({ probability }, place) => near(probability, expected.match.matches[place].probability, "a match"));
  assert.deepEqual(found.search.map(({ key }) => key), expected.search.found.map(({ key }) => key));
  found.search.forEach(({ similarity }, place) => near(similarity, expected.search.found[place].similarity, "a similarity"));
  assert.deepEqual(found.states, expected.states.ids);
  assert.deepEqual([found.filter, found.labelSet, found.pixels, found.persistent], [1, 1000, true, false]);
  assert.ok(found.exported > 2 * 4 * found.embed[0].length);
  assert.deepEqual(found.kept, [[], 0]);
  assert.deepEqual(found.warnings, []);
  const cosines = found.embed.map((vector, place) => cosine(vector, expected.embed[place].embedding));
  assert.ok(Math.min(...cosines) > COSINE, `cosines ${cosines}`);
  checkErrors(found.errors);
  return Math.min(...cosines);
}

/** Each has its code, and none speaks of a browser to those who have none. */
function checkErrors({ "no GPU": gpu, ...errors }) {
  assert.deepEqual(Object.fromEntries(Object.entries(errors).map(([what, { code }]) => [what, code])), CODES);
  if (gpu) assert.equal(gpu.code, "no_device");
  for (const { message } of [...Object.values(errors), ...(gpu ? [gpu] : [])]) {
    assert.ok(message.length > 10 && !/\bbrowser|\bthis page\b|\btab\b/i.test(message), message);
  }
}

function cosine(one, other) {
  const dot = (a, b) => a.reduce((sum, value, place) => sum + value * b[place], 0);
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other));
}

async function askCommandLine() {
  const ask = async (...parameters) => JSON.parse((await run(OBSCURA, [...parameters, "--json", "--device", "cpu", "--dtype", "f32"])).stdout);
  const place = await mkdtemp(join(tmpdir(), "obscura-runtime-"));
  const album = join(place, "pictures.album");
  await run(OBSCURA, ["album", "add", ENCODER, album, PICTURE, PHOTO, "--device", "cpu", "--dtype", "f32"]);
  const answers = {
    caption: await ask("caption", CAPTIONER, PICTURE),
    classify: await ask("classify", CAPTIONER, PICTURE, "--labels", LABELS.join(",")),
    match: await ask("match", CAPTIONER, PICTURE, ...TEXTS),
    answer: await ask("answer", CAPTIONER, PICTURE, "--question", QUESTION),
    embed: [await ask("embed", ENCODER, PICTURE), await ask("embed", ENCODER, "--text", TEXTS[0])],
    states: await ask("embed", ENCODER, "--text", TEXTS[0], "--tokens"),
    search: await ask("search", ENCODER, album, "--text", TEXTS[0]),
  };
  await rm(place, { recursive: true });
  return answers;
}

/** Between its marks in the docs. */
async function writeTable() {
  const lines = ["| Runtime | Device | Result |", "|---|---|---|", ...rows.map(({ runtime, device, result }) => `| ${runtime} | ${device} | ${result} |`)];
  const docs = await readFile(DOCS, "utf8");
  const [before, rest] = docs.split("<!-- table -->\n");
  const [, after] = rest.split("<!-- end of table -->");
  await writeFile(DOCS, `${before}<!-- table -->\n${lines.join("\n")}\n<!-- end of table -->${after}`);
}
