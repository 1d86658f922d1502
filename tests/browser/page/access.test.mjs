// For everybody: axe-core over every section in both schemes and both sizes, the keyboard alone from the
// first tab stop to results, and what is said aloud.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { SAMPLE, OTHER, PATIENCE, WHOLE_TEST, commandLine, idle, openPictures, setUp, withPage } from "./setting.mjs";
import { tour } from "./tour.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const QUESTION = "is there a dog?";

let site, expected;

before(async () => {
  site = await setUp();
  expected = { caption: await commandLine("caption", site.model, SAMPLE), answer: await commandLine("answer", site.model, SAMPLE, "--question", QUESTION) };
}, WHOLE_TEST);

after(async () => site?.close());

describe("axe-core finds nothing", () => {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [390, 1280]) {
      test(`in any section, ${colorScheme}, ${width} pixels wide`, WHOLE_TEST, async () => {
        await withPage(site, { query: { device: "cpu" }, colorScheme, viewport: { width, height: 850 }, bypassCSP: true }, async (page) => {
          await page.addScriptTag({ path: AXE });
          await page.click("#privacy summary");
          await check(page, "the requests");
          await page.click("#privacy summary");
          await tour(page, (section) => check(page, section));
        });
      });
    }
  }

  async function check(page, place) {
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
    const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html, failureSummary }) => `${html} (${failureSummary})`).join("; ")}`);
    assert.deepEqual(found, [], place);
  }
});

test("the keyboard alone leads through every section", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu" } }, async (page) => {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    const chooser = page.waitForEvent("filechooser"); // asked for early: it takes effect with a delay
    await tabTo(page, "#picture-pick");
    await page.keyboard.press("Enter");
    await (await chooser).setFiles(SAMPLE);
    await page.waitForFunction((text) => document.querySelector("#caption-text").textContent === text, expected.caption.text, PATIENCE);
    await idle(page);
    assert.equal(await page.textContent("#announcer"), `Caption: ${expected.caption.text}`);

    await openByKey(page, "ask");
    await tabTo(page, "#question");
    await page.keyboard.press("Control+A");
    await page.keyboard.type(QUESTION);
    await page.keyboard.press("Enter");
    await page.waitForFunction((text) => document.querySelector("#answer-text").textContent === text, expected.answer.text, PATIENCE);
    await idle(page);
    assert.equal(await page.textContent("#announcer"), `Answer: ${expected.answer.text}`);

    await openByKey(page, "classify");
    await tabTo(page, "#classify-button");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#classify-result li", PATIENCE);
    await idle(page);
    assert.match(await page.textContent("#announcer"), /^Best label: /);

    await openByKey(page, "models");
    await tabTo(page, "#model-url");
    await page.keyboard.type("test-models/clip.gguf");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => /CLIP/.test(document.querySelector("#model-status").textContent), null, PATIENCE);
    await page.waitForFunction(() => /^The model is ready/.test(document.querySelector("#announcer").textContent), null, PATIENCE);
  });
});

test("pictures are chosen and removed in the tray by keys, and focus is never lost", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu" } }, async (page) => {
    await openPictures(page, SAMPLE, OTHER);
    await tabTo(page, "[aria-label='Show three-dogs.webp']");
    await page.keyboard.press("Enter");
    await idle(page);
    assert.match(await page.getAttribute("#picture", "alt"), /three-dogs/);
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Show three-dogs.webp");
    await page.keyboard.press("Delete");
    assert.match(await page.getAttribute("#picture", "alt"), /house-bicycle/);
    assert.notEqual(await page.evaluate(() => document.activeElement.tagName), "BODY");
    assert.match(await page.textContent("#announcer"), /three-dogs\.webp was removed/);
  });
});

/** A section's link, reached by the Tab key, opens it and hands the focus to its heading. */
async function openByKey(page, section) {
  await tabTo(page, `nav a[href="#${section}"]`);
  await page.keyboard.press("Enter");
  await page.waitForSelector(`#${section}:not([hidden])`);
  assert.equal(await page.evaluate(() => document.activeElement.id), `${section}-heading`);
}

async function tabTo(page, selector) {
  for (let presses = 0; presses < 90; presses++) {
    if (await page.evaluate((selector) => document.activeElement?.matches(selector), selector)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`the Tab key never reaches ${selector}`);
}
