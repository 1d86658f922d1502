// How long it takes from opening a page to the first word about a picture, with the embedded model and what
// an earlier visit has kept, and how long the first caption takes beside the next one:
// node scripts/benchmark/measure-start.mjs [--device cpu|webgpu] [--runs N]
//
// Needs www/pkg (scripts/build-wasm) and the packages of tests/browser (npm ci there).

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "../../tests/browser/node_modules/playwright-core/index.mjs";
import { serve } from "../serve.mjs";

const FLAGS = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
const { values } = parseArgs({
  options: { device: { type: "string", default: "cpu" }, runs: { type: "string", default: "5" } },
});

const server = await serve({ root: fileURLToPath(new URL("../../www", import.meta.url)) });
const profile = await mkdtemp(join(tmpdir(), "obscura-start-")); // on disk: private windows keep files in memory
const context = await chromium.launchPersistentContext(profile, { executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: FLAGS });
await context.route("**/start.html", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));

const WHAT = { loaded: "model loaded", word: "first word", first: "first caption", next: "next caption" };

/** Milliseconds: since the navigation began, until the model and the first word are there; and of two captions. */
async function visit() {
  const page = await context.newPage();
  await page.goto(`${server.url}start.html`);
  const times = await page.evaluate(async (device) => {
    const { load } = await import("/obscura.js");
    const model = await load(undefined, { device });
    const loaded = performance.now();
    let word;
    await model.caption("/samples/three-dogs.webp", { onToken: () => (word ??= performance.now()) });
    const captioned = performance.now();
    await model.caption("/samples/three-dogs.webp");
    const next = performance.now() - captioned;
    await model.dispose();
    return { loaded, word, first: captioned - loaded, next };
  }, values.device);
  await page.close();
  return times;
}

try {
  await visit(); // keeps the model
  const visits = [];
  for (let run = 0; run < Number(values.runs); run++) visits.push(await visit());
  for (const [what, name] of Object.entries(WHAT)) {
    const times = visits.map((times) => times[what]).sort((a, b) => a - b);
    const [least, median, most] = [0, Math.floor(times.length / 2), times.length - 1].map((at) => times[at].toFixed(0));
    console.log(`${name}: ${median} ms, median of ${times.length} (${least} to ${most})`);
  }
} finally {
  await context.close();
  await server.close();
  await rm(profile, { recursive: true });
}
