// The ready sets of labels: the embedded model's own things, and ImageNet's names once a CLIP is loaded.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { OTHER, PATIENCE, ROOT, WHOLE_TEST, assertShares, barsOf, commandLine, idle, openPictures, setUp, withPage } from "./setting.mjs";

const SHOWN = 10;
const OWN_SET = join(ROOT, "www/labels/pictograms.json");

let site, expected;

before(async () => {
  site = await setUp();
  const best = ["--top-k", String(SHOWN)];
  expected = {
    own: await commandLine("classify", site.model, OTHER, "--label-set", OWN_SET, ...best),
    imagenet: await commandLine("classify", site.clip, OTHER, "--label-set", "imagenet", "--template", "a photo of a {}", ...best),
  };
}, WHOLE_TEST);

after(async () => site?.close());

for (const [set, query, words] of [["pictograms", {}, "of 16 labels"], ["imagenet", { model: "test-models/clip.gguf" }, "of 1000 labels"]]) {
  test(`the set ${set} gives the command line's best labels`, WHOLE_TEST, async () => {
    await withPage(site, { query: { device: "cpu", ...query }, section: "classify" }, async (page) => {
      await openPictures(page, OTHER);
      await page.selectOption("#label-set", set);
      await page.waitForFunction((words) => document.querySelector("#classify-more").textContent.includes(words), words, PATIENCE);
      await idle(page);
      const wanted = expected[set === "imagenet" ? "imagenet" : "own"].labels;
      const bars = await barsOf(page, "classify-result");
      assert.deepEqual(bars.map(({ text }) => text), wanted.map(({ label }) => label));
      assertShares(bars.map(({ share }) => share), wanted.map(({ score }) => score), "cpu");
    });
  });
}

test("the set of the embedded model's things is the first of the training's list", async () => {
  const lines = (await readFile(join(ROOT, "src/scenes/objects.tsv"), "utf8")).trim().split("\n").slice(1).map((line) => line.split("\t"));
  const { labels } = JSON.parse(await readFile(OWN_SET, "utf8"));
  assert.deepEqual(labels, lines.slice(0, labels.length).map(([, name, , article]) => `${article} ${name}`));
});
