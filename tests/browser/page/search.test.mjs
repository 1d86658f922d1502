// Search: pictures are indexed in the browser, kept across visits, found by words and by a picture as the
// command line's vectors and probabilities say, exported and deleted.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { ROOT, DEVICES, SHADES, PATIENCE, WHOLE_TEST, commandLine, goTo, idle, openPictures, press, setUp, withPage } from "./setting.mjs";

const SAMPLES = ["three-dogs", "house-bicycle", "airplane-tree", "apple-horse", "sun-umbrella", "banana-dogs"].map((name) => join(ROOT, `www/samples/${name}.webp`));
const QUERY = "a house and a bicycle";

let site, vectors, probabilities;

before(async () => {
  site = await setUp();
  const embedded = await commandLine("embed", site.model, ...SAMPLES);
  vectors = embedded.map(({ embedding }) => embedding);
  const matched = await Promise.all(SAMPLES.map((path) => commandLine("match", site.model, path, QUERY)));
  probabilities = new Map(SAMPLES.map((path, place) => [basename(path), matched[place].matches[0].probability]));
}, WHOLE_TEST);

after(async () => site?.close());

for (const device of DEVICES) {
  test(`on ${device}, pictures are indexed, found by words and by a picture, kept for the next visit, exported, deleted`, WHOLE_TEST, async () => {
    await withPage(site, { query: { device }, section: "search" }, async (page) => {
      await page.waitForFunction(() => /Nothing is indexed/.test(document.querySelector("#search-size").textContent), null, PATIENCE);
      await page.setInputFiles("#search-files", SAMPLES);
      await idle(page);
      assert.match(await page.textContent("#search-size"), /^6 pictures indexed/);
      await checkWords(page, device);

      await page.reload();
      await page.waitForFunction(() => /^6 pictures indexed/.test(document.querySelector("#search-size").textContent), null, PATIENCE);
      await checkWords(page, device); // by the small copies that were kept, of which only the order is wanted

      await openPicture(page, SAMPLES[3]);
      await press(page, "#search-like");
      assert.deepEqual(await keysOf(page), byCosine(3));

      const saved = [];
      page.on("download", (download) => saved.push(download));
      await page.click("#search-export");
      while (saved.length < 2) await page.waitForTimeout(50);
      const files = await Promise.all(saved.map(async (download) => [download.suggestedFilename().split(".").at(-1), await readFile(await download.path())]));
      const { npy, json } = Object.fromEntries(files);
      assert.equal(npy.subarray(1, 6).toString(), "NUMPY");
      assert.deepEqual(new Set(JSON.parse(json)), new Set(SAMPLES.map((path) => basename(path))));

      await page.click("[aria-label='Delete three-dogs.webp from the index']");
      await page.waitForFunction(() => /^5 pictures/.test(document.querySelector("#search-size").textContent));
      assert.ok(!(await keysOf(page)).includes("three-dogs.webp"));
      await page.click("#search-clear");
      await page.waitForFunction(() => /Nothing is indexed/.test(document.querySelector("#search-size").textContent));
    });
  });
}

async function checkWords(page, device) {
  await page.fill("#search-words", QUERY);
  await press(page, "#search-button");
  const fitting = await keysOf(page);
  assert.ok(fitting.includes("house-bicycle.webp") && fitting.length < SAMPLES.length, `what does not fit is left out: ${fitting}`);
  await press(page, "#search-all");
  const [keys, numbers] = [await keysOf(page), await page.locator("#search-result li > .quiet").allTextContents()];
  assert.deepEqual(new Set(keys), new Set(probabilities.keys()));
  for (const [place, key] of keys.entries()) {
    const difference = Math.abs(Number.parseFloat(numbers[place]) / 100 - probabilities.get(key));
    assert.ok(difference < 0.02 + SHADES[device], `${key}: ${numbers[place]}, the command line says ${probabilities.get(key)}`);
  }
}

const keysOf = (page) => page.locator("#search-result .file").allTextContents();

async function openPicture(page, path) {
  await goTo(page, "caption");
  await openPictures(page, path);
  await goTo(page, "search");
}

/** The samples' names by their vectors' cosine with one of them. */
function byCosine(place) {
  const cosine = (other) => vectors[place].reduce((sum, value, at) => sum + value * vectors[other][at], 0);
  return SAMPLES.map((_, other) => other).sort((a, b) => cosine(b) - cosine(a)).map((other) => basename(SAMPLES[other]));
}
