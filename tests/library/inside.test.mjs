// What is seen inside the models, and videos: attention maps, the states of tokens and videos' vectors
// in the browser are the command line's; a video is sampled uniformly, and left as it was.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both). CHROMIUM names the browser.

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { serve } from "../../scripts/serve.mjs";
import { commandLine, commandLineOf, embedSmallModel, launchBrowser, PHOTO, PICTURE, ROOT, WHOLE_TEST, withPage, WWW } from "./surroundings.mjs";

const CLIP = join(ROOT, "tests/golden/clip-quick/model");
const TEXTS = ["a hut under a yellow sun", "the sea"];

let embedded, server, browser;

before(async () => {
  embedded = await embedSmallModel();
  const pages = join(embedded.folder, "pages");
  await mkdir(pages);
  await writeFile(join(pages, "empty.html"), '<!doctype html><link rel="icon" href="data:,"><title>empty</title>');
  const pictures = join(ROOT, "tests/pictures");
  server = await serve({ root: WWW, mounts: { "/models": embedded.models, "/pages": pages, "/clip": CLIP, "/pictures": pictures } });
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.close();
  await embedded?.remove();
});

/** Runs a function in an empty page. */
function inPage(act, argument) {
  return withPage(browser, new URL("pages/empty.html", server.url).href, (page) => page.evaluate(act, argument));
}

function assertNear(found, expected, bound, what) {
  assert.equal(found.length, expected.length, `${what}: as many numbers`);
  found.forEach((number, place) => {
    assert.ok(Math.abs(number - expected[place]) <= bound, `${what}, ${place}: ${number} for ${expected[place]}`);
  });
}

test("captions and matches say where the model looked", WHOLE_TEST, async () => {
  const found = await inPage(async (texts) => {
    const { load } = await import("/obscura.js");
    const model = await load(undefined, { device: "cpu", cache: false });
    const picture = new URL("/pictures/landscape.png", location.href);
    const { attention, ...caption } = await model.caption(picture, { attention: true });
    const matches = await model.match(picture, texts, { attention: true });
    const plain = await model.match(picture, texts);
    const refusal = await model.match(picture, texts, { attention: 1 }).catch(({ code }) => code);
    await model.dispose();
    return {
      caption,
      grid: [attention.rows, attention.columns],
      words: attention.tokens.map(({ id, text, map }) => ({ id, text, isTyped: map instanceof Float32Array, map: [...map] })),
      maps: matches.map((match) => [...match.attention.map]),
      probabilities: matches.map(({ probability }) => probability),
      plain,
      refusal,
    };
  }, TEXTS);
  const caption = await commandLine("caption", PICTURE, "--attention");
  assert.equal(found.caption.text, caption.text);
  assert.deepEqual(found.grid, [caption.attention.rows, caption.attention.columns]);
  assert.deepEqual(found.words.map(({ id }) => id), caption.attention.tokens.map(({ id }) => id));
  assert.equal(found.words.map(({ text }) => text).join(""), caption.text);
  found.words.forEach(({ map, isTyped }, place) => {
    assert.ok(isTyped);
    assertNear(map, caption.attention.tokens[place].map, 1e-5, "a word's map");
  });
  const { matches } = await commandLine("match", PICTURE, ...TEXTS, "--attention");
  matches.forEach(({ attention, probability }, place) => {
    const largest = Math.max(...attention.map);
    assertNear(found.maps[place], attention.map, 1e-3 * largest, "a text's map");
    assertNear([found.probabilities[place]], [probability], 1e-4, "a probability");
  });
  assert.ok(!("attention" in found.plain[0]), "maps come only where they are asked for");
  assert.equal(found.refusal, "bad_input");
});

test("tokens have states, and videos one vector", WHOLE_TEST, async () => {
  const found = await inPage(async (text) => {
    const { load } = await import("/obscura.js");
    const model = await load("/clip/", { device: "cpu", dtype: "f32", cache: false });
    const last = await model.embedTokens(text);
    const before = await model.embedTokens(text, { layer: -2, norm: false, pad: true });
    const frames = ["/pictures/landscape.png", "/pictures/photo.jpg"].map((path) => new URL(path, location.href));
    const [video, words] = await model.embed([{ frames }, text]);
    const alone = await model.embed({ frames: [frames[0]] });
    const picture = await model.embed(frames[0]);
    const codeOf = (call) => call.then(() => "none", ({ code }) => code);
    const refusals = [
      await codeOf(model.embed({ frames: [] })),
      await codeOf(model.embedTokens(text, { layer: 9 })),
      await codeOf(model.embedTokens(text, { layer: 0.5 })),
      await codeOf(model.embedTokens(text, { pad: "yes" })),
      await codeOf(model.match(frames[0], [text], { attention: true })),
    ];
    await model.dispose();
    const list = ({ ids, tokens, end, width, states, pooled }) => ({ ids, tokens, end, width, states: [...states], pooled: [...pooled] });
    return { last: list(last), before: list(before), video: [...video], words: [...words], alone: [...alone], picture: [...picture], refusals };
  }, TEXTS[0]);
  for (const [name, options] of [["last", []], ["before", ["--layer", "-2", "--no-norm", "--pad"]]]) {
    const expected = await commandLineOf(CLIP, "f32", "embed", "--text", TEXTS[0], "--tokens", ...options);
    const { states, pooled, ...rest } = found[name];
    assertNear(states, expected.states, 1e-4, "states");
    assertNear(pooled, expected.pooled, 1e-4, "pooled");
    assert.deepEqual(rest, { ids: expected.ids, tokens: expected.tokens, end: expected.end, width: expected.width });
  }
  const { embedding } = await commandLineOf(CLIP, "f32", "embed", PICTURE, PHOTO, "--video");
  assertNear(found.video, embedding, 1e-3, "a video");
  assert.equal(found.words.length, embedding.length);
  assertNear(found.alone, found.picture, 1e-6, "a video of one frame");
  assert.deepEqual(found.refusals, ["bad_input", "bad_input", "bad_input", "bad_input", "unsupported_task"]);
});

test("a video is sampled uniformly over its length and left as it was", WHOLE_TEST, async () => {
  const found = await inPage(async () => {
    const { sampleFrames } = await import("/obscura.js");
    const recorded = await record();
    const reds = (frames) => frames.map((frame) => redOf(frame));
    const ofBlob = await sampleFrames(recorded, 4);
    const byDefault = await sampleFrames(recorded);
    const video = document.createElement("video");
    video.src = URL.createObjectURL(recorded);
    const ofElement = await sampleFrames(video, 4);
    const position = video.currentTime;
    const codeOf = (call) => call.then(() => "none", ({ code }) => code);
    const controller = new AbortController();
    const aborted = codeOf(sampleFrames(recorded, 4, { signal: controller.signal }));
    controller.abort();
    const refusals = [
      await codeOf(sampleFrames(recorded, 0)),
      await codeOf(sampleFrames({})),
      await codeOf(sampleFrames(new Blob(["this is no video"]))),
      await aborted,
    ];
    return { ofBlob: reds(ofBlob), count: byDefault.length, size: [ofBlob[0].width, ofBlob[0].height], ofElement: reds(ofElement), position, refusals };

    /** Three seconds that turn from black to red. */
    async function record() {
      const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
      const context = canvas.getContext("2d");
      const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: "video/webm;codecs=vp8" });
      const pieces = [];
      recorder.ondataavailable = ({ data }) => pieces.push(data);
      recorder.start();
      const start = performance.now();
      for (let passed = 0; passed < 3000; passed = performance.now() - start) {
        context.fillStyle = `rgb(${Math.round((255 * passed) / 3000)} 0 0)`;
        context.fillRect(0, 0, 64, 48);
        await new Promise((resume) => setTimeout(resume, 20));
      }
      await new Promise((stopped) => {
        recorder.onstop = stopped;
        recorder.stop();
      });
      return new Blob(pieces, { type: "video/webm" });
    }

    function redOf(frame) {
      const context = new OffscreenCanvas(1, 1).getContext("2d");
      context.drawImage(frame, 0, 0, 1, 1);
      return context.getImageData(0, 0, 1, 1).data[0];
    }
  });
  assert.deepEqual(found.size, [64, 48]);
  assert.equal(found.count, 8);
  for (const reds of [found.ofBlob, found.ofElement]) {
    assert.equal(reds.length, 4);
    assert.ok(reds[0] < 60 && reds[3] > 120, `from black to red: ${reds}`);
    // A busy machine records few frames, so that two samples may be the same.
    assert.ok(reds.every((red, place) => place === 0 || red >= reds[place - 1]), `in order: ${reds}`);
    assert.ok(new Set(reds).size >= 3, `from all over the video: ${reds}`);
  }
  assert.equal(found.position, 0, "the element is where it was");
  assert.deepEqual(found.refusals, ["bad_input", "bad_input", "bad_image", "aborted"]);
});
