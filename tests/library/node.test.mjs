// The library in Node.js: the very wasm of the page, in a thread, without a browser.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both).

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { decode, load, openAlbum } from "../../www/node.js";
import { DecodedPicture } from "../../www/lib/pictures/decoded.js";
import { CLIP, commandLine, commandLineOf, embedSmallModel, MODEL, PHOTO, PICTURE, ROOT, WHOLE_TEST } from "./surroundings.mjs";

const EXAMPLE = join(ROOT, "examples/node/caption.mjs");
const LABELS = ["a cat", "two dogs", "a red house", "the sea"];
const run = promisify(execFile);

let embedded, expected;

before(async () => {
  embedded = await embedSmallModel();
  expected = {
    caption: await commandLine("caption", PICTURE),
    photo: await commandLine("caption", PHOTO),
    labels: await commandLine("classify", PICTURE, "--labels", LABELS.join(",")),
    answer: await commandLine("answer", PICTURE, "--question", "what is it?"),
  };
});
after(() => embedded?.remove());

describe("the example", WHOLE_TEST, () => {
  test("prints a caption for each picture, and then ends", async () => {
    const { stdout } = await run(process.execPath, [EXAMPLE, join(embedded.models, "small.gguf"), PICTURE, PHOTO]);
    assert.deepEqual(stdout.trim().split("\n"), [`landscape.png: ${expected.caption.text}`, `photo.jpg: ${expected.photo.text}`]);
  });

  test("says what is wrong, and with which exit code", async () => {
    const failing = async (...parameters) => run(process.execPath, [EXAMPLE, ...parameters]).then(() => assert.fail("no error"), (error) => error);
    assert.equal((await failing()).code, 2);
    const noModel = await failing("./no-such.gguf", PICTURE);
    assert.equal(noModel.code, 1);
    assert.match(noModel.stderr, /bad_input: There is no file or folder .*no-such\.gguf/);
    const noPicture = await failing(join(embedded.models, "small.gguf"), "no-such.png");
    assert.match(noPicture.stderr, /network: The picture .*no-such\.png could not be fetched/);
  });
});

describe("a picture in Node.js", WHOLE_TEST, () => {
  test("keeps its grey of 16 bits where that is asked for, and is white as the reference's otherwise", async () => {
    const pictures = JSON.parse(await readFile(join(ROOT, "tests/golden/pictures/png.json"), "utf8"));
    const grey = Buffer.from(pictures["type-0-16-bits"].file, "hex");
    const levels = async (options) => new Set(new Uint8Array(DecodedPicture.read(await decode(grey, options)).rgb));
    assert.deepEqual(await levels(), new Set([255]));
    assert.deepEqual(await levels({ grey16: "clip" }), new Set([255]));
    assert.ok((await levels({ grey16: "scale" })).size > 20);
    await assert.rejects(decode(grey, { grey16: "high" }), { code: "bad_input", message: /grey16/ });
  });
});

describe("a model in Node.js", WHOLE_TEST, () => {
  test("takes no name of a picture for a text: either is said in so many words", async () => {
    const model = await load(CLIP, { dtype: "f32" });
    try {
      await assert.rejects(model.embed("photo.webp"), { code: "bad_input", message: /names a picture: give \{ picture: "photo\.webp" \}, or \{ text/ });
      await assert.rejects(model.embed(["a cat", PICTURE]), { code: "bad_input" });
      const [path, url, text, same] = await model.embed([{ picture: PICTURE }, pathToFileURL(PICTURE), { text: "a cat" }, "a cat"]);
      assert.deepEqual(path, url);
      assert.deepEqual(text, same);
      assert.equal((await model.embed({ text: "photo.webp" })).length, text.length);
    } finally {
      await model.dispose();
    }
  });

  test("writes no bad words, as many texts as are wanted, and by a checkpoint's own settings", async () => {
    const folder = join(embedded.folder, "with-settings");
    await cp(MODEL, folder, { recursive: true });
    await writeFile(join(folder, "generation_config.json"), JSON.stringify({ num_beams: 3, max_length: 9, repetition_penalty: 1.3 }));
    const asked = ["--bad-words", "grey,the million", "--num-return-sequences", "2"];
    const [plain, own, words, drawn] = await Promise.all([
      commandLineOf(folder, "f32", "caption", PICTURE, "--beams", "1", "--max-new-tokens", "20", "--repetition-penalty", "1"),
      commandLineOf(folder, "f32", "caption", PICTURE),
      commandLineOf(folder, "f32", "caption", PICTURE, ...asked),
      commandLineOf(folder, "f32", "caption", PICTURE, "--sample", "--seed", "3", "--num-return-sequences", "3"),
    ]);
    const model = await load(folder, { dtype: "f32" });
    try {
      assert.deepEqual(model.info.generation, { maxLength: 9, numBeams: 3, repetitionPenalty: 1.3 });
      const same = async (options, { text, tokens, alternatives = [] }) => {
        const found = await model.caption(PICTURE, options);
        const texts = [found, ...(found.alternatives ?? [])].map((one) => [one.text, one.tokens]);
        assert.deepEqual(texts, [[text, tokens], ...alternatives.map((one) => [one.text, one.tokens])]);
      };
      await same({}, own);
      await same({ numBeams: 1, maxNewTokens: 20, repetitionPenalty: 1 }, plain);
      await same({ badWords: ["grey", "the million"], numReturnSequences: 2 }, words);
      await same({ doSample: true, seed: 3, numReturnSequences: 3 }, drawn);
      assert.equal(drawn.alternatives.length, 2);
      await assert.rejects(model.caption(PICTURE, { badWords: "grey" }), { code: "bad_input", message: /badWords is a list/ });
      await assert.rejects(model.caption(PICTURE, { numReturnSequences: 4 }), { code: "bad_input", message: /numReturnSequences is 4, expected 1 to 3/ });
    } finally {
      await model.dispose();
    }
  });

  test("computes on the CPU where the way to a GPU breaks the engine, and says so", async () => {
    // In the place of npm's webgpu: an adapter that is none.
    const place = join(embedded.folder, "node_modules/webgpu");
    await mkdir(place, { recursive: true });
    await writeFile(join(place, "package.json"), '{ "name": "webgpu", "type": "module", "main": "index.js" }');
    await writeFile(join(place, "index.js"), "export const globals = {}; export const create = () => ({ requestAdapter: async () => ({ info: {} }) });");
    const program = `
      import { load } from ${JSON.stringify(new URL("../../www/node.js", import.meta.url).href)};
      const warnings = [];
      const progress = ({ status, message }) => status === "warning" && warnings.push(message);
      const model = await load(${JSON.stringify(MODEL)}, { dtype: "f32", progress });
      const { tokens } = await model.caption(${JSON.stringify(PICTURE)});
      await model.dispose();
      const refusal = await load(${JSON.stringify(MODEL)}, { device: "webgpu" }).catch(({ code }) => code);
      console.log(JSON.stringify({ device: model.info.device, warnings, tokens, refusal }));
    `;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], { cwd: embedded.folder });
    const found = JSON.parse(stdout.trim().split("\n").at(-1));
    assert.deepEqual(found.tokens, expected.caption.tokens);
    assert.equal(found.device, "cpu");
    assert.deepEqual(found.warnings, ["The engine broke on the way to the GPU, so the model computes on the CPU."]);
    assert.equal(found.refusal, "device_lost");
  });

  test("has an album, in memory", async () => {
    const model = await load(CLIP, { dtype: "f32" });
    const album = await openAlbum("in Node.js", model);
    assert.equal(album.persistent, false);
    await album.add("landscape", { picture: PICTURE });
    await album.add("photo", { picture: PHOTO });
    const found = await album.search("photo.webp"); // what people type is a text
    assert.deepEqual(found.map(({ key }) => key).sort(), ["landscape", "photo"]);
    const files = await album.export();
    await album.close();
    const again = await openAlbum("in Node.js", model);
    assert.equal(await again.import(files), 2);
    assert.deepEqual(await again.search("photo.webp"), found);
    await again.close();
    await model.dispose();
  });

  for (const [what, type, body, told] of [
    ["a web page", "text/html; charset=utf-8", "<!doctype html><title>Home</title>", /There is no model at .*: the server sent a web page instead/],
    ["a web page that calls itself a file", "application/octet-stream", "<!doctype html><title>Home</title>", /is a page of a website, not a model/],
    ["a pointer of Git LFS", "text/plain", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", /is a pointer of git-lfs/],
    ["an error in JSON", "application/json", '{"error":"Repository not found"}', /not a model: \{"error":"Repository not found"\}/],
    ["an error of S3", "application/xml", '<?xml version="1.0"?>\n<Error><Code>NoSuchKey</Code><Message>It is gone.</Message></Error>', /a storage host, not a model: NoSuchKey \(It is gone\.\)/],
    ["a compressed file", "application/octet-stream", gzipSync("a model"), /is compressed with gzip/],
  ]) test(`is told from ${what} that a host sends with status 200`, async () => {
    const server = createServer((_, response) => response.writeHead(200, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) }).end(body));
    await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
    const host = `http://127.0.0.1:${server.address().port}`;
    try {
      for (const [source, where] of [[`${host}/models/small.gguf`, "/models/small.gguf"], [`${host}/models/small.safetensors`, "/models/small.safetensors"], [`${host}/models/small/`, "config.json"], ["owner/name", "config.json"]]) {
        await assert.rejects(load(source, source === "owner/name" ? { hub: { host } } : {}), ({ message }) => told.test(message) && message.includes(where), source);
      }
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test("gives the command line's results, from a folder and for pictures in every form", async () => {
    const model = await load(MODEL, { dtype: "f32" });
    try {
      assert.equal(model.info.device, "cpu");
      const bytes = await readFile(PICTURE);
      for (const picture of [PICTURE, pathToFileURL(PICTURE), bytes, new Blob([bytes])]) {
        assert.deepEqual((await model.caption(picture)).tokens, expected.caption.tokens);
      }
      const labels = await model.classify(PICTURE, LABELS);
      assert.deepEqual(labels.map(({ label }) => label), expected.labels.labels.map(({ label }) => label));
      for (const [place, { score }] of labels.entries()) assert.ok(Math.abs(score - expected.labels.labels[place].score) < 1e-4);
      assert.deepEqual((await model.answer(PICTURE, "what is it?")).tokens, expected.answer.tokens);
    } finally {
      await model.dispose();
    }
  });

  test("is read from a server, too", async () => {
    const file = await readFile(join(embedded.models, "small.gguf"));
    const server = createServer((request, response) => {
      const isThere = request.url === "/small.gguf";
      response.writeHead(isThere ? 200 : 404, { "Content-Length": isThere ? file.length : 0 }).end(isThere && request.method === "GET" ? file : "");
    });
    await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
    try {
      const model = await load(`http://127.0.0.1:${server.address().port}/small.gguf`, { dtype: "f32" });
      assert.deepEqual((await model.caption(PICTURE)).tokens, expected.caption.tokens);
      await model.dispose();
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test("merges adapters into a model, and finds an adapter's base where it is told to", async () => {
    const golden = (name) => join(ROOT, "tests/golden", name);
    const { loads } = JSON.parse(await readFile(golden("adapters/expected.json"), "utf8"));
    const [base, plain, second] = [golden("blip-caption/model"), golden("adapters/blip-plain"), golden("adapters/blip-second")];
    const captioned = async (source, options) => {
      const model = await load(source, { dtype: "f32", ...options });
      const { tokens } = await model.caption(PICTURE, { maxNewTokens: 12 });
      await model.dispose();
      return tokens;
    };
    assert.deepEqual(await captioned(base, { adapters: [plain] }), loads["blip-plain"].ids);
    assert.deepEqual(await captioned(plain, { base, adapters: [second] }), loads["blip-two"].ids);
    const failure = load(base, { adapters: [golden("adapters/clip-plain")] });
    await assert.rejects(failure, (error) => error.code === "bad_weights" && /another model/.test(error.message));
    await assert.rejects(load(base, { adapters: plain }), { code: "bad_input" });
  });

  test("stops when it is told to, and refuses what Node.js has not", async () => {
    const codeOf = (promise) => promise.then(() => "no error", (error) => error.code);
    const model = await load(MODEL, { dtype: "f32" });
    const stop = new AbortController();
    assert.equal(await codeOf(model.caption(PICTURE, { signal: stop.signal, onToken: () => stop.abort() })), "aborted");
    assert.equal(await codeOf(model.caption(new Uint8Array([1, 2, 3]))), "bad_image");
    assert.deepEqual((await model.caption(PICTURE)).tokens, expected.caption.tokens, "it goes on working");
    await model.dispose();
    assert.equal(await codeOf(model.caption(PICTURE)), "aborted");
    assert.equal(await codeOf(load(MODEL, { device: "webgpu" })), "no_device");
    assert.equal(await codeOf(load(join(ROOT, "README.md"))), "bad_weights");
  });
});
