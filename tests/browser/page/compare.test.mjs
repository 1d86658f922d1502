// Compare: at once with the small CLIP that comes with the page, and with any other; each says what the command line
// says of the same picture.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SAMPLE, OTHER, DEVICES, PATIENCE, ROOT, WHOLE_TEST, assertShares, barsOf, commandLine, goTo, idle, openPictures, press, setUp, withPage } from "./setting.mjs";

const LABELS = ["dog", "house", "tree"];
const QUESTION = "what is in the picture?";
const OF_DRAWINGS = "a drawing of a {}";

let site, beside;

before(async () => {
  site = await setUp();
  const { beside: id, models } = JSON.parse(await readFile(join(ROOT, "www/models/models.json"), "utf8"));
  beside = models.find((model) => model.id === id);
}, WHOLE_TEST);

after(async () => site?.close());

async function expectedOf(clip, template) {
  const caption = (await commandLine("caption", site.model, SAMPLE)).text;
  const sentences = LABELS.map((label) => template.replace("{}", label));
  const { matches } = await commandLine("match", site.model, SAMPLE, caption, ...sentences);
  const matched = matches.map(({ probability }, place) => ({ label: [caption, ...LABELS][place], share: probability }));
  return {
    clip: (await commandLine("classify", clip, SAMPLE, "--labels", LABELS.join(","), "--template", template)).labels,
    matched: matched.sort((a, b) => b.share - a.share),
    caption,
    answer: (await commandLine("answer", site.model, SAMPLE, "--question", QUESTION)).text,
  };
}

async function assertCompared(page, expected, device) {
  assert.equal(await page.textContent("#compare-caption"), expected.caption);
  assert.equal(await page.textContent("#compare-answer"), `${QUESTION} ${expected.answer}`);
  const lists = [
    ["compare-labels-result", expected.clip.map(({ label, score }) => ({ label, share: score }))],
    ["compare-blip-result", expected.matched],
  ];
  for (const [list, wanted] of lists) {
    const bars = await barsOf(page, list);
    assert.deepEqual(bars.map(({ text }) => text), wanted.map(({ label }) => label));
    assertShares(bars.map(({ share }) => share), wanted.map(({ share }) => share), device);
  }
  for (const role of ["clip", "blip"]) {
    assert.match(await page.textContent(`#compare-${role}-facts`), /million parameters, \d+\.\d MB.*\d (ms|s)/, role);
    assert.match(await page.getAttribute(`#compare-${role}-heat`, "aria-label"), /at the /, role);
    assert.ok(await lightsDiffer(page, `#compare-${role}-heat`), `${role}'s map shows nothing`);
  }
}

/** Whether a map lies over the picture: parts of its edges, which have one colour, are darker than others. */
function lightsDiffer(page, canvas) {
  return page.$eval(canvas, (element) => {
    const { width, height } = element;
    const edges = [[0, 0, width, 1], [0, height - 1, width, 1], [0, 0, 1, height], [width - 1, 0, 1, height]];
    const reds = edges.flatMap((edge) => [...element.getContext("2d").getImageData(...edge).data].filter((_, place) => place % 4 === 0));
    return width > 50 && Math.max(...reds) - Math.min(...reds) > 10;
  });
}

for (const device of DEVICES) {
  test(`on ${device}, a first visit compares at once, without any choice`, WHOLE_TEST, async () => {
    assert.ok(beside, "no model is listed beside the embedded one");
    const expected = await expectedOf(join(ROOT, "www/models", beside.url), OF_DRAWINGS);
    await withPage(site, { query: { device } }, async (page) => {
      const fetched = () => site.requests.filter((line) => line.includes(beside.url)).length;
      const before = fetched();
      await openPictures(page, SAMPLE);
      assert.equal(fetched(), before, "it is fetched when Compare is opened, not before");
      await page.$eval("#compare-labels", (field, labels) => (field.value = labels), LABELS.join(", "));
      await goTo(page, "compare");
      await page.waitForSelector("#compare-clip-map:not([hidden])", PATIENCE);
      await page.waitForSelector("#compare-blip-map:not([hidden])", PATIENCE);
      await idle(page);
      assert.ok(fetched() > before);
      await assertCompared(page, expected, device);
      assert.match(await page.textContent("#announcer"), /^CLIP chooses “house”, .*BLIP writes “.*house.*”\.$/);
      assert.equal(await page.textContent("#compare-verdict"), "Both name “house”.");
    });
  });
}

test("another picture is compared when it is opened, and another question when it is asked", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu" }, section: "compare" }, async (page) => {
    await page.waitForFunction(() => /beside it/.test(document.querySelector("#companion-status").textContent), null, PATIENCE);
    assert.equal(await page.isDisabled("#compare-button"), true, "there is no picture yet");
    await openPictures(page, OTHER);
    const { text } = await commandLine("caption", site.model, OTHER);
    assert.equal(await page.textContent("#compare-caption"), text);
    await page.fill("#compare-question", "how many dogs are there?");
    await press(page, "#compare-button");
    const answer = await commandLine("answer", site.model, OTHER, "--question", "how many dogs are there?");
    assert.equal(await page.textContent("#compare-answer"), `how many dogs are there? ${answer.text}`);
  });
});

test("any other model can be the second", WHOLE_TEST, async () => {
  const expected = await expectedOf(site.clip, "a photo of a {}");
  await withPage(site, { query: { device: "cpu" }, section: "compare" }, async (page) => {
    await page.waitForFunction(() => /beside it/.test(document.querySelector("#companion-status").textContent), null, PATIENCE);
    await page.click("#companion-other summary");
    await page.fill("#companion-source", "test-models/clip.gguf");
    await page.click("#companion-button");
    await page.waitForFunction(() => /beside it test-models\/clip\.gguf/.test(document.querySelector("#companion-status").textContent), null, PATIENCE);
    await page.fill("#compare-labels", LABELS.join(", "));
    await openPictures(page, SAMPLE);
    await assertCompared(page, expected, "cpu");
  });
});

test("a model of the same family is no second one, and the page says so", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu", model: "test-models/clip.gguf" }, section: "compare" }, async (page) => {
    await page.waitForFunction(() => /A BLIP is missing/.test(document.querySelector("#companion-status").textContent), null, PATIENCE);
    await page.fill("#companion-source", "test-models/clip.gguf"); // the form is open by itself
    await page.click("#companion-button");
    await page.waitForFunction(() => /Both are of one family/.test(document.querySelector("#companion-status").textContent), null, PATIENCE);
    assert.equal(await page.isDisabled("#compare-button"), true);
  });
});
