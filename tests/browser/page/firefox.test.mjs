// The page in Firefox, on the CPU: a caption, an answer and labels as the command line has them, nothing
// requested meanwhile, and again with the server gone. FIREFOX names the browser; without one this is
// skipped, loudly.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import puppeteer from "puppeteer-core";
import { SAMPLE, WHOLE_TEST, commandLine, setUp } from "./setting.mjs";

const FIREFOX = process.env.FIREFOX || ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find(existsSync);
const skip = FIREFOX ? false : "SKIP: there is no Firefox here (Debian: apt install firefox-esr)";
const QUESTION = "how many dogs are there?";

let site, expected, firefox;

before(async () => {
  if (skip) return;
  site = await setUp();
  expected = { caption: await commandLine("caption", site.model, SAMPLE), answer: await commandLine("answer", site.model, SAMPLE, "--question", QUESTION) };
  firefox = await puppeteer.launch({ browser: "firefox", executablePath: FIREFOX, headless: true });
}, WHOLE_TEST);

after(async () => {
  await firefox?.close();
  await site?.close();
});

test("in Firefox the page captions, answers and classifies, with its server and without", { ...WHOLE_TEST, skip }, async () => {
  const server = await site.serveAgain();
  const page = await firefox.newPage();
  page.setDefaultTimeout(120_000);
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`${server.url}?device=cpu`);
  await page.waitForSelector("[data-model=ready]");
  await settled();
  await check(page);
  assert.equal(await textOf(page, "#privacy-short"), "0 requests");
  await server.close();
  await page.reload();
  await check(page);
  assert.deepEqual(errors, []);
  await forget(page, "lib/loading/load-model.js");
  await page.reload();
  await page.waitForSelector("[data-model=failed]");
  assert.match(await textOf(page, "#model-error"), /worker broke/);
});

test("in a private window of Firefox a model is kept all the same", { ...WHOLE_TEST, skip }, async () => {
  const prefs = { "browser.privatebrowsing.autostart": true };
  const incognito = await puppeteer.launch({ browser: "firefox", executablePath: FIREFOX, headless: true, extraPrefsFirefox: prefs });
  try {
    const page = await incognito.newPage();
    await page.goto(`${site.server.url}package.json`);
    const found = await page.evaluate(async (module) => {
      const { cache, load, openAlbum } = await import(module);
      const refused = await navigator.storage.getDirectory().then(() => "", (error) => error.name);
      const warnings = [];
      const model = await load(undefined, { device: "cpu", progress: ({ status, message }) => status === "warning" && warnings.push(message) });
      await model.dispose();
      const { persistent } = await openAlbum("test");
      return { refused, warnings, persistent, complete: (await cache.list()).map(({ complete }) => complete) };
    }, new URL("obscura.js", site.server.url).href);
    assert.deepEqual(found, { refused: "SecurityError", warnings: [], persistent: false, complete: [true] });
  } finally {
    await incognito.close();
  }
});

/** As if it had never been kept. */
const forget = (page, file) =>
  page.evaluate(async (file) => (await caches.open("obscura-page")).delete(new URL(file, document.baseURI)), file);

/** Until all is put away. */
const settled = () => new Promise((put) => setTimeout(put, 4000));

async function check(page) {
  await page.waitForSelector("[data-model=ready]");
  await page.click("nav a[href='#caption']");
  await page.click("[aria-label='Sample: a house and a bicycle']");
  await shows(page, "#caption-text", expected.caption.text);
  await page.click("nav a[href='#ask']");
  await page.$eval("#question", (field, question) => (field.value = question), QUESTION);
  await page.click("#answer-button");
  await shows(page, "#answer-text", expected.answer.text);
  await page.click("nav a[href='#classify']");
  await page.waitForSelector("#classify-result li");
}

const textOf = (page, selector) => page.$eval(selector, (shown) => shown.textContent);

function shows(page, selector, text) {
  const isShown = (selector, text) => document.documentElement.dataset.work === "idle" && document.querySelector(selector).textContent === text;
  return page.waitForFunction(isShown, {}, selector, text);
}
