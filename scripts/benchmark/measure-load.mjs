// What loading a model costs in the browser: time, bytes over the network, WebAssembly memory, and
// what is kept; for the first load, the second one from the cache, and one that needs a part only.
//
//   node scripts/benchmark/measure-load.mjs [--device cpu|webgpu] [--dtype auto|q4|q8|f16|f32] [--tasks a,b] [--adapter LORA] FOLDER
//
// FOLDER is a checkpoint in Hugging Face layout, such as BLIP base of about 1 GB. It is served from
// this machine the way the hub does it. Needs www/pkg (scripts/build-wasm) and the packages of
// tests/browser (npm ci there). The exit code is 1 where a load takes more memory than it may:
// what stays (the engine and, on the CPU, the weights), the largest tensor as float32, and 64 MB. With an adapter,
// a folder that PEFT has saved, there is a load with it merged as well, which may take no more than the first
// one and the largest tensor.

import { mkdtemp, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "../../tests/browser/node_modules/playwright-core/index.mjs";
import { startHub } from "../../tests/hub/server.mjs";
import { serve } from "../serve.mjs";

const ALLOWANCE = 64 << 20;
const FLAGS = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
const MEGABYTE = 1e6;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    device: { type: "string", default: "cpu" },
    dtype: { type: "string", default: "auto" },
    tasks: { type: "string" },
    adapter: { type: "string" },
  },
});
if (positionals.length !== 1) {
  console.error("measure-load: name one folder with a checkpoint in Hugging Face layout");
  process.exit(2);
}
const folder = resolve(positionals[0]);
const repositories = { "measured/model": folder, ...(values.adapter && { "measured/adapter": resolve(values.adapter) }) };
const hub = await startHub({ repositories });
const server = await serve({ root: fileURLToPath(new URL("../../www", import.meta.url)) });
const profile = await mkdtemp(join(tmpdir(), "obscura-measure-")); // on disk: private windows keep files in memory
const context = await chromium.launchPersistentContext(profile, { executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: FLAGS });
try {
  const largest = await largestTensor(folder);
  const engine = await measureEngine();
  // On one thread: others wait inside of the engine and answer no questions about memory.
  const options = { device: values.device, dtype: values.dtype, threads: 1, hub: { host: hub.host } };
  const rows = [await measure("first load", options), await measure("second load", options)];
  if (values.tasks) rows.push(await measure(`first load for ${values.tasks}`, { ...options, cache: false, tasks: values.tasks.split(",") }));
  if (values.adapter) {
    const adapted = await measure("first load with the adapter", { ...options, adapters: ["measured/adapter"] });
    rows.push(adapted);
    if (adapted.memory > rows[0].memory + largest) {
      console.error("the load with the adapter takes more than the one without and the largest tensor");
      process.exitCode = 1;
    }
  }
  print(rows, engine, largest);
} finally {
  await context.close();
  await server.close();
  await hub.close();
  await rm(profile, { recursive: true });
}

/** One load in a page and a worker of its own. */
async function measure(name, options) {
  hub.forget();
  const page = await context.newPage();
  page.on("worker", (worker) => worker.evaluate(countGpuBytes)); // long before the weights come
  await page.goto(`${server.url}?model=none`);
  const found = await page.evaluate(async (options) => {
    const { cache, load } = await import("./obscura.js");
    const started = performance.now();
    const model = await load("measured/model", options);
    const seconds = (performance.now() - started) / 1000;
    globalThis.keptAlive = model;
    return { seconds, info: model.info, kept: await cache.size() };
  }, options);
  const memory = await Promise.all(page.workers().map((worker) => worker.evaluate(memoryOfEngine, `${server.url}lib/engine/engine.js`)));
  const gpu = await Promise.all(page.workers().map((worker) => worker.evaluate(() => globalThis.gpuBytes)));
  await page.close();
  return { name, ...found, transferred: hub.sentBytes, memory: Math.max(...memory), gpu: Math.max(...gpu) };
}

/** Runs in the worker: adds up the GPU's buffers from then on. Those that are given back count on. */
function countGpuBytes() {
  globalThis.gpuBytes = 0;
  const device = globalThis.GPUDevice?.prototype;
  if (!device) return;
  const { createBuffer } = device;
  device.createBuffer = function (description) {
    globalThis.gpuBytes += description.size;
    return createBuffer.call(this, description);
  };
}

/** What the engine takes before it has loaded anything. */
async function measureEngine() {
  const page = await context.newPage();
  await page.goto(`${server.url}?model=none`);
  const bytes = await page.evaluate(memoryOfEngine, `${server.url}lib/engine/engine.js`);
  await page.close();
  return bytes;
}

/** Runs in the browser. WebAssembly memory never shrinks: what it has at the end is the peak. */
async function memoryOfEngine(engine) {
  const { memory } = await (await import(engine)).engine.default();
  return memory.buffer.byteLength;
}

/** The most numbers in one tensor, as bytes of float32. */
async function largestTensor(folder) {
  let largest = 0;
  for (const name of await readdir(folder)) {
    if (!name.endsWith(".safetensors")) continue;
    const file = await open(join(folder, name));
    const length = Number((await file.read(Buffer.alloc(8), 0, 8, 0)).buffer.readBigUInt64LE(0));
    const header = JSON.parse((await file.read(Buffer.alloc(length), 0, length, 8)).buffer.toString());
    await file.close();
    for (const { shape } of Object.values(header)) if (shape) largest = Math.max(largest, 4 * shape.reduce((product, width) => product * width, 1));
  }
  return largest;
}

function print(rows, engine, largest) {
  const megabytes = (bytes) => (bytes / MEGABYTE).toFixed(1).padStart(9);
  console.log(`${folder}, device ${rows[0].info.device}, dtype ${rows[0].info.dtype}; MB are millions of bytes`);
  console.log(`largest tensor as float32 ${(largest / MEGABYTE).toFixed(1)} MB, the engine alone ${(engine / MEGABYTE).toFixed(1)} MB\n`);
  console.log("| load | seconds | MB transferred | MB WebAssembly peak | MB that stay | MB above | MB kept | MB of weights | MB of GPU buffers |");
  console.log("|---|---|---|---|---|---|---|---|---|");
  for (const { name, seconds, transferred, memory, info, kept, gpu } of rows) {
    const stays = engine + (info.device === "cpu" ? info.bytes : 0); // on WebGPU the weights are elsewhere
    console.log(`| ${name} | ${seconds.toFixed(1).padStart(6)} | ${[transferred, memory, stays, memory - stays, kept, info.bytes, gpu].map(megabytes).join(" | ")} |`);
    const allowed = stays + largest + ALLOWANCE;
    if (memory > allowed) {
      console.error(`measure-load: ${name} took ${megabytes(memory).trim()} MB, allowed are ${megabytes(allowed).trim()} MB`);
      process.exitCode = 1;
    }
  }
}
