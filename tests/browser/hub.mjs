// Loading in a real browser, from a server that behaves like a hub of models: what is fetched, what
// is kept, and what happens when the network, the tab or the kept files break.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both). CHROMIUM names the browser.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { serve } from "../../scripts/serve.mjs";
import { startHub } from "../hub/server.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const OBSCURA = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "release", "obscura");
const WWW = join(ROOT, "www");
const MODEL = join(ROOT, "tests/golden/blip-all/model");
const PYTORCH = join(ROOT, "tests/golden/blip-caption/pytorch/pytorch_model.bin");
const CAPTION = join(ROOT, "tests/golden/blip-caption/model");
const SHARDED = join(ROOT, "tests/golden/blip-caption-untied/model");
const DRAWING = join(ROOT, "tests/pictures/landscape.png");
const PADDING = 6 << 20;
const PATIENCE = { timeout: 120_000 };
const WHOLE_TEST = { timeout: 300_000 };

let hub, server, browser, expected, folder;

before(async () => {
  for (const needed of [OBSCURA, join(WWW, "pkg/obscura_wasm.js")]) {
    assert.ok(existsSync(needed), `${needed} is missing: run scripts/test, which builds it`);
  }
  const model = await filesOf(MODEL);
  folder = await mkdtemp(join(tmpdir(), "obscura-hub-"));
  const gguf = join(folder, "blip-all.gguf");
  await promisify(execFile)(OBSCURA, ["convert", MODEL, gguf, "--dtype", "f32"]);
  const { "model.safetensors": _, ...texts } = await filesOf(CAPTION);
  hub = await startHub({
    repositories: {
      "tests/blip": model,
      "tests/padded": { ...model, "model.safetensors": padded(model["model.safetensors"]) },
      "tests/pytorch": { ...texts, "pytorch_model.bin": await readFile(PYTORCH) },
      "tests/sharded": SHARDED,
      "tests/gguf": { "blip-all.gguf": await readFile(gguf) },
      "tests/bert": { "config.json": Buffer.from('{"model_type": "bert", "architectures": ["BertModel"]}'), "model.safetensors": model["model.safetensors"] },
    },
  });
  expected = { blip: await captionOf(MODEL), caption: await captionOf(CAPTION), sharded: await captionOf(SHARDED) };
  server = await serve({ root: WWW });
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  await server?.close();
  await hub?.close();
  if (folder) await rm(folder, { recursive: true });
});

afterEach(async () => {
  for (let waited = 0; waited < 100 && hub.open > 0; waited++) await new Promise((wait) => setTimeout(wait, 50));
  assert.equal(hub.open, 0, "answers that nobody reads or ended");
  hub.behave();
});

describe("every kind of source gives the command line's caption", WHOLE_TEST, () => {
  const sources = {
    "a hub id": ["tests/blip", "blip"],
    "a checkpoint of PyTorch": ["tests/pytorch", "caption"],
    "a checkpoint in parts": ["tests/sharded", "sharded"],
    "a folder's address": ["{hub}/tests/blip/resolve/main", "blip"],
    "the address of its page": ["{hub}/tests/blip", "blip"],
    "the address of a GGUF": ["{hub}/tests/gguf/resolve/main/blip-all.gguf", "blip"],
    "the address of a safetensors file": ["{hub}/tests/blip/resolve/main/model.safetensors", "blip"],
  };
  for (const [kind, [source, wanted]] of Object.entries(sources)) {
    test(kind, async () => {
      await withPage(async (page) => {
        const found = await load(page, source.replace("{hub}", hub.host));
        assert.deepEqual(found.tokens, expected[wanted].tokens);
        hub.forget();
        const again = await load(page, source.replace("{hub}", hub.host));
        assert.deepEqual(again.tokens, expected[wanted].tokens);
        assert.ok(hub.requests.every(({ method }) => method === "HEAD"), "the second load only asks whether anything changed");
        assert.equal(hub.sentBytes, 0);
      });
    });
  }

  test("files under their hashes, whatever order they are read in", async () => {
    await withPage(async (page) => {
      const hashOf = async (path) => createHash("sha256").update(await readFile(path)).digest("hex");
      const blip = await load(page, "tests/blip", { sha256: { "model.safetensors": await hashOf(join(MODEL, "model.safetensors")) } });
      assert.deepEqual(blip.tokens, expected.blip.tokens);
      const gguf = await load(page, `${hub.host}/tests/gguf/resolve/main/blip-all.gguf`, { sha256: await hashOf(join(folder, "blip-all.gguf")) });
      assert.deepEqual(gguf.tokens, expected.blip.tokens);
      const pytorch = await load(page, "tests/pytorch", { sha256: { "pytorch_model.bin": await hashOf(PYTORCH) } });
      assert.deepEqual(pytorch.tokens, expected.caption.tokens);
    });
  });

  test("files and bytes", async () => {
    await withPage(async (page) => {
      await page.goto(`${server.url}?model=none&device=cpu&dtype=f32`);
      await page.setInputFiles("#model-file", (await readdir(MODEL)).map((name) => join(MODEL, name)));
      await page.waitForSelector("[data-model=ready]", { state: "attached", ...PATIENCE });
      await page.setInputFiles("#picture-file", DRAWING);
      await page.waitForFunction((text) => document.querySelector("#caption-text").textContent === text, expected.blip.text, PATIENCE);
      assert.match(await page.textContent("#kept-list"), /chosen files/);
      const tokens = await page.evaluate(loadBytes, [[...(await readFile(join(folder, "blip-all.gguf")))], [...(await readFile(DRAWING))]]);
      assert.deepEqual(tokens, expected.blip.tokens);
    });
  });

  test("a folder chosen on the page", async () => {
    await withPage(async (page) => {
      await page.setInputFiles("#model-folder", MODEL);
      await page.waitForSelector("[data-model=ready]", { state: "attached", ...PATIENCE });
    });
  });
});

describe("what is kept", WHOLE_TEST, () => {
  test("is used without the hub, after a reload of the page", async () => {
    await withPage(async (page) => {
      await load(page, "tests/blip");
      const refused = [];
      await page.context().route(/./, (route) => {
        if (route.request().url().startsWith(server.url)) return route.continue();
        refused.push(route.request().url());
        return route.abort("internetdisconnected");
      });
      await page.reload();
      const found = await load(page, "tests/blip");
      assert.deepEqual(found.tokens, expected.blip.tokens);
      assert.equal(refused.length, 1, "it was asked once whether anything had changed");
    });
  });

  for (const [what, name] of [["the weights", "model.gguf"], ["the journal", "journal"], ["what it says of itself", "meta.json"]]) {
    test(`is made whole again where ${what} were damaged`, async () => {
      await withPage(async (page) => {
        await load(page, "tests/blip");
        await page.evaluate(damage, name);
        hub.forget();
        const found = await load(page, "tests/blip");
        assert.deepEqual(found.tokens, expected.blip.tokens);
        hub.forget();
        assert.deepEqual((await load(page, "tests/blip")).tokens, expected.blip.tokens);
        assert.equal(hub.sentBytes, 0, "and stays whole");
      });
    });
  }

  test("is listed, measured and cleared, by the module and by the page", async () => {
    await withPage(async (page) => {
      await load(page, "tests/blip");
      await load(page, "tests/sharded", { dtype: "f32" });
      const { list, size } = await page.evaluate(async () => {
        const { cache } = await import("./obscura.js");
        return { list: await cache.list(), size: await cache.size() };
      });
      assert.deepEqual(list.map(({ source, dtype, complete }) => [source, dtype, complete]), [["tests/sharded", "f32", true], ["tests/blip", "f32", true]]);
      assert.equal(size, list.reduce((sum, { bytes }) => sum + bytes, 0));
      assert.ok(list.every(({ bytes }) => bytes > 100_000));
      await page.evaluate(async (id) => (await import("./obscura.js")).cache.clear(id), list[0].id);
      await page.goto(`${server.url}?model=none#models`);
      await page.reload();
      await page.waitForSelector("#kept-list li");
      assert.equal(await page.locator("#kept-list li").count(), 1);
      await page.click("[aria-label='Clear tests/blip']");
      await page.waitForSelector("#kept", { state: "hidden" });
      assert.equal(await page.evaluate(async () => (await import("./obscura.js")).cache.size()), 0);
      assert.match(await page.textContent("#announcer"), /tests\/blip was cleared/);
    });
  });

  test("is nothing where there is no room: the model loads all the same, with a warning", async () => {
    await withPage(async (page) => {
      const session = await page.context().newCDPSession(page);
      await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(server.url).origin, quotaSize: 200_000 });
      const { tokens, events } = await load(page, "tests/blip");
      assert.deepEqual(tokens, expected.blip.tokens);
      assert.ok(events.some(({ status }) => status === "warning"), "there is a warning");
      assert.deepEqual(await page.evaluate(async () => (await import("./obscura.js")).cache.list()), []);
    });
  });

  for (const [what, spoil] of [
    ["there is no private file system", () => void delete StorageManager.prototype.getDirectory],
    ["the private file system is refused, as in Firefox's private windows", () => (StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException("Insecure.", "SecurityError")))],
    ["no file of it can be written in place", () => globalThis.FileSystemFileHandle && (FileSystemFileHandle.prototype.createSyncAccessHandle = () => Promise.reject(new DOMException("Insecure.", "UnknownError")))],
    ["files cannot be written in place at all", () => globalThis.FileSystemFileHandle && delete FileSystemFileHandle.prototype.createSyncAccessHandle],
  ]) test(`is in the Cache API where ${what}`, async () => {
    await withPage(async (page) => {
      page.on("worker", (worker) => worker.evaluate(spoil)); // long before the engine has started
      await page.addInitScript(spoil);
      await page.reload();
      assert.deepEqual((await load(page, "tests/blip")).tokens, expected.blip.tokens);
      const kept = await page.evaluate(async () => (await import("./obscura.js")).cache.list());
      assert.equal(kept.length, 1);
      assert.ok(kept[0].complete && kept[0].bytes > 500_000, JSON.stringify(kept));
      assert.ok((await page.evaluate(() => caches.keys())).length > 0, "it is not in the Cache API");
      hub.forget();
      assert.deepEqual((await load(page, "tests/blip")).tokens, expected.blip.tokens);
      assert.ok(hub.sentBytes < 100_000, `${hub.sentBytes} bytes were fetched again`);
      assert.deepEqual(await page.evaluate(() => caches.keys().then((names) => names.length)), 1);
      await page.evaluate(async () => (await import("./obscura.js")).cache.clear());
      assert.deepEqual(await page.evaluate(() => caches.keys()), []);
    });
  });

  test("is in the Cache API where the page's own thread computes, and leaves no empty entry", async () => {
    await withPage(async (page) => {
      const sameThread = { module: new URL("same-thread.js", server.url).href };
      await page.goto(`${server.url}package.json`); // which has no policy, as the page has
      assert.deepEqual((await load(page, "tests/blip", sameThread)).tokens, expected.blip.tokens);
      const kept = await page.evaluate(async () => (await import("./obscura.js")).cache.list());
      assert.deepEqual(kept.map(({ source, complete }) => [source, complete]), [["tests/blip", true]]);
      assert.equal(await page.evaluate(folders), 0);
      hub.forget();
      await page.reload();
      assert.deepEqual((await load(page, "tests/blip", sameThread)).tokens, expected.blip.tokens);
      assert.ok(hub.sentBytes < 100_000, `${hub.sentBytes} bytes were fetched again`);
    });
  });

  test("is not listed while nothing is in it, and is cleared all the same", async () => {
    await withPage(async (page) => {
      const empty = async () => {
        const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("obscura", { create: true });
        const folder = await root.getDirectoryHandle("0123456789abcdef".repeat(2), { create: true });
        for (const name of ["model.gguf", "journal", "meta.json"]) await folder.getFileHandle(name, { create: true });
      };
      await page.evaluate(empty);
      assert.deepEqual(await page.evaluate(async () => (await import("./obscura.js")).cache.list()), []);
      await page.evaluate(async () => (await import("./obscura.js")).cache.clear());
      assert.equal(await page.evaluate(folders), 0);
    });
  });

  test("is not what another version, dtype or cache: false gives", async () => {
    await withPage(async (page) => {
      await load(page, "tests/blip");
      hub.forget();
      await load(page, "tests/blip", { cache: false });
      assert.ok(hub.sentBytes > 500_000);
      hub.forget();
      await load(page, "tests/blip", { dtype: "q8" });
      assert.ok(hub.sentBytes > 500_000);
      hub.commit = "e".repeat(40);
      hub.behave({ changeAfter: 0 }, ".safetensors");
      await load(page, "tests/blip").catch(() => {}); // the other version is broken
      assert.ok(hub.requests.some(({ method, origin }) => method === "GET" && origin === "store"));
      hub.commit = "c".repeat(40);
    });
  });
});

describe("what breaks", WHOLE_TEST, () => {
  test("a page that is reloaded in the middle of a download goes on from there", async () => {
    await withPage(async (page) => {
      hub.behave({ drip: { bytes: 8 << 10, ms: 30 } });
      await page.evaluate(beginLoad, ["tests/padded", hub.host]);
      await page.waitForFunction(() => globalThis.share > 95, null, PATIENCE); // behind the padding
      await page.reload();
      await noneOpen();
      const [entry] = await page.evaluate(async () => (await import("./obscura.js")).cache.list());
      assert.equal(entry.complete, false);
      hub.behave();
      const found = await load(page, "tests/padded");
      assert.deepEqual(found.tokens, expected.blip.tokens);
      const ranges = hub.requests.filter(({ origin, method }) => origin === "store" && method === "GET").map(({ range }) => range);
      assert.ok(ranges.some((range) => Number(/bytes=(\d+)/.exec(range)[1]) > PADDING), `asked for ${ranges}`);
    });
  });

  test("weights that are not needed are not fetched", async () => {
    await withPage(async (page) => {
      hub.behave({ throttle: 4 << 20 });
      const found = await load(page, "tests/padded");
      assert.deepEqual(found.tokens, expected.blip.tokens);
      assert.ok(hub.sentBytes < PADDING, `${hub.sentBytes} bytes were sent`);
    });
  });

  test("connections that are cut, and a file that changes, end in the right model", async () => {
    await withPage(async (page) => {
      hub.behave({ cut: { seed: 3, least: 150_000, most: 500_000 } });
      assert.deepEqual((await load(page, "tests/blip")).tokens, expected.blip.tokens);
      const requests = hub.requests.filter(({ origin }) => origin === "store");
      assert.ok(requests.length > 1);
      assert.ok(requests.every(({ method }) => method === "GET"), "no preflight where another site would refuse it");
    });
  });

  test("two tabs load the same model at once: one download, two models", async () => {
    await withPage(async (page) => {
      hub.behave({ drip: { bytes: 32 << 10, ms: 20 } });
      const second = await page.context().newPage();
      await second.goto(page.url());
      const both = await Promise.all([load(page, "tests/blip"), load(second, "tests/blip")]);
      for (const { tokens } of both) assert.deepEqual(tokens, expected.blip.tokens);
      assert.equal(hub.requests.filter(({ origin, method }) => origin === "store" && method === "GET").length, 1);
      const waited = both.filter(({ events }) => events.some(({ status }) => status === "waiting"));
      assert.equal(waited.length, 1);
    });
  });

  test("an aborted load ends the download and leaves what it has", async () => {
    await withPage(async (page) => {
      hub.behave({ drip: { bytes: 16 << 10, ms: 50 } });
      const { code, list } = await page.evaluate(abortInTheMiddle, ["tests/blip", hub.host]);
      assert.equal(code, "aborted");
      assert.deepEqual(list.map(({ source, complete }) => [source, complete]), [["tests/blip", false]]);
      await noneOpen();
      hub.behave();
      assert.deepEqual((await load(page, "tests/blip")).tokens, expected.blip.tokens);
    });
  });

  test("every refusal has a code and says what to do", async () => {
    await withPage(async (page) => {
      const failure = (source, options) => load(page, source, options).then(() => assert.fail("it loaded"), (error) => error.message);
      assert.match(await failure("tests/nowhere"), /^\[\w+\] .*tests\/nowhere/);
      assert.match(await failure("tests/bert"), /bert/i);
      assert.match(await failure("tests/blip", { sha256: { "model.safetensors": "0".repeat(64) } }), /^\[integrity\].*model\.safetensors/);
      assert.match(await failure("tests/blip", { sha256: "0".repeat(64) }), /^\[bad_input\]/);
      hub.behave({ token: "secret" });
      assert.match(await failure("tests/blip", { cache: false }), /^\[network\].*token/);
      assert.deepEqual((await load(page, "tests/blip", { cache: false, hub: { host: hub.host, token: "secret" } })).tokens, expected.blip.tokens);
      hub.behave({ cors: false });
      assert.match(await failure("tests/blip", { cache: false }), /^\[network\].*CORS/);
    });
  });

  test("the page explains a failure and shows progress", async () => {
    await withPage(async (page) => {
      await page.goto(`${server.url}?model=none&hub=${encodeURIComponent(hub.host)}&device=cpu#models`);
      await page.fill("#model-url", "tests/nowhere");
      await page.click("#model-form [type=submit]");
      await page.waitForSelector("#model-error:not([hidden])", PATIENCE);
      assert.match(await page.textContent("#model-error"), /tests\/nowhere/);
      hub.behave({ drip: { bytes: 8 << 10, ms: 40 } });
      await page.fill("#model-url", "tests/blip");
      await page.keyboard.press("Enter");
      await page.waitForFunction(() => /MB of \S+ MB, .*\/s, \d+ (s|min) left/.test(document.querySelector("#model-bytes").textContent), null, PATIENCE);
      await page.waitForSelector("[data-model=ready]", { state: "attached", ...PATIENCE });
      await page.waitForSelector("#kept-list li");
    });
  });
});

// --- the page ----------------------------------------------------------------------------------

/** A page of its own, with its own storage, that may speak with its own server and the hub only. */
async function withPage(act) {
  const context = await browser.newContext({ serviceWorkers: "block" }); // so that every request is seen here
  const requests = [];
  context.on("request", (request) => requests.push(request.url()));
  try {
    const page = await context.newPage();
    await page.goto(`${server.url}?model=none`);
    await act(page);
    const known = (url) => [server.url, hub.host, hub.store].some((origin) => url.startsWith(origin)) || /^(blob|data):/.test(url);
    assert.deepEqual(requests.filter((url) => !known(url)), [], "requests to strangers");
  } finally {
    await context.close();
  }
}

/** Loads, captions, disposes: {tokens, info, events}; a failure's message begins with its code. */
async function load(page, source, { module = "./obscura.js", ...options } = {}) {
  const picture = [...(await readFile(DRAWING))];
  const wanted = { device: "cpu", dtype: "f32", hub: { host: hub.host }, ...options };
  return page.evaluate(async ([module, source, options, picture]) => {
    const { load } = await import(module);
    const events = [];
    try {
      const model = await load(source, { ...options, progress: (event) => events.push(event) });
      const { tokens } = await model.caption(new Uint8Array(picture));
      await model.dispose();
      return { tokens, info: model.info, events };
    } catch (error) {
      throw Object.assign(new Error(), { message: `[${error.code}] ${error.message}`, stack: "" });
    }
  }, [module, source, wanted, picture]).catch((error) => {
    throw new Error(error.message.replace(/^page\.evaluate: (Error: )?/, ""));
  });
}

/** How many folders of models the private file system has. */
async function folders() {
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("obscura").catch(() => null);
  let count = 0;
  if (root) for await (const _ of root.keys()) count++;
  return count;
}

async function loadBytes([model, picture]) {
  const { load } = await import("./obscura.js");
  const loaded = await load(new Uint8Array(model), { device: "cpu", dtype: "f32" });
  const { tokens } = await loaded.caption(new Uint8Array(picture));
  await loaded.dispose();
  return tokens;
}

async function beginLoad([source, host]) {
  const { load } = await import("./obscura.js");
  globalThis.share = 0;
  const progress = ({ status, progress }) => status === "progress_total" && (globalThis.share = progress);
  load(source, { device: "cpu", dtype: "f32", hub: { host }, progress });
}

async function abortInTheMiddle([source, host]) {
  const { cache, load } = await import("./obscura.js");
  const controller = new AbortController();
  const progress = ({ status, progress }) => status === "progress_total" && progress > 40 && controller.abort();
  const code = await load(source, { device: "cpu", dtype: "f32", hub: { host }, signal: controller.signal, progress }).catch((error) => error.code);
  return { code, list: await cache.list() };
}

/** Changes a few bytes in the middle of a kept file. */
async function damage(name) {
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("obscura");
  for await (const folder of root.values()) {
    const handle = await folder.getFileHandle(name);
    const middle = Math.floor((await handle.getFile()).size / 2);
    const writer = await handle.createWritable({ keepExistingData: true });
    await writer.write({ type: "write", position: middle, data: new Uint8Array(64).fill(0x5a) });
    await writer.close();
  }
}

async function noneOpen() {
  for (let waited = 0; waited < 100 && hub.open > 0; waited++) await new Promise((wait) => setTimeout(wait, 50));
  assert.equal(hub.open, 0);
}

// --- models ------------------------------------------------------------------------------------

async function captionOf(model) {
  const { stdout } = await promisify(execFile)(OBSCURA, ["caption", model, DRAWING, "--json", "--device", "cpu", "--dtype", "f32"]);
  return JSON.parse(stdout);
}

async function filesOf(folder) {
  const names = await readdir(folder);
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))])));
}

/** A safetensors file with a large tensor in the middle that no model asks for. */
function padded(bytes) {
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  const ends = Object.values(header).flatMap(({ data_offsets }) => (data_offsets ? [data_offsets[1]] : [])).sort((a, b) => a - b);
  const middle = ends[Math.floor(ends.length / 2)];
  for (const tensor of Object.values(header)) {
    if (tensor.data_offsets?.[0] >= middle) tensor.data_offsets = tensor.data_offsets.map((offset) => offset + PADDING);
  }
  header.image_queue = { dtype: "F32", shape: [PADDING / 4], data_offsets: [middle, middle + PADDING] };
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  const data = bytes.subarray(8 + length);
  return Buffer.concat([prefix, text, data.subarray(0, middle), Buffer.alloc(PADDING), data.subarray(middle)]);
}
