// Private by construction, and there without a network: what is requested, what the policy forbids, and
// the page after its server has gone.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SAMPLE, OTHER, PATIENCE, WHOLE_TEST, barsOf, commandLine, goTo, openPictures, press, setUp, withPage } from "./setting.mjs";

let site, expected;

before(async () => {
  site = await setUp();
  expected = await commandLine("caption", site.model, SAMPLE);
}, WHOLE_TEST);

after(async () => {
  const requests = await site?.close();
  console.log(`every request of this run:\n  ${[...new Set(requests)].sort().join("\n  ")}`);
});

test("nothing is requested once a picture is open, and the page says so", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu" } }, async (page) => {
    await settled();
    const before = own().length;
    await openPictures(page, SAMPLE, OTHER);
    await goTo(page, "ask");
    await press(page, "#answer-button");
    await goTo(page, "classify");
    await press(page, "#classify-button");
    await goTo(page, "search");
    await page.waitForFunction(() => document.querySelector("#search-size").textContent !== "", null, PATIENCE);
    assert.deepEqual(own().slice(before), []);
    assert.equal(await page.textContent("#privacy-short"), "0 requests");
    await page.evaluate(() => fetch("obscura.d.ts"));
    await page.waitForFunction(() => document.querySelector("#privacy-short").textContent === "1 request");
    assert.equal(own().length, before + 1, "what is counted is what was requested");
  });
});

test("neither the page nor the model's worker may contact another site", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu" } }, async (page, complaints) => {
    const tryOthers = async () => {
      const results = [];
      for (const url of ["https://example.com/", "http://127.0.0.1:9/", "https://huggingface.co/"]) results.push(await fetch(url).then(() => "fetched", (error) => error.name));
      return results;
    };
    await settled();
    const before = own().length;
    assert.deepEqual(await page.evaluate(tryOthers), Array(3).fill("TypeError"));
    const worker = page.workers().find((each) => each.url().endsWith("/worker.js"));
    assert.deepEqual(await worker.evaluate(tryOthers), Array(3).fill("TypeError"));
    const sent = site.requests.filter((line) => /example\.com|:9\/|huggingface/.test(line));
    assert.deepEqual([...own().slice(before), ...sent], [], "the policy stops them before they leave the browser");
    complaints.length = 0; // the browser's own, about the policy
  });
});

test("the hub's hosts are allowed for a model of the hub, and no others", WHOLE_TEST, async () => {
  await withPage(site, { query: { model: "none" }, section: "models", ready: "none" }, async (page) => {
    const allowed = await page.evaluate(async () => {
      const { allowHosts, hostsOf } = await import("./page/privacy.js");
      await allowHosts(hostsOf("owner/name"));
      const response = await fetch("lib/engine/worker.js");
      return { policy: response.headers.get("Content-Security-Policy"), mirror: hostsOf("owner/name", "https://mirror.example"), own: hostsOf("./models/a.gguf"), address: hostsOf("https://files.example/a.gguf") };
    });
    assert.equal(allowed.policy, "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' https://huggingface.co https://*.huggingface.co https://*.hf.co");
    assert.deepEqual(allowed.mirror, ["https://mirror.example", "https://*.mirror.example"]);
    assert.deepEqual(allowed.own, []);
    assert.deepEqual(allowed.address, ["https://files.example", "https://*.files.example"]);
  });
});

test("after one visit the page works without its server", WHOLE_TEST, async () => {
  const server = await site.serveAgain();
  await withPage({ ...site, server }, { query: { device: "cpu" } }, async (page, complaints) => {
    await settled();
    await server.close();
    await page.reload();
    await page.waitForSelector("[data-model=ready]", { state: "attached", ...PATIENCE });
    await page.click("[aria-label='Sample: a house and a bicycle']");
    await page.waitForFunction((text) => document.querySelector("#caption-text").textContent === text, expected.text, PATIENCE);
    for (const section of ["ask", "classify", "models"]) await goTo(page, section);
    await press(page, "nav a[href='#classify']");
    assert.ok((await barsOf(page, "classify-result")).length > 0);
    complaints.length = 0; // the browser notes every request that finds no server
  });
});

test("from the second visit on the page is isolated, and its models have threads", WHOLE_TEST, async () => {
  await withPage(site, { query: { device: "cpu" } }, async (page) => {
    const threads = () => own().filter((line) => line.endsWith("/thread.js")).length;
    const isIsolated = () => page.evaluate(() => crossOriginIsolated);
    await settled(); // the service worker keeps that file, too
    const before = threads();
    assert.equal(await isIsolated(), false, "the server sends no headers for it");
    assert.equal(threads(), before);
    await page.reload();
    await page.waitForSelector("[data-model=ready]", { state: "attached", ...PATIENCE });
    assert.equal(await isIsolated(), true);
    assert.ok(threads() > before, "the CPUs that run these tests have several cores");
    await settled();
    await openPictures(page, SAMPLE);
    assert.equal(await page.textContent("#caption-text"), expected.text);
    assert.equal(await page.textContent("#privacy-short"), "0 requests");
  });
});

test("the page works from a path of its host, and asks for nothing beside it", WHOLE_TEST, async () => {
  const server = await site.serveAgain("/some/where");
  const before = own().length;
  await withPage({ ...site, server }, { query: { device: "cpu" } }, async (page) => {
    await openPictures(page, SAMPLE);
    assert.equal(await page.textContent("#caption-text"), expected.text);
    const beside = own().slice(before).filter((line) => !line.includes("/some/where/"));
    assert.deepEqual(beside, []);
  });
});

test("the page can be installed", WHOLE_TEST, async () => {
  await withPage(site, { query: { model: "none" }, ready: "none" }, async (page, _, context) => {
    const session = await context.newCDPSession(page);
    const { errors, data } = await session.send("Page.getAppManifest");
    assert.deepEqual(errors, []);
    const manifest = JSON.parse(data);
    assert.equal(manifest.display, "standalone");
    for (const { src } of manifest.icons) assert.equal(await page.evaluate(async (url) => (await fetch(url)).status, src), 200);
    await page.evaluate(() => navigator.serviceWorker.ready);
    const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
    assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito"), []);
  });
});

const own = () => site.requests.filter((line) => line.includes("//localhost:"));

/** Until the page has put everything away: no request for a while. */
async function settled() {
  for (let count = -1; count !== own().length; ) {
    count = own().length;
    await new Promise((wait) => setTimeout(wait, 1500));
  }
}
