// The switch for the browser's own agent, in a Chromium that has one (WebMCP): off at first, and then the loaded model
// looks at the pictures that are open, as the command line does.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OTHER, SAMPLE, WHOLE_TEST, commandLine, goTo, openPictures, setUp, withPage } from "./setting.mjs";

let site;

before(async () => {
  site = await setUp({ flags: ["--enable-features=WebMCP"] });
}, WHOLE_TEST);

after(async () => site?.close());

const offered = (page) => page.evaluate(async () => (await document.modelContext.getTools()).map(({ name }) => name));

/** What the browser's agent gets from a tool. */
const ask = (page, name, given) =>
  page.evaluate(async ([name, given]) => {
    const tool = (await document.modelContext.getTools()).find((one) => one.name === name);
    return JSON.parse(await document.modelContext.executeTool(tool, given));
  }, [name, given]);

test("the agent gets the tools when the switch is turned on, and loses them when it is turned off", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu" } }, async (page) => {
    await openPictures(page, SAMPLE, OTHER);
    await goTo(page, "models");
    await page.waitForSelector("#agents:not([hidden])");
    assert.equal(await page.isChecked("#agents-switch"), false);
    assert.deepEqual(await offered(page), []);

    await page.check("#agents-switch");
    await page.waitForFunction(async () => (await document.modelContext.getTools()).length === 4);
    assert.deepEqual((await offered(page)).sort(), ["answer", "caption", "classify", "match"]);
    assert.equal((await ask(page, "caption", {})).text, (await commandLine("caption", site.model, SAMPLE)).text);
    const question = "how many things are there?";
    const answer = await commandLine("answer", site.model, OTHER, "--question", question);
    assert.equal((await ask(page, "answer", { path: "three-dogs.webp", question })).text, answer.text);
    const { error } = await ask(page, "caption", { path: "none.webp" });
    assert.equal(error, "caption: there is no picture 'none.webp'");

    await page.uncheck("#agents-switch");
    assert.deepEqual(await offered(page), []);
  });
});

test("the switch is not there without an agent", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu", model: "none" }, ready: "none" }, async (page) => {
    await page.addInitScript(() => delete Document.prototype.modelContext);
    await page.reload();
    await goTo(page, "models");
    assert.equal(await page.isVisible("#agents"), false);
  });
});
