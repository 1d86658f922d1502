// The benchmark itself, with small models and without peers: that it measures everything there is to measure, in the
// browser and natively, and writes it down.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both). CHROMIUM names the browser.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { check } from "../../scripts/benchmark/check.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const RUN = join(ROOT, "scripts/benchmark/run.mjs");
const MODELS = { clip: "clip-quick", siglip: "siglip2", retrieval: "blip-retrieval", caption: "blip-caption", vqa: "blip-vqa" };
const TIMES = ["clip-image", "clip-text", "clip-labels", "clip-classify", "siglip-image", "siglip-text", "blip-image", "blip-first-token", "blip-token", "blip-caption", "blip-beam", "blip-answer"];
const OPENINGS = ["clip-load", "blip-load", "blip-cold"];
const TABLES = "# Tables\n\n<!-- scripts/bench writes from here -->\n<!-- to here -->\n\nThe end.\n";

let folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "obscura-bench-test-"));
  for (const name of Object.values(MODELS)) await cp(join(ROOT, "tests/golden", name, "model"), join(folder, "models", name), { recursive: true });
  const expected = JSON.parse(await readFile(join(ROOT, "tests/golden/blip-caption/expected.json"), "utf8"));
  const { ids } = expected.captions["landscape.png"]["greedy_max_new_tokens_3"];
  const texts = { first: 100, text: "a photo of two dogs, {number}", template: "a photo of a {label}, {number}", question: "what is in the picture?" };
  const reference = { clip: { labels: {}, text: {} }, blip: { caption: ids } };
  await writeFile(join(folder, "expected.json"), JSON.stringify({ folders: MODELS, texts, tokens: 3, answerTokens: 2, beams: 3, labels: 4, ...reference }));
});

after(() => rm(folder, { recursive: true }));

function run(...words) {
  const settings = ["--bench", folder, "--picture", join(ROOT, "tests/pictures/landscape.png"), "--warm-up", "0"];
  return promisify(execFile)(process.execPath, [RUN, ...settings, ...words]);
}

test("everything is measured, checked and written down", { timeout: 300_000 }, async () => {
  const [json, tables] = [join(folder, "found.json"), join(folder, "found.md")];
  await writeFile(tables, TABLES);
  await run("--peers", "obscura-f32,obscura-native-f32", "--runs", "1", "--json", json, "--write", tables);
  const { now } = JSON.parse(await readFile(json, "utf8"));
  assert.deepEqual(Object.keys(now.peers), ["obscura-f32", "obscura-native-f32"]);
  for (const [id, { metrics }] of Object.entries(now.peers)) {
    const native = id.includes("native");
    const wanted = [...TIMES, ...OPENINGS.filter((name) => !native || name.endsWith("load"))];
    assert.deepEqual(Object.keys(metrics).filter((name) => !/memory|gpu/.test(name)).sort(), wanted.sort());
    for (const name of wanted) {
      const { times, median, failed } = metrics[name];
      assert.ok(times.length === 1 && times[0] === median && median > 0 && !failed, `${id} ${name}: ${JSON.stringify(metrics[name])}`);
    }
    assert.deepEqual(metrics["blip-caption"].check, { tokens: [4, 4], wrong: false });
    assert.equal(native, metrics["caption-memory"] === undefined);
  }
  assert.ok(now.sizes["obscura-f32"].wasm > 1e6 && now.sizes["obscura-f32"].js > 1e4);
  const written = await readFile(tables, "utf8");
  assert.match(written, /^# Tables[^]*\| obscura, f32 \|[^]*The end\.\n$/);
  assert.equal(written.match(/4 of 4/g).length, 2);
});

test("other labels than the reference's fail, unless the texts or 4 bits make them others", () => {
  const expected = {
    texts: { first: 100, text: "two dogs, {number}", template: "a {label}, {number}" },
    clip: { labels: { best: ["a", "b", "c", "d", "e"] }, text: { vector: [1, 0] } },
    blip: {},
  };
  const labels = (best, template, dtype) => check("clip-labels", { best, template }, expected, dtype);
  assert.deepEqual(labels(["e", "d", "c", "x", "y"]), { labels: [3, 5], wrong: false });
  assert.deepEqual(labels(["e", "d", "x", "y", "z"], "a {}, 100"), { labels: [2, 5], wrong: true });
  assert.deepEqual(labels(["e", "d", "x", "y", "z"], "a {}, 100", "q4"), { labels: [2, 5], wrong: false });
  assert.deepEqual(labels(["a", "b", "c", "d"]), { labels: [4, 5], wrong: true });
  assert.equal(labels(["e", "d", "x", "y", "z"], "a {}, 101"), null);
  const text = (text) => check("clip-text", { text, vector: [0, 1] }, expected);
  assert.deepEqual(text("two dogs, 100"), { cosine: 0, wrong: true });
  assert.equal(text("two dogs, 101"), null);
});

test("a row that did other work fails the run", { timeout: 60_000 }, async () => {
  const path = join(folder, "expected.json");
  const right = await readFile(path, "utf8");
  const wrong = JSON.parse(right);
  wrong.clip.labels.best = ["not", "one", "of", "these"];
  await writeFile(path, JSON.stringify(wrong));
  const measuring = run("--peers", "obscura-native-f32", "--only", "clip-labels", "--runs", "1");
  await assert.rejects(measuring, ({ code, stderr }) => code === 1 && /clip-labels did other work/.test(stderr));
  await writeFile(path, right);
});

test("a part is measured when it is named, and unknown names are refused", { timeout: 60_000 }, async () => {
  const json = join(folder, "part.json");
  await run("--peers", "obscura-native-f32", "--only", "blip-token", "--runs", "2", "--json", json);
  await run("--peers", "obscura-native-q8", "--only", "clip-image", "--runs", "2", "--json", json);
  const { peers } = JSON.parse(await readFile(json, "utf8")).now;
  assert.deepEqual(Object.keys(peers["obscura-native-f32"].metrics).sort(), ["blip-caption", "blip-first-token", "blip-token"]);
  assert.equal(peers["obscura-native-q8"].metrics["clip-image"].times.length, 2);
  for (const words of [["--peers", "nobody"], ["--only", "nothing"], ["--runs", "0"]]) {
    await assert.rejects(run(...words), ({ code, stderr }) => code === 2 && /^bench: /.test(stderr));
  }
});
