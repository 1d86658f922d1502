// A CoCa on the page, which does what a CLIP does and writes captions, too: words with their maps, beam search, an album of its
// own, as the command line says.

import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { ROOT, PATIENCE, SAMPLE, OTHER, WHOLE_TEST, commandLine, convertInto, goTo, idle, openPictures, press, setUp, withPage } from "./setting.mjs";

const PICTURES = [SAMPLE, OTHER, join(ROOT, "www/samples/apple-horse.webp")];
const QUERY = "a photo of a cat";
const COCA = { device: "cpu", model: "test-models/coca.gguf" };

let site, coca;

before(async () => {
  site = await setUp();
  coca = await convertInto(site.folder, "coca");
}, WHOLE_TEST);

after(async () => site?.close());

test("a CoCa's caption is the likeliest words, each with its map, and by beam search in any number", WHOLE_TEST, async () => {
  const greedy = await commandLine("caption", coca, SAMPLE, "--beams", "1");
  const searched = await commandLine("caption", coca, SAMPLE, "--beams", "4");
  await withPage(site, { query: COCA }, async (page) => {
    await openPictures(page, SAMPLE);
    assert.equal(await page.textContent("#caption-text"), greedy.text);
    assert.match(await page.textContent("#caption-score"), /^Mean probability of a word: \d+\.\d %\.$/);
    const words = page.locator("#caption-text .word");
    assert.ok((await words.count()) > 0);
    await words.first().hover();
    assert.equal(await page.isVisible("#heat"), true);

    await page.selectOption("#caption-way", "beams");
    await page.fill("#caption-count", "4"); // which is not three groups
    await press(page, "#caption-button");
    assert.equal(await page.textContent("#caption-text"), searched.text);
    assert.equal(await page.textContent("#caption-score"), "", "a sum of logits is no probability");
  });
});

test("an album of a CoCa is searched by words, and what only a BLIP can judge is not offered", WHOLE_TEST, async () => {
  const [{ embedding: query }, vectors] = [await commandLine("embed", coca, "--text", QUERY), await commandLine("embed", coca, ...PICTURES)];
  const cosine = ({ embedding }) => embedding.reduce((sum, value, place) => sum + value * query[place], 0);
  const nearest = PICTURES.map((path, place) => [basename(path), cosine(vectors[place])]).sort(([, a], [, b]) => b - a);
  await withPage(site, { query: COCA, section: "search" }, async (page) => {
    await page.waitForFunction(() => /Nothing is indexed/.test(document.querySelector("#search-size").textContent), null, PATIENCE);
    await page.setInputFiles("#search-files", PICTURES);
    await idle(page);
    assert.match(await page.textContent("#search-size"), /^3 pictures indexed/);
    await page.fill("#search-words", QUERY);
    await press(page, "#search-button");
    if (await page.isVisible("#search-all")) await press(page, "#search-all");
    assert.deepEqual(await page.locator("#search-result .file").allTextContents(), nearest.map(([name]) => name));

    await goTo(page, "classify");
    await openPictures(page, SAMPLE);
    await press(page, "#classify-button");
    assert.ok((await page.locator("#classify-result li").count()) > 1);
    await goTo(page, "alttext");
    await page.setInputFiles("#alttext-files", [SAMPLE]);
    await idle(page);
    assert.equal(await page.isDisabled("#alttext-button"), true);
  });
});
