// <obscura-caption> and fillAlt() on static pages: what is asked, when, what is then downloaded, and
// that people with a keyboard or a screen reader get all of it.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both). CHROMIUM names the browser.

import assert from "node:assert/strict";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { serve } from "../../scripts/serve.mjs";
import { commandLine, embedSmallModel, launchBrowser, PATIENCE, PHOTO, PICTURE, WHOLE_TEST, withPage, WWW } from "./surroundings.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src 'self' data:; style-src 'self'";
const ELEMENT = 'device="cpu" dtype="f32"';

let embedded, server, browser, expected, pages;

before(async () => {
  embedded = await embedSmallModel();
  pages = join(embedded.folder, "pages");
  await mkdir(pages);
  await copyFile(PICTURE, join(pages, "picture.png"));
  await copyFile(PHOTO, join(pages, "photo.jpg"));
  await writeFile(join(pages, "alt.js"), 'import { fillAlt } from "../alt.js"; globalThis.filler = fillAlt({ device: "cpu", dtype: "f32", minimumSize: 20 });');
  server = await serve({ root: WWW, mounts: { "/models": embedded.models, "/pages": pages } });
  expected = { picture: (await commandLine("caption", PICTURE)).text, photo: (await commandLine("caption", PHOTO)).text };
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.close();
  await embedded?.remove();
});

describe("<obscura-caption>", WHOLE_TEST, () => {
  const element = `<obscura-caption src="picture.png" ${ELEMENT}></obscura-caption>`;

  test("asks before it downloads a model, describes when the visitor agrees, and remembers that", async () => {
    await onPage(element, async (page, requests) => {
      await inState(page, "asking");
      assert.ok(!requests.some((url) => /\.(gguf|wasm)$/.test(url)), "nothing is downloaded before");
      assert.match(await page.getByRole("button", { name: "Describe this picture" }).textContent(), /Describe/);
      assert.match(await page.locator("obscura-caption").evaluate((host) => host.shadowRoot.textContent), /2 MB.*downloaded once/);
      await page.evaluate(() => {
        globalThis.seen = [];
        const host = document.querySelector("obscura-caption");
        const text = host.shadowRoot.getElementById("text");
        new MutationObserver(() => globalThis.seen.push(text.textContent)).observe(text, { childList: true, characterData: true, subtree: true });
      });
      await page.getByRole("button").click();
      await inState(page, "done");
      assert.equal(await shownText(page), expected.picture);
      const seen = await page.evaluate(() => globalThis.seen);
      assert.ok(seen.some((text) => text && text !== expected.picture && expected.picture.startsWith(text)), "words appear one by one");
      await page.reload();
      await inState(page, "done");
      assert.equal(await shownText(page), expected.picture);
    });
  });

  test("can be used with the keyboard alone, and axe finds nothing in any state", async () => {
    await onPage(element, async (page) => {
      await inState(page, "asking");
      await checkWithAxe(page);
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      const focused = await page.evaluate(() => document.querySelector("obscura-caption").shadowRoot.activeElement?.id);
      assert.equal(focused, "text", "the focus goes on to what comes");
      await inState(page, "done");
      await checkWithAxe(page);
      assert.equal(await page.getByRole("img").getAttribute("aria-labelledby"), "text");
    });
  });

  test("waits until it comes into view, and several share one model", async () => {
    const far = `<div class="far"></div><obscura-caption id="far" src="photo.jpg" consent="given" ${ELEMENT}></obscura-caption>`;
    await onPage(`<obscura-caption src="picture.png" consent="given" ${ELEMENT}></obscura-caption>${far}`, async (page, requests) => {
      await inState(page, "done");
      assert.equal(await page.getAttribute("#far", "state"), "waiting");
      await page.locator("#far").scrollIntoViewIfNeeded();
      await inState(page, "done", "#far");
      assert.equal(await shownText(page, "#far"), expected.photo);
      assert.equal(requests.filter((url) => url.endsWith(".wasm")).length, 1, "one engine");
    });
  });

  test("describes another picture when its src changes, and stops when it is taken away", async () => {
    await onPage(`<obscura-caption src="photo.jpg" consent="given" ${ELEMENT}></obscura-caption>`, async (page) => {
      await page.evaluate(() => document.querySelector("obscura-caption").setAttribute("src", "picture.png"));
      await inState(page, "done");
      assert.equal(await shownText(page), expected.picture);
      const events = await page.evaluate(async () => {
        const host = document.querySelector("obscura-caption");
        let events = 0;
        document.addEventListener("captioned", () => events++);
        host.setAttribute("src", "photo.jpg");
        host.remove();
        await new Promise((wait) => setTimeout(wait, 1000));
        return events;
      });
      assert.equal(events, 0);
    });
  });

  test("says what went wrong, and tries again", async () => {
    const broken = `<obscura-caption src="missing.png" consent="given" ${ELEMENT}></obscura-caption>`;
    await onPage(broken, async (page, _, complaints) => {
      await inState(page, "failed");
      assert.match(await shownText(page), /could not be described: The <img> shows no picture: .*missing\.png/);
      await checkWithAxe(page);
      await copyFile(PICTURE, join(pages, "missing.png"));
      await page.getByRole("button").click();
      await inState(page, "done");
      assert.equal(await shownText(page), expected.picture);
      assert.ok(complaints.splice(0).every((text) => /404/.test(text)), "only the missing picture is complained of");
    });
  });
});

describe("fillAlt()", WHOLE_TEST, () => {
  const script = '<script type="module" src="alt.js"></script>';
  const images = `<img id="missing" src="picture.png"><img id="given" src="picture.png" alt="a hut"><img id="decoration" src="picture.png" alt="">
    <img id="marked" src="photo.jpg" alt="" is-captioned><p aria-hidden="true"><img id="hidden" src="picture.png"></p>
    <div class="far"></div><img id="far" src="photo.jpg">${script}`;
  const alts = (page) => page.evaluate(() => Object.fromEntries([...document.querySelectorAll("img")].map((image) => [image.id, image.getAttribute("alt")])));
  const filled = (page, id) => page.waitForFunction((id) => document.getElementById(id).getAttribute("is-captioned") === "done", id, PATIENCE);

  test("asks once, then gives the pictures in view that lack one a description", async () => {
    await onPage(images, async (page, requests) => {
      const question = page.getByRole("region", { name: "Descriptions of pictures" });
      await question.waitFor(PATIENCE);
      assert.match(await question.textContent(), /small, 2 MB/);
      assert.ok(!requests.some((url) => /\.(gguf|wasm)$/.test(url)), "nothing is downloaded before");
      await checkWithAxe(page, ["image-alt"]); // which is what the question is about
      await page.getByRole("button", { name: "Describe pictures" }).click();
      await filled(page, "missing");
      await filled(page, "marked");
      assert.equal(await question.count(), 0);
      const { picture, photo } = expected;
      assert.deepEqual(await alts(page), { missing: picture, given: "a hut", decoration: "", marked: photo, hidden: null, far: null });
      await page.locator("#far").scrollIntoViewIfNeeded();
      await filled(page, "far");
      await page.evaluate(() => {
        const added = Object.assign(new Image(), { id: "added", src: "picture.png" });
        document.querySelector("#far").before(added);
      });
      await filled(page, "added");
      assert.deepEqual(await alts(page), { missing: picture, given: "a hut", decoration: "", marked: photo, hidden: null, far: photo, added: picture });
      await checkWithAxe(page);
    });
  });

  test("takes no for an answer, and does not ask again", async () => {
    await onPage(images, async (page, requests) => {
      await page.getByRole("button", { name: "Not now" }).click();
      await page.reload();
      await page.waitForFunction(() => globalThis.filler);
      await page.waitForTimeout(500);
      assert.equal(await page.locator("obscura-question").count(), 0);
      assert.equal((await alts(page)).missing, null);
      assert.ok(!requests.some((url) => /\.(gguf|wasm)$/.test(url)));
    });
  });

  test("agrees with the button of an element on the same page", async () => {
    await onPage(`<obscura-caption src="photo.jpg" ${ELEMENT}></obscura-caption><img id="missing" src="picture.png">${script}`, async (page) => {
      await page.locator("obscura-question").waitFor({ ...PATIENCE, state: "attached" });
      await inState(page, "asking");
      await page.getByRole("button", { name: "Describe this picture" }).click();
      await filled(page, "missing");
      assert.equal(await page.locator("obscura-question").count(), 0);
      assert.equal((await alts(page)).missing, expected.picture);
    });
  });
});

let lastPage = 0;

/** A static page under a strict policy with that content, opened in a browser that has seen nothing yet. */
async function onPage(content, act) {
  const name = `page-${++lastPage}.html`;
  const head = `<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}"><title>A page</title><link rel="icon" href="data:,"><link rel="stylesheet" href="page.css">`;
  await writeFile(join(pages, "page.css"), ".far { height: 3000px }");
  const page = `<!doctype html><html lang="en"><head>${head}</head><body><main><h1>A page</h1>${content}</main><script type="module" src="../element.js"></script></body></html>`;
  await writeFile(join(pages, name), page);
  await withPage(browser, `${server.url}pages/${name}`, act);
}

async function inState(page, state, selector = "obscura-caption") {
  await page.waitForSelector(`${selector}[state=${state}]`, { state: "attached", ...PATIENCE }).catch(async (error) => {
    assert.fail(`${error.message}\nIt is ${await page.getAttribute(selector, "state")}: ${await shownText(page, selector)}`);
  });
}

function shownText(page, selector = "obscura-caption") {
  return page.locator(selector).first().evaluate((host) => host.shadowRoot.getElementById("text").textContent);
}

async function checkWithAxe(page, except = []) {
  await page.evaluate(await readFile(AXE, "utf8"));
  const rules = Object.fromEntries(except.map((rule) => [rule, { enabled: false }]));
  const { violations } = await page.evaluate((rules) => globalThis.axe.run(document, { rules }), rules);
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`), []);
}
