// Every section of the page on both devices: what it shows is what the command line says about the same
// pictures and the same model.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { SAMPLE, OTHER, DEVICES, PATIENCE, WHOLE_TEST, assertShares, barsOf, commandLine, goTo, idle, openPictures, press, setUp, withPage } from "./setting.mjs";

const LABELS = ["dog", "cat", "bicycle", "house"];
const TEMPLATE = "a picture of a {}";
const SENTENCES = ["a house and a bicycle", "three dogs"];
const QUESTION = "how many dogs are there?";
const ANSWERS = ["yes", "no", "three"];

let site, expected;

before(async () => {
  site = await setUp();
  const { model } = site;
  expected = {
    captions: [await commandLine("caption", model, SAMPLE), await commandLine("caption", model, OTHER)],
    beams: await commandLine("caption", model, SAMPLE, "--beams", "3"),
    prompted: await commandLine("caption", model, SAMPLE, "--prompt", "a picture of"),
    labels: await commandLine("classify", model, SAMPLE, "--labels", LABELS.join(","), "--template", TEMPLATE),
    matches: await commandLine("match", model, SAMPLE, ...SENTENCES),
    answer: await commandLine("answer", model, SAMPLE, "--question", QUESTION),
    ranked: await commandLine("answer", model, SAMPLE, "--question", QUESTION, "--answers", ANSWERS.join(",")),
  };
}, WHOLE_TEST);

after(async () => site?.close());

for (const device of DEVICES) {
  describe(`on ${device}`, () => {
    const open = (section, act) => withPage(site, { query: { device }, section }, act);

    test("captions come word by word, for several pictures", WHOLE_TEST, async () => {
      await open("caption", async (page) => {
        await page.evaluate(recordCaptions);
        await openPictures(page, SAMPLE, OTHER);
        const [first, second] = expected.captions;
        assert.equal(await page.textContent("#caption-text"), first.text);
        const seen = await page.evaluate(() => globalThis.captionsSeen);
        const partial = seen.filter((text) => text && text !== first.text && first.text.startsWith(text));
        assert.ok(partial.length > 0, `no partial caption was shown, only: ${JSON.stringify(seen)}`);
        const all = await page.locator("#caption-all-list li").allTextContents();
        assert.deepEqual(all, [`house-bicycle.webp${first.text}`, `three-dogs.webp${second.text}`]);
        await page.click("[aria-label='Show three-dogs.webp']");
        assert.equal(await page.textContent("#caption-text"), second.text);
      });
    });

    test("captions by beam search, by sampling and from a prompt", WHOLE_TEST, async () => {
      await open("caption", async (page) => {
        await openPictures(page, SAMPLE);
        await page.fill("#caption-prompt", "a picture of");
        await press(page, "#caption-button");
        assert.equal(await page.textContent("#caption-text"), expected.prompted.text);
        await page.fill("#caption-prompt", "");
        await page.selectOption("#caption-way", "beams");
        await press(page, "#caption-button");
        const others = await page.locator("#caption-alternatives span:first-child").allTextContents();
        const found = [await page.textContent("#caption-text"), ...others];
        const wanted = [expected.beams, ...expected.beams.alternatives].map(({ text }) => text);
        assert.deepEqual(found, [...new Set(wanted)]);
        assert.ok(found.length > 1, "three beams find more than one text");
        await page.selectOption("#caption-way", "samples");
        await page.fill("#caption-count", "4");
        await press(page, "#caption-button");
        const sampled = [await page.textContent("#caption-text"), ...(await page.locator("#caption-alternatives span:first-child").allTextContents())];
        assert.equal(new Set(sampled).size, sampled.length, "alternatives differ");
        assert.ok(sampled.every((text) => text.trim() !== ""));
      });
    });

    test("a question is answered, freely and among given answers", WHOLE_TEST, async () => {
      await open("ask", async (page) => {
        await openPictures(page, SAMPLE);
        await page.fill("#question", QUESTION);
        await press(page, "#answer-button");
        assert.equal(await page.textContent("#answer-text"), expected.answer.text);
        assert.match(await page.textContent("#answer-score"), new RegExp(`${(100 * Math.exp(expected.answer.score)).toFixed(0).slice(0, -1)}`));
        await page.fill("#answers", ANSWERS.join(", "));
        await press(page, "#answer-button");
        assert.deepEqual((await barsOf(page, "answer-choices")).map(({ text }) => text), expected.ranked.answers.map(({ text }) => text));
        assert.equal(await page.locator("#history li").count(), 2);
      });
    });

    test("labels and sentences get the command line's shares", WHOLE_TEST, async () => {
      await open("classify", async (page) => {
        await openPictures(page, SAMPLE);
        await page.fill("#template", TEMPLATE);
        await page.fill("#labels", LABELS.join(", "));
        await press(page, "#classify-button");
        const bars = await barsOf(page, "classify-result");
        assert.deepEqual(bars.map(({ text }) => text), expected.labels.labels.map(({ label }) => label));
        assertShares(bars.map(({ share }) => share), expected.labels.labels.map(({ score }) => score), device);
        await page.fill("#texts", SENTENCES.join("\n"));
        await press(page, "#match-button");
        const matched = await barsOf(page, "match-result");
        assert.deepEqual(matched.map(({ text }) => text), SENTENCES);
        assertShares(matched.map(({ share }) => share), expected.matches.matches.map(({ probability }) => probability), device);
      });
    });

    test("a label that is typed changes the bars by itself", WHOLE_TEST, async () => {
      await open("classify", async (page) => {
        await openPictures(page, SAMPLE);
        await page.fill("#labels", "a dog, a cat");
        await page.waitForFunction(() => document.querySelectorAll("#classify-result li").length === 2, null, PATIENCE);
        await page.locator("#labels").press("End");
        await page.locator("#labels").pressSequentially(", a bicycle");
        await page.waitForFunction(() => document.querySelectorAll("#classify-result li").length === 3, null, PATIENCE);
        await idle(page);
      });
    });
  });
}

test("a video is asked about over its frames, and the camera gives pictures", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu" }, section: "ask", permissions: ["camera"] }, async (page) => {
    const bytes = await page.evaluate(recordVideo);
    await page.setInputFiles("#picture-file", { name: "clip.webm", mimeType: "video/webm", buffer: Buffer.from(bytes) });
    await page.waitForSelector("#frames img:nth-child(8)", PATIENCE);
    await press(page, "#answer-button");
    assert.notEqual(await page.textContent("#answer-text"), "");
    await page.click("#camera-pick");
    await page.waitForFunction(() => document.querySelector("#camera-video").videoWidth > 0);
    await page.click("#camera-record");
    await page.waitForSelector("#camera:not([open])", { state: "attached", ...PATIENCE });
    assert.equal(await page.locator("#frames img").count(), 8);
    await page.click("#camera-pick");
    await page.waitForFunction(() => document.querySelector("#camera-video").videoWidth > 0);
    await page.click("#camera-take");
    await page.waitForSelector("#camera:not([open])", { state: "attached" });
    assert.match(await page.getAttribute("#picture", "alt"), /camera\.png/);
    await idle(page);
  });
});

test("samples, paste and drop open pictures", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu" } }, async (page) => {
    await page.click("[aria-label='Sample: a house and a bicycle']");
    await page.waitForFunction((text) => document.querySelector("#caption-text").textContent === text, expected.captions[0].text, PATIENCE);
    for (const type of ["paste", "drop"]) {
      await page.evaluate(transferSample, type);
      await page.waitForFunction((count) => document.querySelectorAll("#tray-list li").length === count, type === "paste" ? 2 : 3, PATIENCE);
      await idle(page);
      assert.equal(await page.textContent("#caption-text"), expected.captions[1].text);
    }
    await page.click("#tray-clear");
    assert.equal(await page.isVisible("#picture"), false);
  });
});

test("a broken model and a broken picture are explained, and the page goes on working", WHOLE_TEST, async () => {
  await withPage(site, { query: { model: "none" }, section: "models", ready: "none" }, async (page, complaints) => {
    await page.fill("#model-url", "test-models/missing.gguf");
    await page.click("#model-form [type=submit]");
    await page.waitForSelector("[data-model=failed]", { state: "attached", ...PATIENCE });
    assert.match(await page.textContent("#model-error"), /404/);
    await page.setInputFiles("#model-file", { name: "broken.gguf", mimeType: "", buffer: Buffer.from("this is no model") });
    await page.waitForFunction(() => /broken\.gguf/.test(document.querySelector("#model-error").textContent), null, PATIENCE);
    await page.setInputFiles("#model-file", site.model);
    await page.waitForSelector("[data-model=ready]", { state: "attached", ...PATIENCE });
    assert.equal(await page.isVisible("#model-error"), false);
    await goTo(page, "caption");
    await page.setInputFiles("#picture-file", { name: "torn.png", mimeType: "image/png", buffer: Buffer.from("\x89PNG torn", "latin1") });
    await page.waitForSelector("#picture-error:not([hidden])", PATIENCE);
    assert.notEqual((await page.textContent("#picture-error")).trim(), "");
    await page.waitForSelector("#picture", { state: "hidden" }); // no broken image
    await page.setInputFiles("#picture-file", OTHER);
    await page.waitForFunction((text) => document.querySelector("#caption-text").textContent === text, expected.captions[1].text, PATIENCE);
    await idle(page);
    assert.equal(await page.isVisible("#picture-error"), false);
    complaints.length = 0; // the page writes what it explains to the console, too
  });
});

test("a model without a task says so and offers one that has it", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu", model: "test-models/clip.gguf" } }, async (page) => {
    await openPictures(page, SAMPLE);
    assert.match(await page.textContent(".need[data-task=caption]"), /cannot write captions/);
    assert.equal(await page.isDisabled("#caption-button"), true);
    await page.click(".need[data-task=caption] a");
    await page.waitForSelector("#models:not([hidden])");
    assert.equal(await page.inputValue("#model-task"), "caption");
    await goTo(page, "caption");
    await page.click(`text=go back to ${site.id}`);
    await page.waitForFunction((text) => document.querySelector("#caption-text").textContent === text, expected.captions[0].text, PATIENCE);
    await idle(page);
  });
});

test("the models are listed with what they are for, and what is kept can be cleared", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu" }, section: "models" }, async (page) => {
    await page.selectOption("#model-task", "answer");
    await page.waitForFunction(() => document.querySelectorAll("#checkpoints li").length === 3);
    assert.match(await page.textContent("#checkpoints li:nth-child(2)"), /1\.54 GB to download/);
    assert.deepEqual(await page.locator("#model-why li").allTextContents().then((lines) => lines.at(-1)), "On the CPU, as you chose.");
    await page.waitForSelector("#kept-list li");
    await page.click(`[aria-label='Clear ${site.id}']`);
    await page.waitForSelector("#kept", { state: "hidden" });
    assert.notEqual(await page.evaluate(() => document.activeElement.tagName), "BODY", "the focus goes on");
  });
});

test("a browser without WebAssembly is told so", WHOLE_TEST, async () => {
  const context = await site.browser.newContext();
  const page = await context.newPage();
  await page.addInitScript(() => delete globalThis.WebAssembly);
  await page.goto(site.server.url);
  await page.waitForSelector("#unsupported:not([hidden])");
  assert.match(await page.textContent("#unsupported"), /no WebAssembly/);
  await context.close();
});

/** Runs in the page: remembers every text that the caption's line has shown. */
function recordCaptions() {
  const line = document.querySelector("#caption-text");
  globalThis.captionsSeen = [];
  new MutationObserver(() => globalThis.captionsSeen.push(line.textContent)).observe(line, { childList: true, characterData: true, subtree: true });
}

/** Runs in the page: the bytes of a second of video that a canvas paints. */
async function recordVideo() {
  const canvas = Object.assign(document.createElement("canvas"), { width: 96, height: 96 });
  const context = canvas.getContext("2d");
  const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: "video/webm" });
  const chunks = [];
  recorder.ondataavailable = ({ data }) => chunks.push(data);
  const stopped = new Promise((done) => (recorder.onstop = done));
  recorder.start();
  for (let step = 0; step < 20; step++) {
    context.fillStyle = `hsl(${step * 18} 90% 50%)`;
    context.fillRect(0, 0, 96, 96);
    await new Promise((next) => setTimeout(next, 50));
  }
  recorder.stop();
  await stopped;
  return [...new Uint8Array(await new Blob(chunks).arrayBuffer())];
}

/** Runs in the page: a sample, as if pasted or dropped. */
async function transferSample(type) {
  const blob = await (await fetch("samples/three-dogs.webp")).blob();
  const transfer = new DataTransfer();
  transfer.items.add(new File([blob], "three-dogs.webp", { type: "image/webp" }));
  const options = { bubbles: true, cancelable: true };
  const event = type === "paste" ? new ClipboardEvent(type, { ...options, clipboardData: transfer }) : new DragEvent(type, { ...options, dataTransfer: transfer });
  document.querySelector("#stage").dispatchEvent(event);
}
