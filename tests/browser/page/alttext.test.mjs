// Alt text for a folder: what the table says is what the command line's filter says, with texts from a
// file, edited by hand and exported.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { readTexts } from "../../../www/page/exchange.js";
import { SAMPLE, OTHER, DEVICES, SHADES, WHOLE_TEST, commandLine, idle, press, setUp, withPage } from "./setting.mjs";

const GIVEN = { "house-bicycle.webp": "a house and a bicycle", "three-dogs.webp": "a key, and a fish" };

let site, matches;

before(async () => {
  site = await setUp();
  matches = await Promise.all([SAMPLE, OTHER].map((path, place) => commandLine("match", site.model, path, Object.values(GIVEN)[place])));
}, WHOLE_TEST);

after(async () => site?.close());

for (const device of DEVICES) {
  test(`on ${device}, texts are written, scored, reviewed and exported`, WHOLE_TEST, async () => {
    await withPage(site, { query: { device }, section: "alttext" }, async (page) => {
      await page.setInputFiles("#alttext-files", [SAMPLE, OTHER]);
      const csv = ["file,text", ...Object.entries(GIVEN).map(([file, text]) => `${file},"${text}"`)].join("\n");
      await page.setInputFiles("#alttext-texts", { name: "texts.csv", mimeType: "text/csv", buffer: Buffer.from(csv) });
      await page.waitForFunction(() => /2 texts added/.test(document.querySelector("#alttext-status").textContent));
      await press(page, "#alttext-button");
      const rows = await page.locator("#alttext-rows tr").all();
      assert.equal(rows.length, 2);
      for (const [place, row] of rows.entries()) {
        const [file, given] = Object.entries(GIVEN)[place];
        const lines = await row.locator(".scored p").allTextContents();
        assert.equal(lines.length, 2, `${file}: ${lines}`);
        assert.ok(lines[0].startsWith(`${given}yours, `) && /generated, /.test(lines[1]), `${lines}`);
        const shown = Number.parseFloat(/yours, ([\d.]+) %/.exec(lines[0])[1]) / 100;
        assert.ok(Math.abs(shown - matches[place].matches[0].probability) < 0.001 + SHADES[device], `${lines[0]}`);
        const kept = (await row.locator(".scored p.kept").allTextContents()).map((line) => line.replace(/(yours|generated), .*$/, ""));
        const chosen = await row.locator("td:last-child textarea").inputValue();
        assert.ok(kept.length === 0 ? chosen === "" : kept.includes(chosen), `${chosen} of ${kept}`);
      }

      await rows[1].locator("td:last-child textarea").fill('three "small" dogs');
      for (const [kind, button] of [["csv", "[data-export=csv]"], ["jsonl", "[data-export=jsonl]"]]) {
        const content = await save(page, button);
        assert.equal(readTexts(`texts.${kind}`, content).get("three-dogs.webp"), 'three "small" dogs');
      }
      assert.match(await save(page, "[data-export=html]"), /<img src="three-dogs\.webp" alt="three &quot;small&quot; dogs">/);
    });
  });
}

test("a text can be asked for again, and stopped", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu" }, section: "alttext" }, async (page) => {
    await page.setInputFiles("#alttext-files", [SAMPLE, OTHER]);
    await page.click("#alttext-button");
    await page.click("#alttext-stop");
    await idle(page);
    assert.equal(await page.textContent("#alttext-status"), "Stopped.");
    await press(page, "#alttext-button");
    assert.equal(await page.locator("#alttext-rows .scored p").count(), 2);
  });
});

async function save(page, button) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
  return readFile(await download.path(), "utf8");
}
