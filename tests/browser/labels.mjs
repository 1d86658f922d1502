// Label sets, CapFilt, decoded pictures and two models at once, through the module in a real browser:
// the numbers have to be the command line's.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both). CHROMIUM names the browser.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { serve } from "../../scripts/serve.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const OBSCURA = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "release", "obscura");
const PICTURES = join(ROOT, "tests/pictures");
const LABELS = ["tench", "crane bird", "Golden Retriever", "missile", "sunglasses", "toilet paper"];
const NEAR = 1e-4;
const WHOLE_TEST = { timeout: 300_000 };

let folder, server, browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "obscura-labels-"));
  for (const name of ["clip-quick", "blip-all"]) {
    const model = join(ROOT, "tests/golden", name, "model");
    await run("convert", model, join(folder, `${name}.gguf`), "--dtype", "f32");
  }
  const { templates } = JSON.parse(await readFile(join(ROOT, "www/labels/imagenet.json"), "utf8"));
  await writeFile(join(folder, "few.json"), JSON.stringify({ name: "few", labels: LABELS, templates }));
  await run("labels", file("clip-quick.gguf"), file("few.json"), file("few.labels"));
  await writeFile(join(folder, "blank.html"), "<!doctype html><title>blank</title>");
  server = await serve({ root: join(ROOT, "www"), mounts: { "/test": folder, "/test-pictures": PICTURES } });
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  await server?.close();
  if (folder) await rm(folder, { recursive: true });
});

const file = (name) => join(folder, name);
const picture = (name) => join(PICTURES, name);

async function run(...words) {
  const { stdout } = await promisify(execFile)(OBSCURA, words, { maxBuffer: 1 << 26 });
  return stdout;
}

async function json(...words) {
  return JSON.parse(await run(...words, "--json"));
}

/** Runs `act` in a page that has the module, with `argument`. */
async function inPage(act, argument) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(`${server.url}test/blank.html`);
    return await page.evaluate(act, argument);
  } finally {
    await context.close();
  }
}

function assertLabels(found, expected) {
  assert.deepEqual(found.map(({ label }) => label), expected.map(({ label }) => label));
  for (const [place, { score }] of found.entries()) {
    assert.ok(Math.abs(score - expected[place].score) < NEAR, `${score} for ${expected[place].score}`);
  }
}

test("a label set, its vectors and the command line's file of them classify alike", WHOLE_TEST, async () => {
  const classify = (...more) =>
    json("classify", file("clip-quick.gguf"), picture("landscape.png"), "--label-set", file("few.json"), ...more);
  const found = await inPage(async () => {
    const { labelSet, load, openLabels } = await import("/obscura.js");
    const model = await load("/test/clip-quick.gguf", { device: "cpu" });
    const image = "/test-pictures/landscape.png";
    const set = await openLabels("/test/few.json");
    const events = [];
    const fromSet = await model.classify(image, set, { progress: (event) => events.push(event) });
    const silent = [];
    const encoded = await model.embedLabels(set, { progress: (event) => silent.push(event) });
    const kept = await openLabels(encoded.toBlob());
    const fromFile = await openLabels(new URL("/test/few.labels", location.href));
    const imagenet = await labelSet("imagenet");
    const other = await load("/test/blip-all.gguf", { device: "cpu" });
    const withoutTexts = await load("/test/clip-quick.gguf", { device: "cpu", tasks: ["embed-image"] });
    const codeOf = (promise) => promise.then(() => "no error", ({ code, message }) => `${code}: ${message}`);
    const stopping = new AbortController();
    const found = {
      fromSet,
      events,
      silent,
      fromVectors: await model.classify(image, encoded),
      fromKept: await model.classify(image, kept),
      fromFile: await model.classify(image, fromFile, { topK: 2 }),
      byHalf: await withoutTexts.classify(image, fromFile, { topK: 2 }),
      cosines: await model.classify(image, Promise.resolve(fromFile), { scores: "cosine" }),
      sets: [set, kept, fromFile].map(({ labels, isEncoded }) => ({ labels, isEncoded })),
      imagenet: [imagenet.labels.length, imagenet.templates.length, imagenet.ids.length, imagenet.isEncoded],
      fewTemplates: await model.classify(image, set, { template: "a drawing of a {}", topK: 1 }),
      refused: {
        half: await codeOf(withoutTexts.classify(image, ["a cat"])),
        foreign: await codeOf(other.classify(image, fromFile)),
        templates: await codeOf(model.classify(image, fromFile, { template: "a {}" })),
        scores: await codeOf(model.classify(image, set, { scores: "percent" })),
        topK: await codeOf(model.classify(image, set, { topK: 0 })),
        name: await codeOf(labelSet("cifar")),
        missing: await codeOf(openLabels("/test/nowhere.json")),
        damaged: await codeOf(openLabels(new Uint8Array([9, 0, 0, 0, 0, 0, 0, 0, 123]))),
        blob: await codeOf((async () => set.toBlob())()),
        stopped: await codeOf(model.embedLabels(imagenet, { signal: stopping.signal, progress: () => stopping.abort() })),
      },
    };
    await Promise.all([model, other, withoutTexts].map((one) => one.dispose()));
    return found;
  });
  assertLabels(found.fromSet, (await classify()).labels);
  assert.deepEqual(found.fromVectors, found.fromSet);
  assert.deepEqual(found.fromKept, found.fromSet);
  assertLabels(found.fromFile, (await classify("--top-k", "2")).labels);
  assert.deepEqual(found.byHalf, found.fromFile); // the image encoder is enough
  assertLabels(found.cosines, (await classify("--scores", "cosine")).labels);
  assertLabels(found.fewTemplates, (await classify("--template", "a drawing of a {}", "--top-k", "1")).labels);
  assert.deepEqual(found.events.at(-1), { loaded: 6, total: 6 });
  assert.deepEqual(found.silent, []); // everything was remembered
  assert.deepEqual(found.sets.map(({ isEncoded }) => isEncoded), [false, true, true]);
  for (const { labels } of found.sets) assert.deepEqual(labels, LABELS);
  assert.deepEqual(found.imagenet, [1000, 80, 1000, false]);
  const { half, missing, stopped, ...wrong } = found.refused;
  for (const [name, error] of Object.entries(wrong)) assert.match(error, /^bad_input: /, name);
  assert.match(wrong.foreign, /another model/);
  assert.match(half, /^unsupported_task: /);
  assert.match(missing, /^network: .*404/);
  assert.match(stopped, /^aborted: /);
});

test("captions are filtered, and a picture that is none keeps no other from being done", WHOLE_TEST, async () => {
  const texts = [["a hut", "the sea"], null, "grey letters"];
  const lines = [
    { image: picture("landscape.png"), captions: texts[0] },
    { image: picture("grey.png"), captions: [texts[2]] },
  ];
  await writeFile(file("input.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  await run("filter", file("blip-all.gguf"), file("input.jsonl"), file("output.jsonl"), "--threshold", "0.4");
  const expected = (await readFile(file("output.jsonl"), "utf8")).trim().split("\n").map((line) => JSON.parse(line));
  const found = await inPage(async (texts) => {
    const { load } = await import("/obscura.js");
    const model = await load("/test/blip-all.gguf", { device: "cpu" });
    const images = ["/test-pictures/landscape.png", new Blob(["no picture"]), "/test-pictures/grey.png"];
    const codeOf = (promise) => promise.then(() => "no error", (error) => error.code);
    const heard = [];
    const filter = (options) => model.filter(images, texts, { threshold: 0.4, ...options });
    const results = await filter({ seed: 3, onResult: (place, { best }) => heard.push([place, best]) });
    const plain = (list) => list.map(({ texts, best, error }) => ({ texts, best, code: error?.code }));
    const stopping = new AbortController();
    const found = {
      results: plain(results),
      again: plain(await filter({ seed: 3 })),
      withoutTexts: plain(await model.filter(images.slice(0, 1))),
      missing: plain(await model.filter(["/test-pictures/nowhere.png", images[0]])),
      heard,
      refused: await Promise.all([
        codeOf(model.filter([])),
        codeOf(model.filter(images, ["one"])),
        codeOf(model.filter(images, [1, 2, 3])),
        codeOf(filter({ threshold: 2 })),
        codeOf(filter({ treshold: 0.5 })),
      ]),
      stopped: await codeOf(filter({ signal: stopping.signal, onResult: () => stopping.abort() })),
    };
    await model.dispose();
    return found;
  }, texts);
  const [first, broken, last] = found.results;
  assert.equal(broken.code, "bad_image");
  assert.deepEqual([broken.texts, broken.best], [[], null]);
  for (const [result, line] of [[first, expected[0]], [last, expected[1]]]) {
    const given = result.texts.filter(({ generated }) => !generated);
    const wanted = line.judged.filter(({ generated }) => !generated);
    assert.deepEqual(given.map(({ text, kept }) => ({ text, kept })), wanted.map(({ text, kept }) => ({ text, kept })));
    for (const [place, { probability }] of given.entries()) {
      assert.ok(Math.abs(probability - wanted[place].probability) < NEAR);
    }
    assert.equal(result.texts.length, given.length + 1, "one text was written");
    const best = result.texts.find(({ reason }) => reason === "best");
    assert.equal(result.best, best?.text ?? null);
  }
  assert.deepEqual(found.again, found.results);
  assert.deepEqual(found.heard, found.results.map(({ best }, place) => [place, best]));
  assert.equal(found.withoutTexts[0].texts.length, 1);
  assert.deepEqual(found.missing.map(({ code }) => code), ["network", undefined]);
  assert.deepEqual(found.refused, Array(5).fill("bad_input"));
  assert.equal(found.stopped, "aborted");
});

test("a picture is decoded once for two models, which say what each says alone", WHOLE_TEST, async () => {
  const found = await inPage(async (labels) => {
    const { compare, decode, DecodedPicture, load } = await import("/obscura.js");
    const [clip, blip] = await Promise.all(["clip-quick", "blip-all"].map((name) => load(`/test/${name}.gguf`, { device: "cpu" })));
    const image = "/test-pictures/photo.jpg";
    const alone = { labels: await clip.classify(image, labels), caption: await blip.caption(image) };
    const pieces = [];
    const together = await compare({ clip, blip }, image, { labels, onToken: (text) => pieces.push(text) });
    const [decoded, byModel] = [await decode(image), await clip.decode(image)];
    const few = await compare({ clip, blip }, decoded, { labels, topK: 1, scores: "cosine", maxNewTokens: 3 });
    const codeOf = (promise) => promise.then(() => "no error", (error) => error.code);
    const pixels = decoded.toImageData();
    const same = byModel.toImageData().data.every((value, place) => value === pixels.data[place]);
    const found = {
      alone,
      together,
      text: pieces.join("").trim(),
      few: [few.labels.length, few.caption.tokens.length],
      isDecoded: decoded instanceof DecodedPicture && (await decode(decoded)) === decoded,
      size: [decoded.width, decoded.height, pixels.data.length],
      same,
      again: (await blip.caption(decoded)).tokens,
      refused: await Promise.all([
        codeOf(compare({ clip }, image, { labels })),
        codeOf(compare({ clip, blip }, image, {})),
        codeOf(compare({ clip, blip }, image, { labels, label: "a" })),
        codeOf(compare({ clip, blip: clip }, image, { labels })),
        codeOf(decode(new Blob(["no picture"]))),
        codeOf(decode(image, { signal: AbortSignal.abort() })),
      ]),
      afterwards: (await decode(image)).width,
    };
    await Promise.all([clip.dispose(), blip.dispose()]);
    return found;
  }, LABELS);
  assert.deepEqual(found.together, found.alone);
  assert.equal(found.text, found.alone.caption.text);
  assert.deepEqual(found.few, [1, 4]); // [DEC] and three
  assert.ok(found.isDecoded && found.same);
  const [width, height, bytes] = found.size;
  assert.equal(bytes, 4 * width * height);
  assert.equal(found.afterwards, width);
  assert.deepEqual(found.again, found.alone.caption.tokens);
  const expected = ["bad_input", "bad_input", "bad_input", "unsupported_task", "bad_image", "aborted"];
  assert.deepEqual(found.refused, expected);
});

test("answers are ranked among the candidates that are asked for", WHOLE_TEST, async () => {
  const answers = ["yellow", "red and blue", "three", "no", "a large grey cat"];
  const question = "what color is the sun?";
  const words = ["answer", file("blip-all.gguf"), picture("landscape.png"), "--question", question];
  const expected = (await json(...words, "--answers", answers.join(","), "--candidates", "2")).answers;
  const found = await inPage(async ({ answers, question }) => {
    const { load } = await import("/obscura.js");
    const model = await load("/test/blip-all.gguf", { device: "cpu" });
    const ranked = await model.answer("/test-pictures/landscape.png", question, { answers, candidates: 2 });
    await model.dispose();
    return ranked;
  }, { answers, question });
  assert.deepEqual(found.map(({ text }) => text), expected.map(({ text }) => text));
  assert.equal(found.length, 2);
});
