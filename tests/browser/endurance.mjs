// A short look for what grows: captions, loads, aborts and disposals, over and over in Chromium. The full one,
// in Firefox and on a GPU, too, is scripts/checks/endurance.mjs.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";
import { endure, launch } from "../../scripts/checks/endurance.mjs";
import { serve } from "../../scripts/serve.mjs";

const WHOLE_TEST = { timeout: 300_000 };
const COUNTS = { "a caption": 24, "a model loaded, used and disposed of": 12, "five calls, aborted one after the other": 10 };
const FIRST = 4;
const UNSURE = 160e6; // bytes by which a process goes up and down in so short a time; eight workers that are not ended have 400 MB

let server, browser;

before(async () => {
  server = await serve({ root: fileURLToPath(new URL("../../www", import.meta.url)), isolate: true });
  browser = await launch(puppeteer, "chromium");
});

after(async () => {
  await browser?.close();
  await server?.close();
});

test("nothing grows while models are used, aborted and disposed of", WHOLE_TEST, async () => {
  let looked = 0;
  for await (const { work, memory, workers } of endure(browser, server.url, { counts: COUNTS, first: FIRST, settle: 5000 })) {
    assert.equal(workers[1], workers[0], `${work}: as many workers as before`);
    const [first, last] = memory["page and worker"];
    assert.ok(last < first + UNSURE, `${work}: the process grew from ${first} to ${last} bytes`);
    looked++;
  }
  assert.equal(looked, Object.keys(COUNTS).length);
});
