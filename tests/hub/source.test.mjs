// www/lib/loading/: what people call a model, and which requests and reads come of it.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { droppedFiles } from "../../www/lib/loading/chosen-files.js";
import { describeSource } from "../../www/lib/loading/describe-source.js";
import { openSource } from "../../www/lib/loading/source.js";
import { startHub } from "./server.mjs";

const COMMIT = "a".repeat(40);
const QUICK = { retries: 2, firstRetries: 0, backoffMs: 2, stallMs: 10_000 };
const BASE = "https://example.org/page/";
const BOUNDED = { timeout: 180_000 };

let hub;
let opened = [];

before(async () => {
  const files = { "config.json": Buffer.from('{"a": 1}'), "model.safetensors": Buffer.alloc(50_000, 7), "only.gguf": Buffer.from("GGUF....") };
  hub = await startHub({ repositories: { "own/model": files }, commit: COMMIT });
});
after(() => hub.close());
afterEach(() => {
  for (const source of opened.splice(0)) source.close();
  hub.behave();
});

describe("addresses", () => {
  const cases = {
    "Salesforce/blip-image-captioning-base": { name: "Salesforce/blip-image-captioning-base", config: "https://huggingface.co/Salesforce/blip-image-captioning-base/resolve/main/config.json" },
    "https://huggingface.co/own/model": { name: "own/model", config: "https://huggingface.co/own/model/resolve/main/config.json" },
    "https://huggingface.co/own/model/tree/v2": { name: "own/model", config: "https://huggingface.co/own/model/resolve/v2/config.json" },
    "https://huggingface.co/own/model/blob/main/x.gguf": { name: "https://huggingface.co/own/model/resolve/main/x.gguf", file: "x.gguf", config: "https://huggingface.co/own/model/resolve/main/config.json" },
    "models/tiny.gguf": { file: "tiny.gguf", config: "https://example.org/page/models/config.json" },
    "models/tiny/": { config: "https://example.org/page/models/tiny/config.json" },
    "./models/tiny": { config: "https://example.org/page/models/tiny/config.json" },
    "https://other.org/a b/m.gguf?sig=1#top": { file: "m.gguf", config: "https://other.org/a%20b/config.json" },
    "https://other.org/folder?sig=1": { config: "https://other.org/folder/config.json?sig=1" },
    "own/model/text_encoder_2": { part: "text_encoder_2/", config: "https://huggingface.co/own/model/resolve/main/config.json" },
    "https://huggingface.co/own/model/tree/v2/a/image_encoder": { name: "own/model/a/image_encoder/", part: "a/image_encoder/", config: "https://huggingface.co/own/model/resolve/v2/config.json" },
    "https://other.org/sd/text_encoder?sig=1": { part: "text_encoder/", config: "https://other.org/sd/config.json?sig=1" },
    "own/weights.pth": { file: "weights.pth", config: "https://example.org/page/own/config.json" },
  };
  for (const [address, { name = address, file, part, config }] of Object.entries(cases)) {
    test(`'${address}' is ${file ?? "a folder"}, its neighbours at ${config}`, async () => {
      const description = await describeSource(address, { base: BASE });
      assert.equal(description.name, name);
      assert.equal(description.file, file);
      assert.equal(description.part, part);
      assert.equal(await addressOf(description, "config.json"), config);
    });
  }

  test("a revision, a mirror and its template are respected", async () => {
    const settings = { revision: "refs/pr/1", hub: { host: "https://mirror.org/hf/", template: "{host}/get/{id}@{revision}?file={file}" } };
    const description = await describeSource("own/model", settings);
    assert.equal(await addressOf(description, "a.json"), "https://mirror.org/hf/get/own/model@refs%2Fpr%2F1?file=a.json");
    assert.equal(description.immutable, false);
    assert.equal((await describeSource("own/model", { revision: COMMIT })).immutable, true);
  });

  test("the token is for the hub only", async () => {
    const settings = { hub: { token: "secret" }, base: BASE };
    assert.equal((await describeSource("own/model", settings)).token, "secret");
    assert.equal((await describeSource("https://huggingface.co/own/model/resolve/main/x.gguf", settings)).token, "secret");
    assert.equal((await describeSource("https://other.org/x.gguf", settings)).token, undefined);
  });

  const refused = [
    ["ftp://host/x.gguf", {}, /https:/],
    ["http://", {}, /neither/],
    ["x.gguf", { revision: "main" }, /revision/],
    ["own/model", { hub: { hots: "x" } }, /hots/],
    ["own/model", { hub: { host: "x" } }, /hub\.host/],
    ["own/model", { hub: { template: "{host}/{id}" } }, /template/],
    [[], {}, /no files/],
    [["x"], {}, /File objects/],
    [{}, {}, /hub id/],
    [5, {}, /hub id/],
  ];
  for (const [source, settings, message] of refused) {
    test(`${JSON.stringify(source)} with ${JSON.stringify(settings)} is refused`, async () => {
      await assert.rejects(describeSource(source, { base: BASE, ...settings }), { code: "bad_input", message });
    });
  }
});

describe("files and bytes", () => {
  test("bytes are told apart by their beginning", async () => {
    const named = async (text) => (await describeSource(new TextEncoder().encode(text))).file;
    assert.equal(await named("GGUF\x03\0\0\0"), "model.gguf");
    assert.equal(await named("PK\x03\x04"), "pytorch_model.bin");
    assert.equal((await describeSource(Uint8Array.of(0x80, 2, 0x8a, 10))).file, "pytorch_model.bin");
    assert.equal(await named("\x10\0\0\0\0\0\0\0{}"), "model.safetensors");
  });

  test("one file is itself, several are a folder, what a model may take from those inside it included", async () => {
    const single = await describeSource(new File(["GGUF"], "x.gguf"));
    assert.deepEqual([single.file, single.identity], ["x.gguf", null]);
    const files = ["m/config.json", "m/model.safetensors", "m/onnx/config.json", "m/text_encoder/a.png", "m/a/b/config.json"].map((path) => located(path));
    const folder = await describeSource(files);
    assert.equal(folder.file, undefined);
    assert.equal(folder.name, "m");
    assert.deepEqual(Object.keys(folder.files).sort(), ["config.json", "model.safetensors", "onnx/config.json"]);
    assert.equal(await folder.files["config.json"].text(), "m/config.json");
    assert.ok(folder.identity.includes("model.safetensors"));
    assert.equal((await describeSource([new File(["x"], "README.md"), new File(["x"], "y.gguf")])).file, "y.gguf");
  });

  test("a folder's handle is read", async () => {
    const inside = [new File(["1"], "config.json"), new File(["2"], "model.safetensors")].map((file) => ({ kind: "file", name: file.name, getFile: async () => file }));
    const other = { kind: "file", name: "config.json", getFile: async () => new File(["3"], "config.json") };
    const folder = (name, entries) => ({ kind: "directory", name, values: async function* () { yield* entries; } });
    const handle = folder("chosen", [...inside, folder("tokenizer", [other, folder("deeper", [other])])]);
    const description = await describeSource(handle);
    assert.equal(description.name, "chosen");
    assert.deepEqual(Object.keys(description.files), ["config.json", "model.safetensors", "tokenizer/config.json"]);
  });

  test("dropped folders are opened, in as many portions as they come", async () => {
    const names = Array.from({ length: 250 }, (_, index) => `part-${index}.json`);
    const dropped = await droppedFiles({ files: [new File([], "folder")], items: [{ kind: "string" }, itemOf(folderOf(names))] });
    assert.deepEqual(dropped.map(({ name }) => name), names);
    const pipeline = { isFile: false, isDirectory: true, name: "sd", createReader: () => {
      const portions = [[fileOf("model_index.json"), folderOf(["config.json"], "text_encoder")], []];
      return { readEntries: (read) => read(portions.shift()) };
    } };
    const parts = await describeSource(await droppedFiles({ files: [], items: [itemOf(pipeline)] }));
    assert.deepEqual(Object.keys(parts.files), ["model_index.json", "text_encoder/config.json"]);
    const mixed = await droppedFiles({ files: [], items: [itemOf(fileOf("a.json")), itemOf(folderOf(["b.json"]))] });
    assert.deepEqual(mixed.map(({ name }) => name), ["a.json", "b.json"]);
    const plain = [new File(["x"], "x.gguf")];
    assert.deepEqual(await droppedFiles({ files: plain, items: [itemOf(fileOf("x.gguf"))] }), plain);
    assert.deepEqual(await droppedFiles(null), []);
  });

  test("reads give exactly the bytes, or an error", async () => {
    const source = open(await describeSource([new File(["0123456789"], "config.json"), new File(["x"], "b.bin")]));
    assert.equal(source.size("config.json"), 10);
    assert.equal(source.size("nowhere.json"), null);
    assert.equal(source.size("toString"), null);
    assert.equal(new TextDecoder().decode(await source.read("config.json", 3, 4)), "3456");
    await assert.rejects(source.read("config.json", 8, 4), { code: "bad_weights", message: /10 bytes/ });
  });
});

describe("remote folders", BOUNDED, () => {
  test("files are found, missing ones are null, and all are of one commit", async () => {
    const source = await openRemote();
    assert.equal(await source.size("config.json"), 8);
    assert.equal(await source.size("tokenizer.json"), null);
    assert.equal((await source.read("model.safetensors", 49_990, 10))[9], 7);
    assert.equal(source.commit, COMMIT);
    assert.deepEqual(Object.keys(source.validators()).sort(), ["config.json", "model.safetensors"]);
  });

  test("a push in the middle of a load is noticed", async () => {
    const source = await openRemote();
    await source.size("config.json");
    hub.commit = "b".repeat(40);
    try {
      hub.behave({ redirect: false });
      await assert.rejects(source.size("model.safetensors"), { changed: true });
    } finally {
      hub.commit = COMMIT;
    }
  });

  test("an unchanged model is known by one request, by its commit", async () => {
    const source = await openRemote();
    await readAll(source);
    const seen = [source.validators(), source.commit];
    hub.forget();
    assert.equal(await (await openRemote()).isCurrent(...seen), true);
    assert.deepEqual(hub.requests.map(({ method }) => method), ["HEAD"]);
  });

  test("after another commit the files themselves are compared", async () => {
    const source = await openRemote();
    await readAll(source);
    const seen = [source.validators(), "b".repeat(40)];
    assert.equal(await (await openRemote()).isCurrent(...seen), true);
    hub.behave({ changeAfter: 0 });
    assert.equal(await (await openRemote()).isCurrent(...seen), false);
  });

  test("a server that does not answer leaves the question open", async () => {
    const source = await openRemote();
    await readAll(source);
    const seen = [source.validators(), source.commit];
    for (const status of [404, 500, 401]) {
      hub.behave({ fail: { status } });
      assert.equal(await (await openRemote()).isCurrent(...seen), null);
    }
    const fixed = open(await describeSource("own/model", { revision: COMMIT, hub: { host: hub.host } }));
    hub.forget();
    assert.equal(await fixed.isCurrent(...seen), true);
    assert.equal(hub.requests.length, 0, "a commit never changes");
  });

  test("where a store forbids what it does not have, it is missing; where all is forbidden, that is said", async () => {
    hub.behave({ fail: { status: 403 } }, "tokenizer.json");
    const source = await openRemote();
    await source.size("config.json");
    assert.equal(await source.size("tokenizer.json"), null);
    hub.behave({ fail: { status: 403 } });
    await assert.rejects((await openRemote()).size("config.json"), { code: "network", message: /403.*token/ });
  });

  test("open_clip's tokenizer is of another repository of the hub, and no file of a folder elsewhere", async () => {
    const words = "openai/clip-vit-base-patch32/tokenizer.json";
    assert.equal(await addressOf(await describeSource("own/model", { revision: "v2" }), words), `https://huggingface.co/openai/clip-vit-base-patch32/resolve/main/tokenizer.json`);
    const elsewhere = open(await describeSource(`${hub.host}/own/model/resolve/main/`));
    hub.forget();
    assert.equal(await elsewhere.size(words), null);
    assert.equal(hub.requests.length, 0);
  });

  test("a file alone is asked for neighbours, which may be missing", async () => {
    const source = open(await describeSource(`${hub.host}/own/model/resolve/main/only.gguf`));
    assert.equal(await source.size("only.gguf"), 8);
    assert.equal(await source.size("config.json"), 8);
    hub.behave({ fail: { status: 403 } });
    assert.equal(await source.size("vocab.json"), null);
  });
});

// --- opening -------------------------------------------------------------------------------------

async function openRemote() {
  return open(await describeSource("own/model", { hub: { host: hub.host } }));
}

function open(description) {
  const source = openSource(description, { transport: QUICK });
  opened.push(source);
  return source;
}

async function readAll(source) {
  for (const file of ["config.json", "model.safetensors"]) await source.read(file, 0, await source.size(file));
}

/** Where a file would be fetched from. */
async function addressOf(description, file) {
  let asked;
  const fetch = async (url) => {
    asked = url;
    return new Response("", { status: 404 });
  };
  const source = openSource(description, { transport: { fetch } });
  await source.size(file);
  return asked;
}

/** What a browser shows of a drop: entries that are read by callbacks, a hundred at a time. */
function itemOf(entry) {
  return { kind: "file", webkitGetAsEntry: () => entry };
}

function fileOf(name) {
  return { isFile: true, isDirectory: false, name, file: (found) => found(new File(["1"], name)) };
}

function folderOf(names, name = "folder") {
  const entries = names.map(fileOf);
  const createReader = () => ({ readEntries: (found) => found(entries.splice(0, 100)) });
  return { isFile: false, isDirectory: true, name, createReader };
}

function located(path) {
  const file = new File([path], path.split("/").pop());
  Object.defineProperty(file, "webkitRelativePath", { value: path });
  return file;
}
