// Does anything grow? The library is used over and over in a real browser, and the memory of the page, its worker and
// the GPU at the end is compared with that after the first ten rounds. The full run writes the table of
// docs/endurance.md; tests/browser/endurance.mjs makes a short one.
//
//   node scripts/checks/endurance.mjs [--first 10] [--only "a model"] [chromium-cpu|firefox-cpu|chromium-webgpu ...]
//
// --first compares with what is there after so many rounds; --only leaves the kinds of round whose names begin so.
// CHROMIUM and FIREFOX name the browsers. The table is written only if nothing is left out.

import { readdirSync, readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { serve } from "../serve.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const DOCS = new URL("../../docs/endurance.md", import.meta.url);
const FIRST = 10; // rounds after which everything has reached its size
const LOOKS = 4;
const TOLD = "page and worker, as the browser tells";
const MOST = 0.05; // what may be added to that

/** What is done in one round, in the page; `model` is there, and `picture`. */
const ROUNDS = {
  "a caption": () => model.caption(picture),
  "a model loaded, used and disposed of": async () => {
    const loaded = await open();
    await loaded.caption(picture);
    await loaded.dispose();
  },
  "two models at once": () => Promise.all([model, other].map((each) => each.caption(picture))),
  "five calls, aborted one after the other": async () => {
    for (let call = 0; call < 5; call++) {
      const stop = new AbortController();
      const running = model.caption(picture, { signal: stop.signal, onToken: () => call % 2 && stop.abort() }).catch(() => {});
      if (call % 2 === 0) setTimeout(() => stop.abort(), 5 * call);
      await running;
    }
  },
  "a model disposed of during a call": async () => {
    const loaded = await open();
    const running = loaded.caption(picture).catch(({ code }) => code);
    await new Promise((wait) => setTimeout(wait, 20));
    await loaded.dispose();
    await running;
  },
};

/** How often; on a GPU in software, which takes its time, less often. */
const ON_GPU = { "a caption": 120, "a model loaded, used and disposed of": 20, "two models at once": 20, "five calls, aborted one after the other": 20, "a model disposed of during a call": 20 };
export const FULL = { "a caption": 300, "a model loaded, used and disposed of": 30, "two models at once": 60, "five calls, aborted one after the other": 60, "a model disposed of during a call": 30 };

/**
 * Every kind of round so often, each in a page of its own.
 * @param {import("puppeteer-core").Browser} browser
 * @param {{counts?: object, device?: string, settle?: number, first?: number, asksBrowser?: boolean}} options `settle` is how long memory is given to
 *   become free; `asksBrowser` adds what the browser tells of itself
 * @returns {AsyncGenerator<{work: string, count: number, workers: [number, number], memory: {[what: string]: [number, number]}}>} workers that live and bytes, after the first rounds and at the end
 */
export async function* endure(browser, url, { counts = FULL, device = "cpu", settle = 4000, first = FIRST, asksBrowser = false } = {}) {
  for (const [work, count] of Object.entries(counts)) {
    if (count <= first) continue; // nothing would be left to compare
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    await page.goto(`${url}package.json`); // a page without a model of its own
    await page.evaluate(begin, new URL("obscura.js", url).href, new URL("samples/three-dogs.webp", url).href, device, work === "two models at once");
    const repeat = async (times) => {
      for (let round = 0; round < times; round++) await page.evaluate(ROUNDS[work]);
      return measure(browser, page, settle, asksBrowser);
    };
    const before = await repeat(first);
    const workers = [page.workers().length];
    const after = await repeat(count - first);
    workers.push(page.workers().length);
    yield { work, count, workers, memory: Object.fromEntries(Object.keys(before).map((what) => [what, [before[what], after[what]]])) };
    await page.close();
  }
}

async function begin(module, picture, device, isTwo) {
  const { load } = await import(module);
  const options = { device };
  globalThis.open = () => load(undefined, options);
  globalThis.picture = await (await fetch(picture)).blob();
  globalThis.model = await open();
  if (isTwo) globalThis.other = await open();
}

/**
 * Bytes of the page with its workers, and of the browser's GPU process, where there is one: the least of several looks,
 * as browsers free what they need no more in their own time.
 */
async function measure(browser, page, settle, asksBrowser) {
  const looks = [];
  for (let look = 0; look < LOOKS; look++) looks.push(await lookAt(browser, page, settle / LOOKS));
  const least = Object.fromEntries(Object.keys(looks[0]).map((what) => [what, Math.min(...looks.map((each) => each[what]))]));
  const told = asksBrowser && (await page.evaluate(askBrowser));
  return told ? { ...least, [TOLD]: told } : least;
}

/** What the page and its workers hold, in Chromium, which takes up to a minute for it. */
async function askBrowser() {
  const late = new Promise((wait) => setTimeout(wait, 90_000, null));
  const told = performance.measureUserAgentSpecificMemory?.().then(({ bytes }) => bytes, () => null);
  return Promise.race([late, told]);
}

async function lookAt(browser, page, pause) {
  await page.evaluate(async (pause) => {
    globalThis.gc?.();
    await new Promise((wait) => setTimeout(wait, pause));
  }, pause);
  const children = processes(browser.process().pid);
  const own = (kind) => Math.max(0, ...children.filter(({ command }) => kind.test(command)).map(({ pid }) => residentBytes(pid)));
  return {
    "page and worker": own(/--type=renderer|-contentproc.* tab$/),
    ...(/--type=gpu-process/.test(children.map(({ command }) => command).join("\n")) && { GPU: own(/--type=gpu-process/) }),
  };
}

/** Linux's word on every process below one: {pid, command}. */
export function processes(root) {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const parent = Number(/\) \S+ (\d+)/.exec(readFileSync(`/proc/${name}/stat`, "utf8"))[1]);
      return [{ pid: Number(name), parent, command: readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim() }];
    } catch {
      return []; // it has ended
    }
  });
  const below = new Set([root]);
  for (let size = 0; size !== below.size; ) {
    size = below.size;
    for (const { pid, parent } of all) if (below.has(parent)) below.add(pid);
  }
  return all.filter(({ pid }) => below.has(pid));
}

export function residentBytes(pid) {
  const [, pages] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ").map(Number);
  return 4096 * pages;
}

/** A browser in which garbage can be collected when it is asked for. */
export async function launch(puppeteer, name) {
  if (name === "firefox") {
    return puppeteer.launch({ browser: "firefox", executablePath: process.env.FIREFOX || "/usr/bin/firefox-esr", headless: true, timeout: 180_000 });
  }
  const args = ["--no-sandbox", "--js-flags=--expose-gc", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
  return puppeteer.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", headless: true, timeout: 180_000, args });
}

async function main() {
  const { values, positionals: wanted } = parseArgs({ allowPositionals: true, options: { first: { type: "string", default: String(FIRST) }, only: { type: "string", default: "" } } });
  const { default: puppeteer } = await import(createRequire(new URL("../../tests/browser/package.json", import.meta.url)).resolve("puppeteer-core"));
  const server = await serve({ root: `${ROOT}www`, isolate: true });
  const rows = [];
  let grown = 0;
  for (const [name, device, counts] of [["chromium", "cpu", FULL], ["firefox", "cpu", FULL], ["chromium", "webgpu", ON_GPU]]) {
    if (wanted.length > 0 && !wanted.includes(`${name}-${device}`)) continue;
    const browser = await launch(puppeteer, name);
    const version = (await browser.version()).replace("Chrome/", "Chromium ").replace("firefox", "Firefox").replace(/[/]/g, " ").replace(/(\d+)\.[\d.]+/, "$1");
    const chosen = Object.fromEntries(Object.entries(counts).filter(([work]) => work.startsWith(values.only)));
    for await (const { work, count, memory } of endure(browser, server.url, { counts: chosen, device, first: Number(values.first), asksBrowser: true, settle: name === "firefox" ? 16_000 : 6000 })) {
      for (const [what, [before, after]] of Object.entries(memory)) {
        const share = after / before - 1;
        if (share > MOST) grown++;
        const row = [version, device, work, count, what, `${(before / 1e6).toFixed(1)} MB`, `${(after / 1e6).toFixed(1)} MB`, `${share > 0 ? "+" : ""}${(100 * share).toFixed(1)} %`];
        rows.push(`| ${row.join(" | ")} |`);
        console.log(rows.at(-1));
      }
    }
    await browser.close();
  }
  await server.close();
  if (wanted.length === 0 && !values.only) await writeTable(rows);
  process.exit(grown ? 1 : 0);
}

/** Between its marks in the docs. */
async function writeTable(rows) {
  const [before, rest] = (await readFile(DOCS, "utf8")).split("<!-- table -->\n");
  const head = ["| Browser | Device | A round | Rounds | Memory of | After ten | At the end | |", "|---|---|---|---|---|---|---|---|"];
  await writeFile(DOCS, `${before}<!-- table -->\n${[...head, ...rows].join("\n")}\n<!-- end of table -->${rest.split("<!-- end of table -->")[1]}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
