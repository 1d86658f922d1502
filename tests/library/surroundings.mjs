// What the tests of the library share: the small model, the command line's word on it, a browser.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const WWW = join(ROOT, "www");
export const MODEL = join(ROOT, "tests/golden/blip-all/model");
export const CLIP = join(ROOT, "tests/golden/clip-quick/model");
export const PICTURE = join(ROOT, "tests/pictures/landscape.png");
export const PHOTO = join(ROOT, "tests/pictures/photo.jpg");
export const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";
export const PATIENCE = { timeout: 120_000 };
export const WHOLE_TEST = { timeout: 300_000 };

const OBSCURA = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "release", "obscura");
const run = promisify(execFile);

/** What the command line says about the small model, unquantized, on the CPU. */
export function commandLine(task, ...parameters) {
  return commandLineOf(MODEL, "f32", task, ...parameters);
}

/** What the command line says about any model: an object, or a list where there are several lines. */
export async function commandLineOf(model, dtype, task, ...parameters) {
  const { stdout } = await run(OBSCURA, [task, model, ...parameters, "--json", "--device", "cpu", "--dtype", dtype]);
  const lines = stdout.trim().split("\n").map((line) => JSON.parse(line));
  return lines.length === 1 ? lines[0] : lines;
}

/**
 * A folder with `models/`, as www/ has one, in which the small model is the embedded one.
 * @returns {Promise<{folder: string, models: string, remove(): Promise<void>}>}
 */
export async function embedSmallModel() {
  for (const needed of [OBSCURA, join(WWW, "pkg/obscura_wasm.js")]) {
    assert.ok(existsSync(needed), `${needed} is missing: run scripts/test, which builds it`);
  }
  const folder = await mkdtemp(join(tmpdir(), "obscura-library-"));
  const models = join(folder, "models");
  await run("mkdir", [models]);
  await convert(MODEL, join(models, "small.gguf"));
  const list = { default: "small", models: [{ id: "small", url: "small.gguf", bytes: 1_900_000 }] };
  await writeFile(join(models, "models.json"), JSON.stringify(list));
  return { folder, models, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Writes a checkpoint as one file, unquantized. */
export function convert(model, file) {
  return run(OBSCURA, ["convert", model, file, "--dtype", "f32"]);
}

export function launchBrowser() {
  return chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
}

/** Opens the address, acts, and then wants to have seen no error, and no request to elsewhere. */
export async function withPage(browser, url, act, { before } = {}) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 700 } });
  const complaints = [];
  const requests = [];
  try {
    const page = await context.newPage();
    context.on("request", (request) => requests.push(request.url()));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await before?.(page);
    await page.goto(url);
    const result = await act(page, requests, complaints);
    assert.deepEqual(complaints, []);
    const { origin } = new URL(url);
    assert.deepEqual(requests.filter((address) => !address.startsWith(origin) && !/^(blob|data):/.test(address)), [], "requests that left the page's origin");
    return result;
  } finally {
    await context.close();
  }
}
