// Albums in a real browser: what a search finds has to be what the command line finds among the same
// pictures, after a reload, too; what one model made is refused to another; a torn file loses its last
// batch and nothing else.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both). CHROMIUM names the browser.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { serve } from "../../scripts/serve.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const OBSCURA = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "release", "obscura");
const MODEL = join(ROOT, "tests/golden/blip-all/model");
const PICTURES = ["photo.jpg", "landscape.png", "portrait.png", "alpha.png", "grey.png", "tiny.png", "bilevel.png"];
const TEXTS = ["a cat on a sofa", "grey letters", "the sea"];
const NEAR = 1e-4; // between two machines' sums
const WHOLE_TEST = { timeout: 300_000 };

let folder, server, browser;

before(async () => {
  for (const needed of [OBSCURA, join(ROOT, "www/pkg/obscura_wasm.js")]) {
    assert.ok(existsSync(needed), `${needed} is missing: run scripts/test, which builds it`);
  }
  folder = await mkdtemp(join(tmpdir(), "obscura-album-"));
  for (const dtype of ["f32", "q8"]) await run(["convert", MODEL, join(folder, `${dtype}.gguf`), "--dtype", dtype]);
  const mounts = { "/test-models": folder, "/test-pictures": join(ROOT, "tests/pictures") };
  server = await serve({ root: join(ROOT, "www"), mounts });
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  await server?.close();
  if (folder) await rm(folder, { recursive: true });
});

test("a search finds what the command line finds, before and after a reload", WHOLE_TEST, async () => {
  const paths = PICTURES.map((name) => join(ROOT, "tests/pictures", name));
  const [model, album] = [join(folder, "f32.gguf"), join(folder, "pictures.album")];
  const added = JSON.parse(await run(["album", "add", model, album, ...paths, "--json"]));
  assert.deepEqual([added.added, added.size], [PICTURES.length, PICTURES.length]);
  const expected = [];
  for (const rerank of [0, 3]) {
    for (const text of TEXTS) {
      const found = await run(["search", model, album, "--text", text, "--limit", "5", "--rerank", String(rerank), "--json"]);
      expected.push(JSON.parse(found).found);
    }
  }
  await inPages(async (open) => {
    const size = await (await open()).evaluate(addPictures, PICTURES);
    assert.equal(size, PICTURES.length);
    const found = await (await open()).evaluate(searchForTexts, { texts: TEXTS, reranks: [0, 3], picture: PICTURES[0] });
    assert.equal(found.size, PICTURES.length);
    assert.equal(found.persistent, true);
    assert.equal(found.byPicture[0].key, PICTURES[0]);
    assert.ok(Math.abs(found.byPicture[0].similarity - 1) < NEAR);
    found.byText.forEach((candidates, place) => {
      const reference = expected[place];
      assert.deepEqual(candidates.map(({ key }) => key), reference.map(({ key }) => basename(key)));
      candidates.forEach(({ similarity, probability }, rank) => {
        assert.ok(Math.abs(similarity - reference[rank].similarity) < NEAR);
        assert.equal(probability === undefined, reference[rank].probability === undefined);
        if (probability !== undefined) assert.ok(Math.abs(probability - reference[rank].probability) < NEAR);
      });
    });
    assert.deepEqual(found.byText[3].map(({ probability }) => probability !== undefined), [true, true, true, false, false]);
  });
});

test("an album of texts is searched by a picture, in the order of the model's scores", WHOLE_TEST, async () => {
  await inPages(async (open) => {
    const { found, ranked } = await (await open()).evaluate(searchAmongTexts, { texts: TEXTS, picture: PICTURES[0] });
    const byScore = [...ranked].sort((a, b) => b.score - a.score);
    assert.deepEqual(found.map(({ key }) => key), byScore.map(({ text }) => text));
    assert.deepEqual(found.map(({ probability }) => probability), byScore.map(({ probability }) => probability));
  });
});

test("vectors come, go and are replaced; exports are NumPy's and can be imported", WHOLE_TEST, async () => {
  await inPages(async (open) => {
    const found = await (await open()).evaluate(comeAndGo);
    assert.deepEqual(found.keys, ["b", "c", "a"]);
    assert.deepEqual(found.first, { key: "a", similarity: 1 });
    assert.equal(found.deleted, 1);
    assert.equal(found.header, "\u0093NUMPY\u0001\u0000");
    assert.deepEqual(found.exported, [0, 1, 0, 0, 0, 1, 1, 0, 0]);
    assert.deepEqual(found.imported, { count: 3, keys: ["b", "c", "a"], progress: [3] });
    assert.equal(found.inMemory, false);
    assert.deepEqual(found.failures, {
      "another width": "bad_input",
      "no length": "bad_input",
      "not enough keys": "bad_input",
      "not an array": "bad_input",
      "no model": "bad_input",
      "no such option": "bad_input",
      "no name": "bad_input",
      "opened twice": "bad_input",
      "deleted while open": "bad_input",
      "closed": "aborted",
    });
    assert.deepEqual(found.mixed, [["good one", "good two"], "bad_input"]);
  });
});

test("an album is refused to another dtype of its model, and to no other reason lost", WHOLE_TEST, async () => {
  await inPages(async (open) => {
    const found = await (await open()).evaluate(openWithAnother, PICTURES[1]);
    assert.equal(found.refused.code, "bad_input");
    assert.match(found.refused.message, /f32.*f16/); // its widths are not whole blocks of q8
    assert.equal(found.size, 1);
    assert.equal(found.afterDeletion, 0);
  });
});

test("a torn file loses its last batch and nothing else", WHOLE_TEST, async () => {
  await inPages(async (open) => {
    const { before, after, again } = await (await open()).evaluate(tearFile);
    assert.deepEqual(before, ["first", "second", "third"]);
    assert.deepEqual(after, ["first", "second"]);
    assert.deepEqual(again, ["first", "second", "fourth"]);
  });
});

test("a file that is mostly of no use is made smaller when the album is opened", WHOLE_TEST, async () => {
  await inPages(async (open) => {
    const { before, after, found } = await (await open()).evaluate(growAndShrink);
    assert.ok(after < before / 2, `${after} bytes of ${before}`);
    assert.deepEqual(found, [{ key: "9", similarity: 1 }]);
  });
});

async function run(parameters) {
  const { stdout } = await promisify(execFile)(OBSCURA, parameters);
  return stdout;
}

/** Pages of one browser profile, which share what is kept. None may complain. */
async function inPages(act) {
  const context = await browser.newContext();
  const complaints = [];
  const open = async () => {
    const page = await context.newPage();
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.route(`${server.url}album-test.html`, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><title>albums</title>" }));
    await page.goto(`${server.url}album-test.html`);
    return page;
  };
  try {
    await act(open);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

// --- in the page -------------------------------------------------------------------------------

async function addPictures(names) {
  const { load, openAlbum } = await import("./obscura.js");
  const model = await load("test-models/f32.gguf", { device: "cpu", cache: false });
  const album = await openAlbum("pictures", model);
  await Promise.all(names.map((name) => album.add(name, new URL(`test-pictures/${name}`, location.href))));
  const { size } = album;
  await album.close();
  await model.dispose();
  return size;
}

async function searchForTexts({ texts, reranks, picture }) {
  const { load, openAlbum } = await import("./obscura.js");
  const model = await load("test-models/f32.gguf", { device: "cpu", cache: false });
  const album = await openAlbum("pictures", model, { picture: (key) => `test-pictures/${key}` });
  const found = { size: album.size, persistent: album.persistent, byText: [] };
  for (const rerank of reranks) {
    for (const text of texts) found.byText.push(await album.search(text, { limit: 5, rerank }));
  }
  found.byPicture = await album.search(new URL(`test-pictures/${picture}`, location.href), { limit: 2 });
  await album.close();
  return found;
}

async function searchAmongTexts({ texts, picture }) {
  const { load, openAlbum } = await import("./obscura.js");
  const model = await load("test-models/f32.gguf", { device: "cpu", cache: false });
  const album = await openAlbum("texts", model, { text: (key) => key, persistent: false });
  for (const text of texts) await album.add(text, text);
  const image = new URL(`test-pictures/${picture}`, location.href);
  return { found: await album.search(image), ranked: await model.rank(image, texts) };
}

async function comeAndGo() {
  const { deleteAlbum, openAlbum } = await import("./obscura.js");
  const vector = (...numbers) => new Float32Array(numbers);
  const code = (promise) => promise.then(() => "nothing failed", (error) => error.code);
  const album = await openAlbum("vectors");
  await album.add("a", vector(0, 0, 2));
  await album.add("b", vector(0, 3, 0));
  await album.add("c", vector(0, 0, 4));
  await album.add("d", vector(1, 1, 1));
  await album.add("a", vector(5, 0, 0));
  const deleted = await album.delete(["d", "e"]);
  const [first] = await album.search(vector(1, 0, 0));
  const files = await album.export();
  const bytes = new Uint8Array(await files.vectors.arrayBuffer());
  const other = await openAlbum("other", null, { persistent: false });
  const progress = [];
  const count = await other.import(files, { progress: ({ done }) => progress.push(done) });
  const failures = {
    "another width": await code(album.add("x", vector(1, 2))),
    "no length": await code(album.add("x", vector(0, 0, 0))),
    "not enough keys": await code(album.import({ ...files, keys: new Blob(['["a"]']) })),
    "not an array": await code(album.import({ ...files, vectors: new Blob(["PK"]) })),
    "no model": await code(album.search("a cat")),
    "no such option": await code(album.search(vector(1, 0, 0), { top: 3 })),
    "no name": await code(openAlbum("")),
    "opened twice": await code(openAlbum("vectors")),
    "deleted while open": await code(deleteAlbum("vectors")),
  };
  const together = [album.add("good one", vector(1, 2, 3)), code(album.add("bad", vector(1))), album.add("good two", vector(3, 2, 1))];
  const [, refused] = await Promise.all(together);
  const mixed = [(await album.keys()).slice(3), refused];
  await album.close();
  failures.closed = await code(album.keys());
  return {
    keys: await other.keys(),
    first,
    deleted,
    header: String.fromCharCode(...bytes.subarray(0, 8)),
    exported: [...new Float32Array(bytes.slice(128).buffer)],
    imported: { count, keys: await other.keys(), progress },
    inMemory: other.persistent,
    failures,
    mixed,
  };
}

async function openWithAnother(picture) {
  const { deleteAlbum, load, openAlbum } = await import("./obscura.js");
  const [exact, small] = [
    await load("test-models/f32.gguf", { device: "cpu", cache: false }),
    await load("test-models/q8.gguf", { device: "cpu", cache: false }),
  ];
  const album = await openAlbum("guarded", exact);
  await album.add("one", new URL(`test-pictures/${picture}`, location.href));
  await album.close();
  const refused = await openAlbum("guarded", small).then(() => null, ({ code, message }) => ({ code, message }));
  const again = await openAlbum("guarded", exact);
  const { size } = again;
  await again.close();
  await deleteAlbum("guarded");
  const fresh = await openAlbum("guarded", small);
  return { refused, size, afterDeletion: fresh.size };
}

async function tearFile() {
  const { openAlbum } = await import("./obscura.js");
  const keysOf = async (change) => {
    const album = await openAlbum("torn");
    await change?.(album);
    const keys = await album.keys();
    await album.close();
    return keys;
  };
  const before = await keysOf(async (album) => {
    for (const [key, ...numbers] of [["first", 1, 2], ["second", 3, 4], ["third", 5, 6]]) await album.add(key, new Float32Array(numbers));
  });
  const folder = await (await (await navigator.storage.getDirectory()).getDirectoryHandle("obscura-albums")).getDirectoryHandle("torn");
  const handle = await folder.getFileHandle("0");
  const { size } = await handle.getFile();
  const writable = await handle.createWritable({ keepExistingData: true });
  await writable.truncate(size - 70);
  await writable.close();
  const after = await keysOf();
  return { before, after, again: await keysOf((album) => album.add("fourth", new Float32Array([7, 8]))) };
}

async function growAndShrink() {
  const { openAlbum } = await import("./obscura.js");
  const bytes = async () => {
    const folder = await (await (await navigator.storage.getDirectory()).getDirectoryHandle("obscura-albums")).getDirectoryHandle("grown");
    let sum = 0;
    for await (const entry of folder.values()) sum += (await entry.getFile()).size;
    return sum;
  };
  const album = await openAlbum("grown");
  const vector = (place) => new Float32Array(64).fill(0).with(place, 1);
  const keys = Array.from({ length: 6000 }, (_, place) => String(place));
  await Promise.all(keys.map((key, place) => album.add(key, vector(place % 64))));
  await album.delete(keys.slice(64));
  await album.close();
  const before = await bytes();
  const again = await openAlbum("grown");
  const found = await again.search(vector(9), { limit: 1 });
  await again.close();
  return { before, after: await bytes(), found };
}
