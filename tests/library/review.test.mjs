// The page that `obscura alt --review` writes: in a browser, from disk, to the decisions and back into the site.
//
// Needs target/release/obscura (scripts/test builds it). CHROMIUM names the browser.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { launchBrowser, ROOT, WHOLE_TEST } from "./surroundings.mjs";

const OBSCURA = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "release", "obscura");
const MODEL = join(ROOT, "www/models/pictograms.gguf");
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const PAGE = `<html lang=en>
<img src="images/three dogs.webp"><img src=images/house.webp>
<a href=/><img src=images/house.webp></a><img src=https://example.org/x.png>`;

let folder, site, review, browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "obscura-review-"));
  site = join(folder, "site #1"); // which an address has to escape
  review = join(folder, "review.html");
  await mkdir(join(site, "images"), { recursive: true });
  await copyFile(join(ROOT, "www/samples/three-dogs.webp"), join(site, "images/three dogs.webp"));
  await copyFile(join(ROOT, "www/samples/house-bicycle.webp"), join(site, "images/house.webp"));
  await writeFile(join(site, "index.html"), PAGE);
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Resolves with the exit code. */
const alt = (...options) =>
  new Promise((resolve) => execFile(OBSCURA, ["alt", MODEL, site, "--device", "cpu", ...options], (error) => resolve(error?.code ?? 0)));

test("what is decided on the page is what the site gets", WHOLE_TEST, async () => {
  assert.equal(await alt("--review", review), 1, "something is missing");
  const context = await browser.newContext();
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(pathToFileURL(review).href);

  const rows = page.locator("#rows tr");
  const texts = await rows.locator("textarea").evaluateAll((areas) => areas.map(({ value }) => value));
  const house = "a bicycle on the right and a house on the left";
  assert.deepEqual(texts, ["", house, house, "three dogs"]); // by the picture: elsewhere, the house twice, the dogs
  assert.deepEqual(await rows.locator("input:checked").evaluateAll((all) => all.map(({ value }) => value)), ["", "apply", "", "apply"]);
  await page.waitForFunction(() => [...document.images].every(({ complete }) => complete));
  const widths = await page.locator("img").evaluateAll((images) => images.map(({ naturalWidth }) => naturalWidth > 0));
  assert.deepEqual(widths, [true, true, true], "pictures are shown from disk");
  assert.match(await rows.nth(2).textContent(), /All there is of the link to \/: say where that leads/);
  assert.match(await page.textContent("#state"), /2 of 4 are decided/);

  await page.addScriptTag({ content: await readFile(AXE, "utf8") }).catch(() => {}); // the page's policy lets scripts in by their text
  const { violations } = await page.evaluate(() => axe.run());
  assert.deepEqual(violations.map(({ id }) => id), []);

  await rows.nth(0).getByLabel("Dismiss").check();
  await rows.nth(1).getByLabel("Decoration").check();
  await rows.nth(2).locator("textarea").fill("Home"); // which applies it
  await rows.nth(3).locator("textarea").fill('three "dogs" & a cat');
  assert.match(await page.textContent("#state"), /4 of 4 are decided/);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
  assert.equal(download.suggestedFilename(), "decisions.json");
  const decisions = join(folder, "decisions.json");
  await download.saveAs(decisions);
  await context.close();
  assert.deepEqual(complaints, []);

  assert.equal(await alt("--decisions", decisions, "--write"), 0);
  const expected = PAGE.replace("<img src=\"images/three", '<img alt="three &#34;dogs&#34; &#38; a cat" src="images/three')
    .replace("<img src=images/house.webp>\n", '<img alt="" src=images/house.webp>\n')
    .replace("<a href=/><img", '<a href=/><img alt="Home"');
  assert.equal(await readFile(join(site, "index.html"), "utf8"), expected);
  assert.equal(await alt("--decisions", decisions), 0, "what was dismissed is not missing");
});
