// Where the model looked: a map over the picture for each word and each sentence, by pointer and by key.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SAMPLE, WHOLE_TEST, commandLine, goTo, openPictures, press, setUp, withPage } from "./setting.mjs";

let site, expected;

before(async () => {
  site = await setUp();
  expected = await commandLine("caption", site.model, SAMPLE);
}, WHOLE_TEST);

after(async () => site?.close());

test("each word of a caption shows where the model looked, on hover and by the arrow keys", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu" } }, async (page) => {
    await openPictures(page, SAMPLE);
    assert.equal(await page.textContent("#caption-text"), expected.text, "the words are the caption");
    const words = page.locator("#caption-text .word");
    assert.deepEqual(await words.allTextContents(), expected.text.split(" "));
    assert.equal(await page.isVisible("#heat"), false);
    const maps = [];
    for (const word of await words.all()) {
      await word.hover();
      maps.push(await shades(page));
      assert.match(await word.getAttribute("aria-label"), /: looked at the /);
    }
    for (const [least, most] of maps) assert.ok(least < 80 && most > 190, `shades from ${least} to ${most}`);
    await page.mouse.move(0, 0);
    assert.equal(await page.isVisible("#heat"), false);

    await words.first().focus();
    assert.equal(await page.isVisible("#heat"), true);
    await page.keyboard.press("ArrowRight");
    const focused = await page.evaluate(() => [...document.querySelectorAll(".word")].indexOf(document.activeElement));
    assert.equal(focused, 1 % (await words.count()));
    assert.equal(await page.locator("#caption-text .word[tabindex='0']").count(), 1, "one stop of the Tab key");
    await page.keyboard.press("Escape");
    assert.equal(await page.isVisible("#heat"), false);
  });
});

test("a prompt's words have no map, the others have", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu" } }, async (page) => {
    const { text } = await commandLine("caption", site.model, SAMPLE, "--prompt", "a picture of");
    await openPictures(page, SAMPLE);
    await page.fill("#caption-prompt", "a picture of");
    await press(page, "#caption-button");
    assert.equal(await page.textContent("#caption-text"), text);
    assert.equal((await page.locator("#caption-text .word").allTextContents()).join(" "), text.replace("a picture of", "").trim());
  });
});

test("each sentence shows what speaks for it", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu" } }, async (page) => {
    await openPictures(page, SAMPLE);
    await goTo(page, "classify");
    await press(page, "#match-button");
    const buttons = page.locator("#match-result button");
    assert.equal(await buttons.count(), 2);
    await buttons.first().focus();
    assert.equal(await page.isVisible("#heat"), true);
    await page.locator("#texts").focus();
    assert.equal(await page.isVisible("#heat"), false);
  });
});

/** The lightest and the darkest shade that lie over the picture, 0 to 255. */
function shades(page) {
  return page.evaluate(() => {
    const canvas = document.querySelector("#heat:not([hidden])");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let [least, most] = [255, 0];
    for (let at = 3; at < data.length; at += 4) [least, most] = [Math.min(least, data[at]), Math.max(most, data[at])];
    return [least, most];
  });
}
