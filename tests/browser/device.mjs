// A GPU that goes away in the middle of the work, in a real browser: the call says so, and the next
// one loads the model again from what the browser keeps.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both). CHROMIUM names the browser.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { serve } from "../../scripts/serve.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const OBSCURA = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "release", "obscura");
const WHOLE_TEST = { timeout: 600_000 }; // a software GPU compiles its shaders first
const CHROMIUM_FLAGS = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

// In front of worker.js: keeps the device, so that the test can take it away.
const KEEP_DEVICE = `
  const request = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (...given) {
    return (self.device = await request.apply(this, given));
  };
`;

let folder, server, browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "obscura-device-"));
  const model = join(ROOT, "tests/golden/blip-all/model");
  await promisify(execFile)(OBSCURA, ["convert", model, join(folder, "blip-all.gguf"), "--dtype", "f32"]);
  server = await serve({ root: join(ROOT, "www"), mounts: { "/test-models": folder } });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: CHROMIUM_FLAGS,
  });
});

after(async () => {
  await browser?.close();
  await server?.close();
  if (folder) await rm(folder, { recursive: true });
});

test("a lost device is reported, and the next call loads the model again", WHOLE_TEST, async () => {
  const context = await browser.newContext({ serviceWorkers: "block" });
  const page = await context.newPage();
  await context.route("**/worker.js", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: KEEP_DEVICE + (await answer.text()) });
  });
  let downloads = 0;
  page.on("request", (request) => request.url().includes(".gguf") && request.method() === "GET" && downloads++);
  const picture = [...(await readFile(join(ROOT, "tests/pictures/photo.jpg")))];
  await page.goto(`${server.url}?model=none`);
  const first = await page.evaluate(async (bytes) => {
    const { load } = await import("./obscura.js");
    globalThis.picture = new Uint8Array(bytes);
    globalThis.model = await load("test-models/blip-all.gguf", { device: "webgpu", dtype: "f32" });
    return (await model.caption(picture)).tokens;
  }, picture);
  assert.equal(downloads, 1);
  const [worker] = page.workers();
  await worker.evaluate(() => self.device.destroy());
  const lost = await page.evaluate(() => model.caption(picture).then(() => "no error", ({ code }) => code));
  assert.equal(lost, "device_lost");
  const again = await page.evaluate(() => Promise.all([1, 2].map(async () => (await model.caption(picture)).tokens)));
  assert.deepEqual(again, [first, first]);
  assert.equal(downloads, 1, "the model came from the cache");
  assert.equal(page.workers().length, 1, "the old worker has ended");
  const disposed = await page.evaluate(async () => {
    await model.dispose();
    return model.caption(picture).then(() => "no error", ({ code }) => code);
  });
  assert.equal(disposed, "aborted");
  await context.close();
});
