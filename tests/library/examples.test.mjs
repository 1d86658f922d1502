// Every page of www/examples/, opened and used as people use it, with a small model as the embedded
// one: it shows what the command line says.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both). CHROMIUM names the browser.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { serve } from "../../scripts/serve.mjs";
import { CLIP, commandLineOf, convert, embedSmallModel, launchBrowser, PATIENCE, PHOTO, PICTURE, WHOLE_TEST, withPage, WWW } from "./surroundings.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const EXAMPLES = join(WWW, "examples");
const SAMPLE = join(WWW, "samples/three-dogs.webp");

let embedded, server, browser;

before(async () => {
  embedded = await embedSmallModel();
  await convert(CLIP, join(embedded.models, "clip.gguf"));
  server = await serve({ root: WWW, mounts: { "/models": embedded.models } });
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.close();
  await embedded?.remove();
});

/** How each example is used, and what it then has to show. */
const uses = {
  "index.html": async (page) => {
    const pages = (await readdir(EXAMPLES)).filter((name) => name !== "index.html").sort();
    const links = await page.locator("a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
    assert.deepEqual(links.sort(), pages, "every example is in the list");
  },

  "caption.html": async (page) => {
    await page.setInputFiles("#file", PICTURE);
    await shows(page, "#result", (await expected("caption", PICTURE)).text);
    assert.equal(await page.getAttribute("#picture", "alt"), await page.textContent("#result"));
  },

  "classify.html": async (page) => {
    await page.fill("#labels", "a cat, two dogs, the sea");
    await page.setInputFiles("#file", PHOTO);
    const { labels } = await expected("classify", PHOTO, "--labels", "a cat,two dogs,the sea", "--template", "a photo of {}");
    await shows(page, "#status", `The best label is “${labels[0].label}”.`);
    assert.deepEqual(await page.locator("#result li").allTextContents(), labels.map(({ label, score }) => `${label}: ${(100 * score).toFixed(1)} %`));
  },

  "embed.html": async (page) => {
    await page.setInputFiles("#files", [PICTURE, PHOTO]);
    const text = (await expected("embed", "--text", "a red house")).embedding;
    const pictures = await expected("embed", PICTURE, PHOTO);
    const cosine = ({ embedding }) => embedding.reduce((sum, value, place) => sum + value * text[place], 0);
    const wanted = [PICTURE, PHOTO].map((path, place) => [basename(path), cosine(pictures[place])]).sort(([, one], [, other]) => other - one);
    await shows(page, "#status", `${text.length} numbers a vector. Most like the text: ${wanted[0][0]}.`);
    await shows(page, "#result", wanted.map(([name, similarity]) => `${name}: ${similarity.toFixed(3)}`).join(""));
  },

  "match.html": async (page) => {
    await page.fill("#texts", "a red house\ntwo dogs");
    await page.setInputFiles("#file", PHOTO);
    const { matches } = await expected("match", PHOTO, "a red house", "two dogs");
    const lines = matches.map(({ text, probability, similarity }) => `${text}: ${(100 * probability).toFixed(1)} %, similarity ${similarity.toFixed(3)}`);
    await shows(page, "#result", lines.join(""));
  },

  "answer.html": async (page) => {
    await page.setInputFiles("#file", PHOTO);
    await page.click("button");
    const { text, score } = await expected("answer", PHOTO, "--question", "what is in the picture?");
    await shows(page, "#result", `${text} (${score.toFixed(2)})`);
    await page.fill("#answers", "yes, no");
    await page.click("button");
    const { answers } = await expected("answer", PHOTO, "--question", "what is in the picture?", "--answers", "yes,no");
    await shows(page, "#result", answers.map(({ text, score }) => `${text} (${score.toFixed(2)})`).join(", "));
  },

  "element.html": async (page) => {
    await page.getByRole("button", { name: "Describe this picture" }).click();
    await page.waitForSelector("obscura-caption[state=done]", PATIENCE);
    assert.equal(await page.locator("obscura-caption").evaluate((host) => host.caption.text), (await expected("caption", SAMPLE)).text);
  },

  "alt.html": async (page) => {
    await page.getByRole("button", { name: "Describe pictures" }).click();
    await page.waitForSelector("#missing[is-captioned=done]", PATIENCE);
    const { text } = await expected("caption", SAMPLE);
    assert.equal(await page.getAttribute("#missing", "alt"), text);
    assert.equal(await page.textContent("#result"), text);
    assert.equal(await page.getAttribute("#given", "alt"), "A bicycle beside a house");
    assert.equal(await page.getAttribute("#decoration", "alt"), "");
  },

  "filter.html": async (page) => {
    await page.fill("#texts", "a red house\ntwo dogs");
    await page.setInputFiles("#files", [PICTURE, PHOTO]);
    await page.waitForFunction(() => / of 2 pictures /.test(document.querySelector("#status").textContent), null, PATIENCE);
    const rows = await page.locator("#result tr").evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
    const { matches: [house] } = await expected("match", PICTURE, "a red house");
    const [{ matches: [dogs] }, ...written] = [await expected("match", PHOTO, "two dogs"), ...rows.filter(([, text]) => text.endsWith(" (generated)"))];
    const percent = ({ probability }) => `${(100 * probability).toFixed(1)} %`;
    const kept = ({ probability }) => (probability >= 0.5 ? "yes" : "no");
    assert.deepEqual(rows[0], ["landscape.png", "a red house", percent(house), kept(house)]);
    assert.deepEqual(rows.find(([name]) => name === "photo.jpg"), ["photo.jpg", "two dogs", percent(dogs), kept(dogs)]);
    assert.deepEqual(written.map(([name]) => name), ["landscape.png", "photo.jpg"], "each picture gets a written text");
  },

  "compare.html": async (page) => {
    await page.fill("#labels", "a cat, two dogs, the sea");
    await page.fill("#clip", "/models/clip.gguf");
    await page.setInputFiles("#file", PHOTO);
    await shows(page, "#status", (await expected("caption", PHOTO)).text);
    const { labels } = await commandLineOf(join(embedded.models, "clip.gguf"), "auto", "classify", PHOTO, "--labels", "a cat,two dogs,the sea");
    assert.deepEqual(await page.locator("#result li").allTextContents(), labels.map(({ label, score }) => `${label}: ${(100 * score).toFixed(1)} %`));
  },

  "labels.html": async (page) => {
    await page.fill("#model", "/models/clip.gguf");
    await page.setInputFiles("#file", PHOTO);
    await shows(page, "#status", "The best five of 1000.");
    const options = ["--label-set", "imagenet", "--template", "a photo of a {}.", "--top-k", "5"];
    const { labels } = await commandLineOf(join(embedded.models, "clip.gguf"), "auto", "classify", PHOTO, ...options);
    assert.deepEqual(await page.locator("#result li").allTextContents(), labels.map(({ label, score }) => `${label}: ${(100 * score).toFixed(1)} %`));
  },

  "search.html": async (page) => {
    await shows(page, "#status", "0 pictures in the album.");
    await page.setInputFiles("#files", [PICTURE, PHOTO]);
    await shows(page, "#status", "2 pictures in the album.");
    await page.fill("#query", "a red house");
    await page.keyboard.press("Enter");
    await shows(page, "#status", "2 of 2 pictures, best first.");
    const found = new Map();
    for (const path of [PICTURE, PHOTO]) {
      const { matches: [{ similarity, probability }] } = await expected("match", path, "a red house");
      found.set(basename(path), `${basename(path)}: ${similarity.toFixed(3)}, ${(100 * probability).toFixed(1)} %`);
    }
    const lines = await page.locator("#result li").allTextContents();
    assert.deepEqual([...lines].sort(), [...found.values()].sort());
    await page.reload();
    await shows(page, "#status", "2 pictures in the album.");
    await page.click("#clear");
    await shows(page, "#status", "0 pictures in the album.");
  },

  "attention.html": async (page) => {
    await page.setInputFiles("#file", PICTURE);
    await shows(page, "#status", "Point at a word, or go to it with the keyboard.");
    const words = await page.locator("#words button").allTextContents();
    assert.equal(words.join("").replace(/[^a-z0-9]/g, ""), (await expected("caption", PICTURE)).text.replace(/[^a-z0-9]/g, ""));
    const opacityOf = () => page.evaluate(() => {
      const canvas = document.querySelector("canvas");
      return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data].filter((_, place) => place % 4 === 3);
    });
    await page.locator("#words button").first().focus();
    const first = await opacityOf();
    assert.equal(Math.max(...first), 220, "the patch that counts most is the strongest");
    await page.locator("#words button").last().hover();
    assert.notDeepEqual(await opacityOf(), first, "each word has a map of its own");
  },

  "tokens.html": async (page) => {
    await page.fill("#model", "/models/clip.gguf");
    await page.click("button");
    await page.waitForFunction(() => /tokens, \d+ numbers each/.test(document.querySelector("#status").textContent), null, PATIENCE);
    const lines = await page.locator("#result li").allTextContents();
    assert.equal(lines.length, Number.parseInt(await page.textContent("#status")));
    assert.ok(lines.every((line) => /^\S+ \(\d+\): length \d+\.\d\d$/.test(line)), lines.join("\n"));
  },

  "video.html": async (page) => {
    await page.evaluate(recordVideo);
    await page.click("button");
    await page.waitForFunction(() => /\(-?\d/.test(document.querySelector("#result").textContent), null, PATIENCE);
    assert.equal(await page.textContent("#result"), await page.evaluate(answerAgain));
  },
};

describe("an example", WHOLE_TEST, () => {
  for (const [name, use] of Object.entries(uses)) {
    test(name, async () => {
      await withPage(browser, `${server.url}examples/${name}`, async (page) => {
        page.setDefaultTimeout(PATIENCE.timeout);
        await use(page);
        await checkWithAxe(page);
      });
    });
  }

  for (const [name, input] of Object.entries({
    caption: "#file", classify: "#file", embed: "#files", match: "#file", filter: "#files", search: "#files", attention: "#file", compare: "#file", labels: "#file",
  })) {
    test(`${name}.html takes what is chosen before its script has run`, async () => {
      const page = await browser.newPage();
      try {
        let answer;
        const chosen = new Promise((resolve) => (answer = resolve));
        await page.route("**/obscura.js", (route) => chosen.then(() => route.continue()));
        await page.goto(`${server.url}examples/${name}.html`, { waitUntil: "commit" });
        await page.setInputFiles(input, PICTURE);
        const before = await page.textContent("[role=status]");
        for (const field of ["#clip", "#model"]) if (await page.locator(field).count()) await page.fill(field, "/models/clip.gguf");
        answer();
        const isDone = (before) => {
          const { textContent } = document.querySelector("[role=status]");
          return textContent !== before && textContent !== "" && !/…|0 pictures/.test(textContent);
        };
        await page.waitForFunction(isDone, before, PATIENCE);
        const { text } = await expected("caption", PICTURE);
        if (name === "caption") await shows(page, "#result", text);
        else assert.doesNotMatch(await page.textContent("[role=status]"), /^(The .* could not|There is no)/);
      } finally {
        await page.close();
      }
    });
  }

  test("is never without a test", async () => {
    assert.deepEqual(Object.keys(uses).sort(), (await readdir(EXAMPLES)).sort());
  });
});

/** What the command line says, with the number format that a page chooses for itself. */
function expected(task, ...parameters) {
  return commandLineOf(join(embedded.models, "small.gguf"), "auto", task, ...parameters);
}

async function shows(page, selector, text) {
  const wanted = [selector, text];
  const isShown = ([selector, text]) => document.querySelector(selector).textContent.replace(/\s+/g, " ").trim() === text;
  await page.waitForFunction(isShown, wanted, PATIENCE).catch(async () => assert.equal(await page.textContent(selector), text));
}

/** Runs in the page: a second of a moving square becomes the chosen video. */
async function recordVideo() {
  const canvas = Object.assign(document.createElement("canvas"), { width: 96, height: 64 });
  const context = canvas.getContext("2d");
  const recorder = new MediaRecorder(canvas.captureStream(10), { mimeType: "video/webm;codecs=vp8" });
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const stopped = new Promise((stop) => (recorder.onstop = stop));
  recorder.start();
  for (let place = 0; place < 10; place++) {
    context.fillStyle = "white";
    context.fillRect(0, 0, 96, 64);
    context.fillStyle = "red";
    context.fillRect(8 * place, 20, 24, 24);
    await new Promise((wait) => setTimeout(wait, 100));
  }
  recorder.stop();
  await stopped;
  const transfer = new DataTransfer();
  transfer.items.add(new File(parts, "square.webm", { type: "video/webm" }));
  document.querySelector("#file").files = transfer.files;
}

/** Runs in the page: what the module says of the same video. */
async function answerAgain() {
  const { load, sampleFrames } = await import("../obscura.js");
  const model = await load();
  const frames = await sampleFrames(document.querySelector("#file").files[0], 4);
  const { text, score } = await model.answer(frames, document.querySelector("#question").value);
  await model.dispose();
  return `${text} (${score.toFixed(2)})`;
}

async function checkWithAxe(page) {
  await page.evaluate(await readFile(AXE, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`), []);
}
