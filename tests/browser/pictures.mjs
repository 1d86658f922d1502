// Pictures in a page whose memory ends: the engine says so and goes on with the model that it has.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both). CHROMIUM names the browser.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { crc32, deflateSync } from "node:zlib";
import { chromium } from "playwright-core";
import { serve } from "../../scripts/serve.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const OBSCURA = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "release", "obscura");
const ENGINE = join(ROOT, "www/pkg/obscura_wasm_relaxed_bg.wasm");
const PAGES = 2048; // of 64 KiB: 128 MiB, which the limits of pictures do not know of
const [WIDTH, HEIGHT] = [9000, 8000]; // 216 MB as RGB

let folder, server, browser;

before(async () => {
  for (const needed of [OBSCURA, ENGINE]) {
    assert.ok(existsSync(needed), `${needed} is missing: run scripts/test, which builds it`);
  }
  folder = await mkdtemp(join(tmpdir(), "obscura-memory-"));
  await promisify(execFile)(OBSCURA, ["convert", join(ROOT, "tests/golden/blip-all/model"), join(folder, "small.gguf"), "--dtype", "f32"]);
  server = await serve({ root: join(ROOT, "www"), mounts: { "/test-models": folder } });
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  await server?.close();
  if (folder) await rm(folder, { recursive: true });
});

test("a picture that memory has no room for is an error, and the model stays loaded", { timeout: 300_000 }, async () => {
  const context = await browser.newContext({ serviceWorkers: "block" });
  let loads = 0;
  context.on("request", (request) => (loads += request.url().endsWith("small.gguf")));
  const body = withMemoryOf(await readFile(ENGINE), PAGES);
  await context.route("**/obscura_wasm_relaxed_bg.wasm", (route) => route.fulfill({ contentType: "application/wasm", body }));
  const page = await context.newPage();
  await page.goto(`${server.url}?model=none`);
  await page.evaluate(async () => {
    const { load } = await import("./obscura.js");
    globalThis.model = await load("test-models/small.gguf", { device: "cpu", dtype: "f32" });
  });
  const photo = await readFile(join(ROOT, "tests/pictures/photo.jpg"));
  const first = await caption(page, photo);
  assert.ok(first.text, JSON.stringify(first));
  const asked = loads;
  for (const [kind, file] of Object.entries(await tooLarge())) {
    const began = performance.now();
    const refused = await caption(page, file);
    assert.equal(refused.code, "out_of_memory", `${kind}: ${JSON.stringify(refused)}`);
    assert.ok(performance.now() - began < 5000, `${kind} is refused before it is decoded`);
    assert.deepEqual(await caption(page, photo), first, `after ${kind}`);
  }
  assert.equal(loads, asked, "the model was not loaded again");
  await context.close();
});

/** What the model says, or the error. Files are sent as text, which takes less time than lists of numbers. */
async function caption(page, file) {
  const base64 = file.length > 1e7 ? null : file.toString("base64");
  return page.evaluate(async ({ base64, length }) => {
    const bytes = base64 ? Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)) : new Uint8Array(length);
    if (!base64) bytes.set([0x42, 0x4d]); // "BM"
    return globalThis.model.caption(bytes).then(({ text, tokens }) => ({ text, tokens }), ({ code, message }) => ({ code, message }));
  }, { base64, length: file.length });
}

/** Files of each kind with a header for more pixels than there is room for, and one that has no room itself. */
async function tooLarge() {
  const recorded = async (kind, name) => Buffer.from(JSON.parse(await readFile(join(ROOT, `tests/golden/pictures/${kind}.json`), "utf8"))[name].file, "hex");
  const jpeg = await recorded("orientation", "jpeg-exif-1");
  const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
  jpeg.writeUInt16BE(HEIGHT, frame + 5);
  jpeg.writeUInt16BE(WIDTH, frame + 7);
  const webp = await recorded("webp", "rgb-fine");
  webp.writeUInt16LE(WIDTH, 26);
  webp.writeUInt16LE(HEIGHT, 28);
  const gif = await recorded("gif", "global-palette");
  const image = gif.indexOf(",", 25);
  gif.writeUInt16LE(WIDTH, image + 5);
  gif.writeUInt16LE(HEIGHT, image + 7);
  return { PNG: flatPng(), JPEG: jpeg, WebP: webp, GIF: gif, "a file of 200 MB": { length: 200e6 } };
}

function flatPng() {
  const chunk = (kind, data) => {
    const named = Buffer.concat([Buffer.from(kind), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(WIDTH);
  header.writeUInt32BE(HEIGHT, 4);
  header.set([8, 2], 8);
  const pixels = deflateSync(Buffer.alloc(HEIGHT * (1 + 3 * WIDTH)), { level: 1 });
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", header), chunk("IDAT", pixels), chunk("IEND", Buffer.alloc(0))]);
}

/** The module with a memory that ends after so many pages. */
function withMemoryOf(wasm, pages) {
  const MEMORY = 5;
  for (let at = 8; at < wasm.length; ) {
    const [length, start] = unsigned(wasm, at + 1);
    if (wasm[at] === MEMORY) {
      const [least] = unsigned(wasm, start + 2); // after the count of memories and the flags
      const limits = Buffer.from([1, 1, ...leb(least), ...leb(pages)]);
      return Buffer.concat([wasm.subarray(0, at + 1), Buffer.from(leb(limits.length)), limits, wasm.subarray(start + length)]);
    }
    at = start + length;
  }
  throw new Error("the module has no memory of its own");
}

/** [number, place after it], in LEB128. */
function unsigned(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) return [value, at];
  }
}

function leb(value) {
  const rest = Math.floor(value / 128);
  return rest ? [128 + (value % 128), ...leb(rest)] : [value];
}
