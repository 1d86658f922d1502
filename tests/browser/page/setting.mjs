// What the tests of the page share: the site, served as it is with its embedded model, a browser whose
// every request is written down, the command line to compare with, and ways to work the page.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both). CHROMIUM names the browser. While
// www/models has no embedded model, a small one with random weights and every head stands in for it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { serve } from "../../../scripts/serve.mjs";
import { startProxy } from "./proxy.mjs";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
export const SAMPLE = join(ROOT, "www/samples/house-bicycle.webp");
export const OTHER = join(ROOT, "www/samples/three-dogs.webp");
export const DEVICES = ["cpu", "webgpu"];
export const SHADES = { cpu: 2e-3, webgpu: 1e-2 }; // how far a probability may lie from the command line's
export const PATIENCE = { timeout: 120_000 }; // a software GPU compiles its shaders first
export const WHOLE_TEST = { timeout: 600_000 };

const OBSCURA = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "release", "obscura");
const GOLDEN = join(ROOT, "tests/golden");
const FLAGS = [
  "--no-sandbox",
  "--disable-component-update",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];

// Chromium's own: its updates, sign-in and field suggestions, whatever page is open. A page's request to
// them would be noticed, too: withPage looks at what pages and workers ask for.
const OF_THE_BROWSER = /^\w+ (https?:\/\/)?(update\.googleapis\.com|content-autofill\.googleapis\.com|accounts\.google\.com|redirector\.gvt1\.com)[:/]/;

/** The site and a browser, with these flags besides. `close` fails if any request left this machine. */
export async function setUp({ flags = [] } = {}) {
  for (const needed of [OBSCURA, join(ROOT, "www/pkg/obscura_wasm.js")]) {
    assert.ok(existsSync(needed), `${needed} is missing: run scripts/test, which builds it`);
  }
  const folder = await mkdtemp(join(tmpdir(), "obscura-page-"));
  const { id, models, path } = await embeddedModel(folder);
  const clip = await convertInto(folder, "clip-quick", "clip");
  const servers = [];
  /** `path`, such as "/some/where": the site lies there, and beside it is nothing. `built` takes the place of www/pkg. */
  const serveAgain = async (path = "", { built, isolate } = {}) => {
    const mounts = { [path]: join(ROOT, "www"), ...(built && { [`${path}/pkg`]: built }), ...(models && { [`${path}/models`]: models }), [`${path}/test-models`]: folder };
    const { url, close } = await serve({ root: path ? join(ROOT, "tests/pictures") : join(ROOT, "www"), mounts, isolate });
    servers.push({ url, close });
    return { url: url.replace(/\/$/, `${path}/`), close };
  };
  const server = await serveAgain();
  const proxy = await startProxy();
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: [...FLAGS, ...flags],
    proxy: { server: proxy.address, bypass: "<-loopback>" },
  });
  const close = async () => {
    await browser.close();
    await Promise.all(servers.map((each) => each.close().catch(() => {}))); // some are closed already
    await proxy.close();
    await rm(folder, { recursive: true });
    const strangers = proxy.requests.filter((line) => !servers.some(({ url }) => line.split(" ")[1].startsWith(url)) && !OF_THE_BROWSER.test(line));
    assert.deepEqual(strangers, [], "requests that left the page's own site");
    return proxy.requests.filter((line) => !OF_THE_BROWSER.test(line)).map((line) => line.replace(/http:\/\/localhost:\d+/, ""));
  };
  return { id, model: path, clip, folder, server, serveAgain, browser, requests: proxy.requests, bytes: proxy.bytes, close };
}

/** Where the embedded model lies, and the folder to serve as /models where the site has none. */
async function embeddedModel(folder) {
  const site = join(ROOT, "www/models");
  const list = JSON.parse(await readFile(join(site, "models.json"), "utf8"));
  const entry = list.models.find(({ id }) => id === list.default);
  if (entry) return { id: entry.id, path: join(site, entry.url) };
  const path = join(folder, "stand-in.gguf");
  await obscura("convert", join(GOLDEN, "blip-all/model"), path, "--dtype", "f32");
  await writeFile(join(folder, "models.json"), JSON.stringify({ default: "stand-in", models: [{ id: "stand-in", url: "stand-in.gguf" }] }));
  await copyFile(join(site, "checkpoints.json"), join(folder, "checkpoints.json"));
  return { id: "stand-in", models: folder, path };
}

/** A small checkpoint of tests/golden as a file of the folder that is served as test-models; returns its path. */
export async function convertInto(folder, golden, name = golden) {
  const path = join(folder, `${name}.gguf`);
  await obscura("convert", join(GOLDEN, golden, "model"), path, "--dtype", "f32");
  return path;
}

async function obscura(...parameters) {
  const { stdout } = await promisify(execFile)(OBSCURA, parameters, { maxBuffer: 1 << 26 });
  return stdout;
}

/** What the command line says, on the CPU with the weights as they are: one object for each picture. */
export async function commandLine(task, ...parameters) {
  const lines = (await obscura(task, ...parameters, "--json", "--device", "cpu")).trim().split("\n");
  return lines.length === 1 ? JSON.parse(lines[0]) : lines.map((line) => JSON.parse(line));
}

/**
 * Opens the page, waits for its model, acts, and then wants to have seen no complaint on its console.
 * `options` are those of a browser context, besides `query` and `section`.
 */
export async function withPage({ server, browser }, { query = {}, section = "", ready = "ready", ...options }, act) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE.timeout);
  const page = await context.newPage();
  const complaints = [];
  const strangers = [];
  const notice = (request) => /^https?:/.test(request.url()) && !request.url().startsWith(server.url) && strangers.push(request.url());
  context.on("requestfinished", notice);
  context.on("requestfailed", (request) => /csp|blocked/i.test(request.failure().errorText) || notice(request));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  try {
    await page.goto(`${server.url}?${new URLSearchParams(query)}${section && `#${section}`}`);
    if (ready) await page.waitForSelector(`[data-model=${ready}]`, { state: "attached", ...PATIENCE });
    await act(page, complaints, context);
    assert.deepEqual(complaints, []);
    assert.deepEqual(strangers, []);
  } finally {
    await context.close();
  }
}

export async function goTo(page, section) {
  await page.click(`nav a[href="#${section}"]`);
  await page.waitForSelector(`#${section}:not([hidden])`);
}

/** Opens pictures by the file input and waits until what that sets off is done. */
export async function openPictures(page, ...paths) {
  await page.setInputFiles("#picture-file", paths);
  await page.waitForSelector("#picture:not([hidden])");
  await idle(page);
}

export async function idle(page) {
  await page.waitForTimeout(50); // work begins a moment after what sets it off
  await page.waitForSelector("[data-work=idle]", { state: "attached", ...PATIENCE });
}

/** Presses a button and waits for the end of the work. */
export async function press(page, selector) {
  await page.click(selector);
  await idle(page);
}

/** The texts and the first numbers of a list of bars. */
export async function barsOf(page, id) {
  const texts = await page.locator(`#${id} li > span:first-child`).allTextContents();
  const numbers = await page.locator(`#${id} li .number`).allTextContents();
  return texts.map((text, place) => ({ text, share: Number.parseFloat(numbers[place]) / 100 }));
}

/** Probabilities as shown, rounded to a tenth of a percent, against exact ones. */
export function assertShares(found, wanted, device) {
  assert.equal(found.length, wanted.length);
  for (const [place, share] of found.entries()) {
    const difference = Math.abs(share - wanted[place]);
    assert.ok(difference < 0.0006 + SHADES[device], `number ${place}: ${share}, the command line says ${wanted[place]}`);
  }
}
