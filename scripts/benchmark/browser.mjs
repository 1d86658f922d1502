// Peers that run in a page of headless Chromium: each in a page of its own, with a runner of page/ in it.

import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "../../tests/browser/node_modules/playwright-core/index.mjs";
import { serve } from "../serve.mjs";

/**
 * Starts server and browser.
 * @param {{www: string, bench: string, against?: string, here: string, adapter: string}} folders and WebGPU adapter
 */
export async function startBrowser({ www, bench, against, here, adapter }) {
  const mounts = { "/bench": bench, "/benchmark": here, ...(against && { "/against": against }) };
  const server = await serve({ root: www, mounts, isolate: true }); // onnxruntime-web's threads want isolation
  const profile = await mkdtemp(join(tmpdir(), "obscura-bench-")); // on disk: private windows keep files in memory
  const args = ["--no-sandbox", "--enable-unsafe-webgpu", ...(adapter === "default" ? [] : [`--use-webgpu-adapter=${adapter}`])];
  process.on("exit", () => rmSync(profile, { recursive: true, force: true, maxRetries: 3 })); // however it ends
  const settings = { executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args, handleSIGINT: false, handleSIGTERM: false };
  const context = await chromium.launchPersistentContext(profile, settings);
  await context.addInitScript(watchMemory);
  return {
    version: context.browser()?.version() ?? "",
    open: (peer, model, options) => openPage(context, server.url, peer, model, options),
    async close() {
      await context.close();
      await server.close();
    },
  };
}

/** A page with the peer's runner, its model loaded; `first`: as nothing of it were kept from before. */
async function openPage(context, url, peer, model, { first = false } = {}) {
  const page = await context.newPage();
  // Long before the weights come. The workers of others are threads, which compute and do not answer.
  if (peer.options.library) page.on("worker", (worker) => worker.evaluate(watchMemory).catch(() => {}));
  page.on("pageerror", (error) => console.error(`${peer.id}: ${error.message}`));
  const began = performance.now();
  await page.goto(`${url}benchmark/page/empty.html`);
  const start = async ({ runner, options, model, first }) => {
    const { open, forget } = await import(`./${runner}.js`);
    if (first) await forget?.(options);
    const [expected, began] = [await (await fetch("/bench/expected.json")).json(), performance.now()];
    globalThis.runner = await open(model, options, expected);
    return { times: { load: performance.now() - began }, info: globalThis.runner.info };
  };
  const opened = await page.evaluate(start, { runner: peer.runner, options: peer.options, model, first });
  return {
    ...opened,
    began,
    run: async (work) => {
      await page.bringToFront();
      return page.evaluate((work) => globalThis.runner.run(work), work);
    },
    /** Peak bytes of WebAssembly memory, of live GPU buffers, in the page and its workers. */
    memory: async () => {
      const { library, threads } = peer.options;
      const withThreads = () => new URL("pkg/obscura_wasm_threads.js", new URL(library, url)).href;
      const engineOf = (worker) => (threads > 1 ? withThreads() : new URL("engine.js", worker.url()).href); // beside it, in older builds, too
      // Threads are workers, too, which compute and do not answer; they share one memory.
      const places = library ? page.workers().filter((worker) => worker.url().endsWith("/worker.js")) : [page];
      const found = await Promise.all(places.map((place) => place.evaluate(readMemory, library && engineOf(place))));
      const most = (key) => Math.max(0, ...found.map((one) => one[key] ?? 0));
      return { wasm: most("wasm"), gpu: most("gpu") };
    },
    close: () => page.close(),
  };
}

/** Runs in a page, or in obscura's worker, whose engine may have started before it could be watched: it is asked itself. */
async function readMemory(engine) {
  const watched = globalThis.watchedMemory?.() ?? {};
  if (!engine) return watched;
  const older = () => import(new URL("pkg/obscura_wasm.js", engine).href); // a build to compare with may have but one
  const loaded = await import(engine).then((module) => module.engine ?? module, older);
  const { memory } = loaded.parts?.() ?? (await loaded.default());
  return { ...watched, wasm: memory.buffer.byteLength };
}

/** Runs in each page and worker, before anything else: keeps every WebAssembly memory, and counts the GPU's buffers. */
function watchMemory() {
  const memories = new Set();
  const buffers = { now: 0, most: 0 };
  const keep = (made) => {
    const exports = (made.instance ?? made).exports;
    for (const value of Object.values(exports)) if (value instanceof WebAssembly.Memory) memories.add(value);
    return made;
  };
  for (const name of ["instantiate", "instantiateStreaming"]) {
    const plain = WebAssembly[name];
    WebAssembly[name] = (...given) => plain.apply(WebAssembly, given).then(keep);
  }
  WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
    construct(target, given) {
      const memory = Reflect.construct(target, given);
      memories.add(memory);
      return memory;
    },
  });
  const device = globalThis.GPUDevice?.prototype;
  if (device) {
    const { createBuffer } = device;
    device.createBuffer = function (description) {
      const buffer = createBuffer.call(this, description);
      buffers.now += description.size;
      buffers.most = Math.max(buffers.most, buffers.now);
      return buffer;
    };
    const { destroy } = GPUBuffer.prototype;
    const destroyed = new WeakSet();
    GPUBuffer.prototype.destroy = function () {
      if (!destroyed.has(this)) buffers.now -= this.size;
      destroyed.add(this);
      return destroy.call(this);
    };
  }
  // WebAssembly memory never shrinks: what it has now is the peak.
  globalThis.watchedMemory = () => ({ wasm: [...memories].reduce((sum, memory) => sum + memory.buffer.byteLength, 0), gpu: buffers.most });
}
