// How much memory and time the largest pictures take in headless Chromium, each in a browser of its own:
//
//   scripts/benchmark/largest_pictures.py FOLDER
//   node scripts/benchmark/picture-memory.mjs FOLDER [--www FOLDER]
//
// `decode()` of obscura.js reads each file as a page would, and its pixels come back to the page. Printed are the time of
// that, the WebAssembly memory after it, which never shrinks and so is the peak, and the peak of the renderer's process as
// the system counts it, with file, pixels, page and engine in it (Linux only). CHROMIUM names another browser.

import { readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "../../tests/browser/node_modules/playwright-core/index.mjs";
import { serve } from "../serve.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { www: { type: "string", default: fileURLToPath(new URL("../../www", import.meta.url)) } },
});
const folder = positionals[0] ? resolve(positionals[0]) : process.exit(console.error("which folder of pictures?") ?? 1);
const server = await serve({ root: resolve(values.www), mounts: { "/pictures": folder } });
const megabytes = (bytes) => `${Math.round(bytes / 1e6)} MB`;

console.log("| Picture | File | WebAssembly memory | Renderer | Time |\n|---|---:|---:|---:|---:|");
for (const name of readdirSync(folder).sort()) {
  const { outcome, seconds, wasm, renderer } = await measure(name);
  const cells = [`${name}${outcome}`, megabytes(statSync(join(folder, name)).size), megabytes(wasm), megabytes(renderer), `${seconds.toFixed(2)} s`];
  console.log(`| ${cells.join(" | ")} |`);
}
await server.close();

async function measure(name) {
  const profile = await mkdtemp(join(tmpdir(), "obscura-pictures-"));
  const settings = { executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] };
  const context = await chromium.launchPersistentContext(profile, settings);
  try {
    const page = await context.newPage();
    await page.goto(`${server.url}pictures/none`); // an empty page of this origin
    const result = await page.evaluate(decodeOne, name);
    const engines = page.workers().map((worker) => worker.evaluate(memoryOf).catch(() => 0));
    return { ...result, wasm: Math.max(0, ...(await Promise.all(engines))), renderer: peakOfRenderers(profile) };
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Runs in the page. The engine is there before, as it is after a page's first picture. */
async function decodeOne(name) {
  const { decode } = await import("/obscura.js");
  const small = new ImageData(1, 1);
  await decode(small);
  const file = await (await fetch(`/pictures/${name}`)).blob();
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1e3;
  return decode(file).then(
    ({ width, height }) => ({ seconds: seconds(), outcome: `, ${width} x ${height}` }),
    (error) => ({ seconds: seconds(), outcome: `: ${error.code}, ${error.message}` }),
  );
}

/** Runs in obscura's worker. */
async function memoryOf() {
  const { engine } = await import(new URL("engine.js", location.href).href);
  return (await engine.default()).memory.buffer.byteLength; // it has started already
}

function peakOfRenderers(profile) {
  const peaks = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid)).map((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      if (!command.includes("--type=renderer") || !command.includes(profile)) return 0;
      return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;
    } catch {
      return 0; // it has ended
    }
  });
  return Math.max(...peaks);
}
