// The package in every bundler of projects.mjs: packed, installed from the tarball, built, served, and opened in Chromium,
// also isolated, where the engine is the one with threads. The caption has to be the command line's.
//
//   node tests/bundlers/run.mjs [--list] [NAME...]    without names all, and then the table of docs/bundlers.md is written

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { pack } from "../../scripts/build/pack.mjs";
import { serve } from "../../scripts/serve.mjs";
import { commandLineOf, launchBrowser, ROOT, WWW } from "../library/surroundings.mjs";
import { PROJECTS } from "./projects.mjs";

const PICTURE = join(ROOT, "www/samples/house-bicycle.webp");
const DOCUMENT = join(ROOT, "docs/bundlers.md");
const TABLE = /(<!-- written by scripts\/test-bundlers -->\n)[^]*?(<!-- end -->)/;
const SETTINGS = { CI: "1", NEXT_TELEMETRY_DISABLED: "1", ASTRO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" };
const PATIENCE_MS = 60_000;

const run = (command, folder) => promisify(execFile)("bash", ["-c", command], { cwd: folder, env: { ...process.env, ...SETTINGS }, maxBuffer: 1 << 26 });

/** Builds a project in a folder of its own, checks its page, and removes it. */
async function check(project, { folder, tarball, browser, expected }) {
  const place = await mkdtemp(join(folder, "project-"));
  try {
    await make(project, place, tarball);
    for (const command of project.build) await run(command, place);
    const site = join(place, project.site);
    await cp(PICTURE, join(site, "picture.webp"));
    for (const isolate of [false, true]) {
      const { found, mounts, engine } = await open(browser, site, project, isolate);
      assert.equal(found, expected);
      assert.match(engine, isolate ? /threads/ : /relaxed|\.wasm$/);
      if (project.mounts) assert.equal(mounts, project.mounts);
    }
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

async function make({ packages, files, manifest }, place, tarball) {
  for (const [from, to] of files) {
    const source = join(ROOT, from);
    const isFile = (await stat(source)).isFile();
    await mkdir(join(place, to), { recursive: true });
    await cp(source, isFile ? join(place, to, basename(from)) : join(place, to), { recursive: true });
  }
  await writeFile(join(place, "package.json"), JSON.stringify({ private: true, type: "module", ...manifest }));
  await run(`npm install --save-exact --no-audit --no-fund --silent ${packages.join(" ")} ${tarball}`, place);
}

/** What the page found, and the engine's files that it asked for. */
async function open(browser, site, { atRoot }, isolate) {
  const server = await serve({ root: atRoot ? site : join(ROOT, "tests/bundlers/page"), mounts: atRoot ? {} : { "/some/where": site }, isolate });
  const context = await browser.newContext();
  try {
    const engines = [];
    context.on("request", (request) => request.url().endsWith(".wasm") && engines.push(request.url()));
    const page = await context.newPage();
    await page.goto(server.url + (atRoot ? "" : "some/where/"));
    await page.waitForFunction(() => globalThis.found !== undefined, null, { timeout: PATIENCE_MS });
    const { found, mounts } = await page.evaluate(async () => ({ found: await globalThis.found, mounts: globalThis.mounts }));
    return { found, mounts, engine: await nameOf(engines, site) };
  } finally {
    await context.close();
    await server.close();
  }
}

/** webpack renames files: the engine with threads is known by its size. */
async function nameOf(engines, site) {
  assert.equal(new Set(engines).size, 1, `one engine, not ${engines}`);
  const threads = await stat(join(WWW, "pkg/obscura_wasm_threads_bg.wasm"));
  const response = await stat(join(site, decodeURI(new URL(engines[0]).pathname).replace(/^\/some\/where\//, "/")));
  return response.size === threads.size ? "threads.wasm" : "relaxed.wasm";
}

function row({ name, packages, setting }, failure) {
  const versions = packages.map((each) => `\`${each}\``).join(", ");
  return `| ${name} | ${versions} | ${failure ? "fails" : "works"} | ${setting ?? "nothing"} |`;
}

async function main([...names]) {
  if (names[0] === "--list") return console.log(PROJECTS.map(({ name }) => name).join("\n"));
  const wanted = names.length === 0 ? PROJECTS : PROJECTS.filter(({ name }) => names.some((each) => name.toLowerCase().includes(each.toLowerCase())));
  assert.ok(wanted.length > 0, `no project has such a name: ${names}`);
  const folder = await mkdtemp(join(tmpdir(), "obscura-bundlers-"));
  const browser = await launchBrowser();
  const rows = [];
  try {
    const { tarball } = await pack(join(folder, "npm"));
    const { models, default: id } = JSON.parse(await readFile(join(WWW, "models/models.json"), "utf8"));
    const model = join(WWW, "models", models.find((each) => each.id === id).url);
    const expected = (await commandLineOf(model, "auto", "caption", PICTURE)).text;
    for (const project of wanted) {
      const began = Date.now();
      const failure = await check(project, { folder, tarball, browser, expected }).then(() => null, (error) => error);
      console.log(`${failure ? "FAILS" : "works"}  ${project.name}, in ${Math.round((Date.now() - began) / 1000)} s`);
      if (failure) console.error(failure.stdout ?? "", failure.stderr ?? failure.stack), (process.exitCode = 1);
      rows.push(row(project, failure));
    }
  } finally {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  }
  if (names.length === 0 && process.exitCode !== 1) await writeTable(rows);
}

async function writeTable(rows) {
  const text = await readFile(DOCUMENT, "utf8");
  assert.match(text, TABLE);
  const table = ["", "| Bundler | Tried with | Result | What to write |", "|---|---|---|---|", ...rows, "", ""].join("\n");
  await writeFile(DOCUMENT, text.replace(TABLE, (_, begin, end) => begin + table + end));
}

await main(process.argv.slice(2));
