// A tour of the page with something to see in every section, for those tests that look at all of it.

import { join } from "node:path";
import { OTHER, PATIENCE, ROOT, SAMPLE, goTo, idle, openPictures, press } from "./setting.mjs";

const ALBUM = ["three-dogs", "house-bicycle", "airplane-tree", "apple-horse", "sun-umbrella", "banana-dogs"].map((name) => join(ROOT, `www/samples/${name}.webp`));

const ACTS = {
  caption: async (page) => {
    await openPictures(page, OTHER, SAMPLE);
    const words = page.locator("#caption-text .word");
    if ((await words.count()) > 0) await words.first().focus(); // where the model looked: the small one keeps to the things for the first word alone
  },
  ask: async (page) => {
    await page.fill("#question", "how many things are there?");
    await press(page, "#answer-button");
  },
  classify: async (page) => {
    await press(page, "#classify-button");
    await press(page, "#match-button");
  },
  search: async (page) => {
    await page.waitForFunction(() => document.querySelector("#search-size").textContent !== "", null, PATIENCE);
    await page.setInputFiles("#search-files", ALBUM);
    await idle(page);
    await page.fill("#search-words", "a dog");
    await press(page, "#search-button");
  },
  alttext: async (page) => {
    await page.setInputFiles("#alttext-files", ALBUM.slice(0, 3));
    await page.locator("#alttext-rows textarea").first().fill("three dogs");
    await press(page, "#alttext-button");
  },
  compare: async (page) => {
    await page.waitForSelector("#compare-clip-map:not([hidden])", PATIENCE);
    await page.waitForSelector("#compare-blip-map:not([hidden])", PATIENCE);
    await idle(page);
  },
  models: async () => {},
};

/** Goes through all sections in their order and lets `look(section)` see each of them. */
export async function tour(page, look) {
  for (const [section, act] of Object.entries(ACTS)) {
    await goTo(page, section);
    await act(page);
    await page.evaluate(() => scrollTo(0, 0));
    await look(section);
  }
}
