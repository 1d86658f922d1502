// Compare: CLIP's labels and BLIP's caption of the same picture, as the command line gives them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SAMPLE, DEVICES, PATIENCE, WHOLE_TEST, assertShares, barsOf, commandLine, openPictures, press, setUp, withPage } from "./setting.mjs";

const LABELS = ["dog", "house", "tree"];

let site, expected;

before(async () => {
  site = await setUp();
  const labels = ["--labels", LABELS.join(",")];
  expected = {
    clip: await commandLine("classify", site.clip, SAMPLE, ...labels),
    blip: await commandLine("classify", site.model, SAMPLE, ...labels),
    caption: await commandLine("caption", site.model, SAMPLE),
  };
}, WHOLE_TEST);

after(async () => site?.close());

for (const device of DEVICES) {
  test(`on ${device}, two models look at one picture`, WHOLE_TEST, async () => {
    await withPage(site, { query: { device }, section: "compare" }, async (page) => {
      await openPictures(page, SAMPLE);
      assert.equal(await page.isDisabled("#compare-button"), true);
      assert.match(await page.textContent("#companion-status"), /A CLIP is missing/);
      await page.fill("#companion-source", "test-models/clip.gguf");
      await page.click("#companion-button");
      await page.waitForSelector("#compare-button:not(:disabled)", PATIENCE);
      await page.fill("#compare-labels", LABELS.join(", "));
      await press(page, "#compare-button");
      assert.equal(await page.textContent("#compare-caption"), expected.caption.text);
      for (const [list, wanted] of [["compare-labels-result", expected.clip], ["compare-blip-result", expected.blip]]) {
        const bars = await barsOf(page, list);
        assert.deepEqual(bars.map(({ text }) => text), wanted.labels.map(({ label }) => label));
        assertShares(bars.map(({ share }) => share), wanted.labels.map(({ score }) => score), device);
      }
    });
  });
}
