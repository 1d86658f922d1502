// The page with the build for every browser alone, as scripts/demo makes it: the page works as ever, without
// threads, and nothing that it asks for is missing.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { ROOT, SAMPLE, WHOLE_TEST, commandLine, openPictures, setUp, withPage } from "./setting.mjs";

const PLAIN = ["obscura_wasm.js", "obscura_wasm_bg.wasm"];

let site, built, server;

before(async () => {
  site = await setUp();
  built = await mkdtemp(join(tmpdir(), "obscura-one-build-"));
  for (const name of PLAIN) await cp(join(ROOT, "www/pkg", name), join(built, name));
  await promisify(execFile)(join(ROOT, "scripts/build/stand-in"), [built, "relaxed", "threads"]);
  server = await site.serveAgain("", { built, isolate: true }); // as scripts/demo serves it
});

after(async () => {
  await site?.close();
  if (built) await rm(built, { recursive: true });
});

test("the page works with one build, and misses nothing", WHOLE_TEST, async () => {
  const expected = await commandLine("caption", site.model, SAMPLE);
  await withPage({ ...site, server }, { query: { device: "cpu" } }, async (page, complaints, context) => {
    const missing = [];
    context.on("response", (response) => response.status() >= 400 && missing.push(`${response.status()} ${response.url()}`));
    assert.equal(await page.evaluate(() => crossOriginIsolated), true, "threads would be possible");
    await openPictures(page, SAMPLE);
    assert.equal(await page.textContent("#caption-text"), expected.text);
    assert.deepEqual(missing, []);
  });
});
