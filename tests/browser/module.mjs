// The module in a real browser, with a small BLIP that has every head: its numbers have to be the
// command line's about the same pictures, on the CPU and on WebGPU. The page has tests of its own in page/.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both). CHROMIUM names the browser.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { serve } from "../../scripts/serve.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const OBSCURA = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "release", "obscura");
const MODEL = join(ROOT, "tests/golden/blip-all/model");
const PHOTO = join(ROOT, "tests/pictures/photo.jpg");
const DRAWING = join(ROOT, "tests/pictures/landscape.png");
const LABELS = ["a cat", "two dogs", "a red house", "the sea"];
const QUESTION = "what is in the picture?";
const WHOLE_TEST = { timeout: 600_000 }; // a software GPU compiles its shaders first
const SHADES = { cpu: 1e-4, webgpu: 1e-3 }; // how far a probability may lie from the command line's
const CHROMIUM_FLAGS = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

let folder, server, isolated, browser, expected;

before(async () => {
  for (const needed of [OBSCURA, MODEL, join(ROOT, "www/pkg/obscura_wasm.js")]) {
    assert.ok(existsSync(needed), `${needed} is missing: run scripts/test, which builds it`);
  }
  folder = await mkdtemp(join(tmpdir(), "obscura-page-"));
  const gguf = join(folder, "blip-all.gguf");
  await promisify(execFile)(OBSCURA, ["convert", MODEL, gguf, "--dtype", "f32"]);
  expected = {
    photo: await commandLine("caption", gguf, PHOTO),
    drawing: await commandLine("caption", gguf, DRAWING),
    labels: await commandLine("classify", gguf, PHOTO, "--labels", LABELS.join(",")),
    matches: await commandLine("match", gguf, PHOTO, ...LABELS),
    answer: await commandLine("answer", gguf, PHOTO, "--question", QUESTION),
  };
  const mounts = { "/test-models": folder, "/test-pictures": join(ROOT, "tests/pictures") };
  server = await serve({ root: join(ROOT, "www"), mounts });
  isolated = await serve({ root: join(ROOT, "www"), mounts, isolate: true });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: CHROMIUM_FLAGS,
  });
});

after(async () => {
  await browser?.close();
  await server?.close();
  await isolated?.close();
  if (folder) await rm(folder, { recursive: true });
});

test("the engine with relaxed SIMD is chosen where there is such a thing", async () => {
  await withPage(async (page) => {
    const chosen = await page.evaluate(async () => {
      const { choose, engine } = await import("./lib/engine/engine.js");
      const plain = await import("./pkg/obscura_wasm.js");
      const relaxed = await import("./pkg/obscura_wasm_relaxed.js");
      await engine.default();
      return { here: engine === relaxed, with: choose(() => true) === relaxed, without: choose(() => false) === plain };
    });
    assert.deepEqual(chosen, { here: true, with: true, without: true }, "Chromium has it since version 114");
  }, { model: false });
});

for (const [device, engine] of [["cpu", "relaxed"], ["cpu", "plain"], ["cpu", "threads"], ["webgpu", "relaxed"]]) {
  describe(`on ${device}, the ${engine} engine`, () => {
    test("the module gives the command line's numbers, also after dispose and a second load", WHOLE_TEST, async () => {
      await withPage(async (page) => {
        const picture = [...(await readFile(PHOTO))];
        for (let round = 0; round < 2; round++) {
          const found = await page.evaluate(callEverything, { device, picture, labels: LABELS, question: QUESTION });
          assert.equal(found.info.device, device);
          assert.deepEqual(found.caption.tokens, expected.photo.tokens);
          assert.ok(Math.abs(found.caption.score - expected.photo.score) < SHADES[device]);
          assert.equal(found.pieces.trim(), expected.photo.text);
          assert.deepEqual(found.labels.map(({ label }) => label), expected.labels.labels.map(({ label }) => label));
          assertNear(found.labels.map(({ score }) => score), expected.labels.labels.map(({ score }) => score), device);
          for (const key of ["probability", "similarity"]) {
            assertNear(found.matches.map((match) => match[key]), expected.matches.matches.map((match) => match[key]), device);
          }
          assert.deepEqual(found.answer.tokens, expected.answer.tokens);
          assert.equal(found.afterDispose, "aborted");
        }
      }, { engine });
    });
  });
}

test("threads are for the CPU: with a GPU the engine is the one that has it", WHOLE_TEST, async () => {
  await withPage(async (page) => {
    const info = await page.evaluate(async () => {
      const { load } = await import("./obscura.js");
      const model = await load("test-models/blip-all.gguf", { device: "webgpu", dtype: "f32" });
      await model.dispose();
      return model.info;
    });
    assert.equal(info.device, "webgpu");
  }, { site: isolated });
});

test("without the engine for threads the other one is taken", WHOLE_TEST, async () => {
  await withPage(async (page, complaints, context) => {
    // What scripts/build-wasm writes where it cannot build that engine.
    const body = 'export default () => Promise.reject(new Error("there is none")); export const initSync = null, joinPool = null, parts = null, startPool = null;';
    await context.route("**/obscura_wasm_threads.js", (route) => route.fulfill({ contentType: "text/javascript", headers: { "Cross-Origin-Embedder-Policy": "require-corp" }, body }));
    const picture = [...(await readFile(PHOTO))];
    const found = await page.evaluate(callEverything, { device: "cpu", picture, labels: LABELS, question: QUESTION });
    assert.deepEqual(found.caption.tokens, expected.photo.tokens);
  }, { site: isolated });
});

test("a thread that breaks ends the calls, and the next call loads the model again", WHOLE_TEST, async () => {
  await withPage(async (page, complaints, context) => {
    // A thread that stops at once: the engine waits for it, and only the page can hear that it is gone.
    const body = (await readFile(join(ROOT, "www/lib/engine/thread.js"), "utf8")).replace("engine.joinPool();", 'throw new WebAssembly.RuntimeError("unreachable");');
    const headers = { "Content-Type": "text/javascript", "Cross-Origin-Embedder-Policy": "require-corp" };
    let served = 0;
    await context.route("**/thread.js", (route) => (served++ === 0 ? route.fulfill({ headers, body }) : route.continue()));
    const found = await page.evaluate(async (bytes) => {
      const { load } = await import("./obscura.js");
      const options = { device: "cpu", dtype: "f32" };
      const code = await load("test-models/blip-all.gguf", options).then(() => "no error", (error) => error.code);
      const model = await load("test-models/blip-all.gguf", options);
      const { tokens } = await model.caption(new Uint8Array(bytes));
      await model.dispose();
      return { code, tokens };
    }, [...(await readFile(PHOTO))]);
    assert.deepEqual(found, { code: "device_lost", tokens: expected.photo.tokens });
    assert.match(complaints.splice(0).join(), /unreachable/);
  }, { engine: "threads" });
});

test("a call can be aborted, and a picture can come in any form", WHOLE_TEST, async () => {
  await withPage(async (page, complaints) => {
    const found = await page.evaluate(callInEveryWay, [...(await readFile(DRAWING))]);
    assert.deepEqual(found.aborted, { running: "aborted", queued: "aborted", load: "aborted" });
    for (const [form, tokens] of Object.entries(found.tokens)) {
      assert.deepEqual(tokens, expected.drawing.tokens, `given as ${form}`);
    }
    assert.equal(found.progress[0].status, "initiate");
    const statuses = found.progress.map(({ status }) => status);
    assert.deepEqual(statuses.slice(-2), ["progress_total", "ready"]); // how many before them is a matter of pace
    assert.ok(statuses.includes("progress") && statuses.lastIndexOf("progress") < statuses.lastIndexOf("done"), `${statuses}`);
    assert.equal(found.progress.at(-1).progress, 100);
    assert.deepEqual(found.errors, {
      "no model there": "network",
      "not a model": "bad_weights",
      "another file": "integrity",
      "no picture": "bad_image",
      "no labels": "bad_input",
    });
    complaints.length = 0; // the browser's own, about the missing file
  });
});

test("unusable options are refused, none is ignored", WHOLE_TEST, async () => {
  await withPage(async (page) => {
    const found = await page.evaluate(callWithOptions, [...(await readFile(DRAWING))]);
    for (const [call, { code, message }] of Object.entries(found.refused)) {
      assert.equal(code, "bad_input", `${call}: ${message}`);
      assert.match(message, new RegExp(call.split(" ")[1]), "the option is named");
    }
    assert.deepEqual(found.tokens, expected.drawing.tokens, "null and undefined are as good as nothing");
    const [unit, raw] = found.lengths;
    assert.ok(Math.abs(unit - 1) < 1e-5 && Math.abs(raw - 1) > 1e-2, `lengths ${found.lengths}`);
    assert.ok(found.farthest < 1e-5, `a list's vectors are those of its items: ${found.farthest}`);
  });
});

// --- the command line --------------------------------------------------------------------------

async function commandLine(task, ...parameters) {
  const fixed = ["--json", "--device", "cpu", "--dtype", "f32"];
  const { stdout } = await promisify(execFile)(OBSCURA, [task, ...parameters, ...fixed]);
  return JSON.parse(stdout);
}

// --- the page ----------------------------------------------------------------------------------

/** Opens the page without a model, acts, and then wants to have seen no error and no foreign request. */
async function withPage(act, { engine = "relaxed", model = true, site = engine === "threads" ? isolated : server } = {}) {
  const context = await browser.newContext({ serviceWorkers: "block" }); // so that every request is seen here
  if (engine === "plain") {
    const body = `export * as engine from "../../pkg/obscura_wasm.js"`; // what a browser without relaxed SIMD gets
    await context.route("**/engine.js", (route) => route.fulfill({ contentType: "text/javascript", body }));
  }
  const page = await context.newPage();
  const requests = [];
  const complaints = [];
  context.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  try {
    await page.goto(`${site.url}?model=none`);
    await act(page, complaints, context);
    assert.deepEqual(complaints, []);
    const isLocal = (url) => url.startsWith(site.url) || /^(blob|data):/.test(url);
    assert.deepEqual(requests.filter((url) => !isLocal(url)), [], "requests that left the page's origin");
    const wasm = `obscura_wasm${engine === "plain" ? "" : `_${engine}`}_bg.wasm`;
    for (const part of model ? [wasm, ".gguf"] : [wasm]) {
      const path = (url) => url.split("?")[0];
      assert.ok(requests.some((url) => path(url).endsWith(part)), `the worker's requests are recorded, ${part} among them`);
    }
    assert.equal(requests.filter((url) => url.endsWith(".wasm")).every((url) => url.endsWith(wasm)), true, "one build is fetched");
  } finally {
    await context.close();
  }
}

/** Runs in the page: one load, every call, dispose. */
async function callEverything({ device, picture, labels, question }) {
  const { load } = await import("./obscura.js");
  const model = await load("test-models/blip-all.gguf", { device, dtype: "f32" });
  const bytes = new Uint8Array(picture);
  let pieces = "";
  const found = {
    info: model.info,
    caption: await model.caption(bytes, { onToken: (text) => (pieces += text) }),
    labels: await model.classify(bytes, labels),
    matches: await model.match(bytes, labels),
    answer: await model.answer(bytes, question),
    pieces,
  };
  await model.dispose();
  found.afterDispose = await model.caption(bytes).catch((error) => error.code);
  return { ...found, pieces };
}

/** Runs in the page: options that are wrong, missing, or change a vector. */
async function callWithOptions(bytes) {
  const { load } = await import("./obscura.js");
  const url = "test-models/blip-all.gguf";
  const model = await load(url, { device: "cpu", dtype: "f32", progress: undefined, signal: null });
  const picture = new Uint8Array(bytes);
  const calls = {
    "load devise": load(url, { devise: "cpu" }),
    "load dtype": load(url, { dtype: "q3" }),
    "load threads": load(url, { threads: 0 }),
    "load progress": load(url, { progress: "shown" }),
    "caption numBeam": model.caption(picture, { numBeam: 3 }),
    "caption numBeams": model.caption(picture, { numBeams: "3" }),
    "caption topP": model.caption(picture, { doSample: true, topP: Number.NaN }),
    "caption onToken": model.caption(picture, { onToken: "print" }),
    "caption signal": model.caption(picture, { signal: {} }),
    "caption options": model.caption(picture, "a photo of"),
    "classify label": model.classify(picture, ["a"], { label: "b" }),
    "classify templates": model.classify(picture, ["a"], { templates: [] }),
    "embed normalize": model.embed(picture, { normalize: "no" }),
    "match template": model.match(picture, ["a"], { template: "{}" }),
    "answer prompt": model.answer(picture, "why?", { prompt: "a" }),
    "answer answers": model.answer(picture, "why?", { answers: "yes" }),
  };
  const refused = {};
  for (const [name, call] of Object.entries(calls)) {
    refused[name] = await call.then(() => ({ message: "no error" }), ({ code, message }) => ({ code, message }));
  }
  const length = (vector) => Math.hypot(...vector);
  const distance = (a, b) => Math.hypot(...a.map((value, index) => value - b[index]));
  /** Of the vectors that a list has, from those that its items have alone. */
  const farthestFromAlone = async (items) => {
    const together = await model.embed(items, { normalize: false });
    const distances = items.map(async (item, index) => {
      const alone = await model.embed(item, { normalize: false });
      return distance(alone, together[index]) / length(alone);
    });
    return Math.max(...(await Promise.all(distances)));
  };
  const found = {
    refused,
    tokens: (await model.caption(picture, { prompt: null, numBeams: undefined, signal: null })).tokens,
    lengths: [length(await model.embed(picture)), length(await model.embed(picture, { normalize: false }))],
    farthest: await farthestFromAlone(["a cat", picture, "a dog on a red sofa", "a cat", "two dogs"]),
  };
  await model.dispose();
  return found;
}

/** Runs in the page: aborts, errors, and one picture in many forms, which all have the same pixels. */
async function callInEveryWay(bytes) {
  const { load } = await import("./obscura.js");
  const url = "test-models/blip-all.gguf";
  const options = { device: "cpu", dtype: "f32" };
  const progress = [];
  const model = await load(url, { ...options, progress: (event) => progress.push(event) });
  const codeOf = (promise) => promise.then(() => "no error", (error) => error.code);

  const file = new Blob([new Uint8Array(bytes)]);
  const image = new Image();
  image.src = "test-pictures/landscape.png";
  await image.decode();
  const bitmap = await createImageBitmap(file);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const frame = new VideoFrame(canvas, { timestamp: 0 });

  const running = new AbortController();
  const queued = new AbortController();
  const aborted = {
    running: codeOf(model.caption(file, { signal: running.signal, onToken: () => running.abort() })),
    queued: codeOf(model.classify(file, ["a", "b"], { signal: queued.signal })),
    load: codeOf(load(url, { ...options, signal: AbortSignal.timeout(1) })),
  };
  queued.abort();
  for (const key of Object.keys(aborted)) aborted[key] = await aborted[key];

  const forms = { file, bytes: new Uint8Array(bytes), address: image.src, image, bitmap, canvas, pixels, frame };
  const tokens = {};
  for (const [form, picture] of Object.entries(forms)) tokens[form] = (await model.caption(picture)).tokens;
  frame.close();
  const errors = {
    "no model there": await codeOf(load("test-models/missing.gguf")),
    "not a model": await codeOf(load(new Blob(["this is no model"]))),
    "another file": await codeOf(load(url, { sha256: "0".repeat(64) })),
    "no picture": await codeOf(model.caption(new Blob(["this is no picture"]))),
    "no labels": await codeOf(model.classify(file, [])),
  };
  await model.dispose();
  return { aborted, tokens, progress, errors };
}

function assertNear(found, wanted, device) {
  assert.equal(found.length, wanted.length);
  for (const [index, value] of found.entries()) {
    const difference = Math.abs(value - wanted[index]);
    assert.ok(difference < SHADES[device], `number ${index}: ${value}, the command line says ${wanted[index]}`);
  }
}
