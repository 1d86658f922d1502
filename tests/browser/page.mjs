// The real page in a real browser, with a small BLIP that has every head: what it shows has to be
// what the command line says about the same pictures, on the CPU and on WebGPU.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both). CHROMIUM names the browser;
// SCREENSHOTS a folder in which to keep the pictures of the page.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
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
const PATIENCE = { timeout: 240_000 }; // a software GPU compiles its shaders first
const WHOLE_TEST = { timeout: 600_000 };
const SHADES = { cpu: 1e-4, webgpu: 1e-3 }; // how far a probability may lie from the command line's
const CHROMIUM_FLAGS = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

let folder, server, browser, expected;

before(async () => {
  for (const needed of [OBSCURA, MODEL, join(ROOT, "www/pkg/obscura_wasm.js")]) {
    assert.ok(existsSync(needed), `${needed} is missing: run scripts/test, which builds it`);
  }
  folder = await mkdtemp(join(tmpdir(), "obscura-page-"));
  const gguf = join(folder, "blip-all.gguf");
  await promisify(execFile)(OBSCURA, ["convert", MODEL, gguf, "--dtype", "f32"]);
  await writeFile(join(folder, "broken.gguf"), "this is no model");
  expected = {
    photo: await commandLine("caption", gguf, PHOTO),
    drawing: await commandLine("caption", gguf, DRAWING),
    labels: await commandLine("classify", gguf, PHOTO, "--labels", LABELS.join(",")),
    matches: await commandLine("match", gguf, PHOTO, ...LABELS),
    answer: await commandLine("answer", gguf, PHOTO, "--question", QUESTION),
  };
  const mounts = { "/test-models": folder, "/test-pictures": join(ROOT, "tests/pictures") };
  server = await serve({ root: join(ROOT, "www"), mounts });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: CHROMIUM_FLAGS,
  });
});

after(async () => {
  await browser?.close();
  await server?.close();
  if (folder) await rm(folder, { recursive: true });
});

for (const device of ["cpu", "webgpu"]) {
  describe(`on ${device}`, () => {
    test("caption, labels, matches and answer are the command line's", WHOLE_TEST, async () => {
      await withPage({ device }, async (page) => {
        await page.evaluate(recordCaptions);
        await dropPicture(page, PHOTO);
        assert.equal(await captionOf(page), expected.photo.text);
        const seen = await page.evaluate(() => globalThis.captionsSeen);
        const partial = seen.filter((text) => text && text !== expected.photo.text && expected.photo.text.startsWith(text));
        assert.ok(partial.length > 0, `no partial caption was shown, only: ${JSON.stringify(seen)}`);

        await page.fill("#labels", LABELS.join(", "));
        await runTask(page, "classify");
        const best = expected.labels.labels[0];
        assert.equal(await page.textContent("#classify-result li:first-child span"), best.label);
        const shown = Number.parseFloat(await page.textContent("#classify-result li:first-child .number"));
        assert.ok(Math.abs(shown - 100 * best.score) < 0.06 + 100 * SHADES[device], `${shown} % for ${best.score}`);

        await page.fill("#texts", LABELS.join("\n"));
        await runTask(page, "match");
        assert.deepEqual(await page.locator("#match-result li span:first-child").allTextContents(), LABELS);

        await page.fill("#question", QUESTION);
        await runTask(page, "answer");
        assert.equal(await page.textContent("#answer-text"), expected.answer.text);
        await keepScreenshots(page, device);
      });
    });

    test("the module gives the command line's numbers, also after dispose and a second load", WHOLE_TEST, async () => {
      await withPage({ device, model: null }, async (page) => {
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
      });
    });
  });
}

test("a broken model and a broken picture are explained, and the page goes on working", WHOLE_TEST, async () => {
  await withPage({ device: "cpu", model: "test-models/broken.gguf", ready: "failed" }, async (page, complaints) => {
    assert.match(await page.textContent("#model-error"), /broken\.gguf/);
    await page.fill("#model-url", "test-models/missing.gguf");
    await page.click("#model-form [type=submit]");
    await page.waitForFunction(() => /404/.test(document.querySelector("#model-error").textContent));
    await page.setInputFiles("#model-file", join(folder, "blip-all.gguf"));
    await page.waitForSelector("[data-model=ready]", PATIENCE);
    assert.equal(await page.isVisible("#model-error"), false);

    await page.setInputFiles("#picture-file", { name: "torn.png", mimeType: "image/png", buffer: Buffer.from("\x89PNG torn", "latin1") });
    await page.waitForSelector("#work-error:not([hidden])", PATIENCE);
    assert.notEqual((await page.textContent("#work-error")).trim(), "");
    assert.equal(await page.isVisible("#picture"), false); // no broken image
    await page.setInputFiles("#picture-file", DRAWING);
    assert.equal(await captionOf(page), expected.drawing.text);
    assert.equal(await page.isVisible("#work-error"), false);
    complaints.length = 0; // the page writes what it explains to the console, too
  });
});

test("the keyboard alone leads to a caption", WHOLE_TEST, async () => {
  await withPage({ device: "cpu" }, async (page) => {
    const chooser = page.waitForEvent("filechooser"); // asked for early: it takes effect with a delay
    await tabTo(page, "picture-pick");
    await page.keyboard.press("Enter");
    await (await chooser).setFiles(PHOTO);
    assert.equal(await captionOf(page), expected.photo.text);
    await tabTo(page, "question");
    await page.keyboard.press("Control+A");
    await page.keyboard.type(QUESTION);
    await page.keyboard.press("Enter");
    await page.waitForFunction((text) => document.querySelector("#answer-text").textContent === text, expected.answer.text, PATIENCE);
    await page.waitForSelector("[data-work=idle]");
    assert.match(await page.textContent("#announcer"), /^Answer: /);
  });
});

test("a call can be aborted, and a picture can come in any form", WHOLE_TEST, async () => {
  await withPage({ device: "cpu", model: null }, async (page, complaints) => {
    const found = await page.evaluate(callInEveryWay, [...(await readFile(DRAWING))]);
    assert.deepEqual(found.aborted, { running: "aborted", queued: "aborted", load: "aborted" });
    for (const [form, tokens] of Object.entries(found.tokens)) {
      assert.deepEqual(tokens, expected.drawing.tokens, `given as ${form}`);
    }
    assert.equal(found.progress[0].status, "initiate");
    assert.deepEqual(found.progress.slice(-4).map(({ status }) => status), ["progress", "done", "progress_total", "ready"]);
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
  await withPage({ device: "cpu", model: null }, async (page) => {
    const found = await page.evaluate(callWithOptions, [...(await readFile(DRAWING))]);
    for (const [call, { code, message }] of Object.entries(found.refused)) {
      assert.equal(code, "bad_input", `${call}: ${message}`);
      assert.match(message, new RegExp(call.split(" ")[1]), "the option is named");
    }
    assert.deepEqual(found.tokens, expected.drawing.tokens, "null and undefined are as good as nothing");
    const [unit, raw] = found.lengths;
    assert.ok(Math.abs(unit - 1) < 1e-5 && Math.abs(raw - 1) > 1e-2, `lengths ${found.lengths}`);
  });
});

// --- the command line --------------------------------------------------------------------------

async function commandLine(task, ...parameters) {
  const fixed = ["--json", "--device", "cpu", "--dtype", "f32"];
  const { stdout } = await promisify(execFile)(OBSCURA, [task, ...parameters, ...fixed]);
  return JSON.parse(stdout);
}

// --- the page ----------------------------------------------------------------------------------

/** Opens the page, waits for its model, acts, and then wants to have seen no error and no foreign request. */
async function withPage({ device, model = "test-models/blip-all.gguf", ready = "ready" }, act) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const requests = [];
  const complaints = [];
  context.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  try {
    const query = new URLSearchParams({ device, dtype: "f32", ...(model && { model }) });
    await page.goto(`${server.url}?${query}`);
    if (model) await page.waitForSelector(`[data-model=${ready}]`, { state: "attached", ...PATIENCE });
    await act(page, complaints);
    assert.deepEqual(complaints, []);
    const isLocal = (url) => url.startsWith(server.url) || /^(blob|data):/.test(url);
    assert.deepEqual(requests.filter((url) => !isLocal(url)), [], "requests that left the page's origin");
    for (const part of ["obscura_wasm_bg.wasm", ".gguf"]) {
      const path = (url) => url.split("?")[0];
      assert.ok(requests.some((url) => path(url).endsWith(part)), `the worker's requests are recorded, ${part} among them`);
    }
  } finally {
    await context.close();
  }
}

async function dropPicture(page, path) {
  const bytes = [...(await readFile(path))];
  await page.evaluate(({ bytes, name }) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" }));
    const stage = document.querySelector("#stage");
    for (const type of ["dragover", "drop"]) {
      stage.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }
  }, { bytes, name: basename(path) });
}

/** Runs in the page: remembers every text that the caption's line has shown. */
function recordCaptions() {
  const line = document.querySelector("#caption-text");
  globalThis.captionsSeen = [];
  new MutationObserver(() => globalThis.captionsSeen.push(line.textContent)).observe(line, {
    childList: true,
    characterData: true,
    subtree: true,
  });
}

async function captionOf(page) {
  await page.waitForFunction(
    () => document.documentElement.dataset.work === "idle" && document.querySelector("#caption-text").textContent,
    null,
    PATIENCE,
  );
  return page.textContent("#caption-text");
}

async function runTask(page, task) {
  await page.click(`#${task}-form button`);
  await page.waitForSelector("[data-work=idle]", { state: "attached", ...PATIENCE });
}

async function tabTo(page, id) {
  for (let presses = 0; presses < 40; presses++) {
    if (await page.evaluate((id) => document.activeElement?.id === id, id)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`the Tab key never reaches #${id}`);
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
  const found = {
    refused,
    tokens: (await model.caption(picture, { prompt: null, numBeams: undefined, signal: null })).tokens,
    lengths: [length(await model.embed(picture)), length(await model.embed(picture, { normalize: false }))],
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

async function keepScreenshots(page, device) {
  const target = process.env.SCREENSHOTS || join(folder, "screenshots");
  await mkdir(target, { recursive: true });
  for (const width of [390, 1280]) {
    await page.setViewportSize({ width, height: 900 });
    await page.screenshot({ path: join(target, `page-${device}-${width}.png`), fullPage: true });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `at ${width} pixels the page is ${overflow} pixels too wide`);
  }
}
