// One encoder of a model from a hub that sends ranges: nothing of the other is fetched. A SigLIP 2's table of tokens is
// most of it, so here the small golden ones get long tables, too.
//
// Needs www/pkg (scripts/test builds it).

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { load } from "../../www/node.js";
import { startHub } from "../hub/server.mjs";

const GOLDEN = new URL("../golden/", import.meta.url).pathname;
const TOKENS = 1 << 19; // longer than what one connection reads ahead
const BOUNDED = { timeout: 180_000 };
const SIGLIP = {
  folder: "siglip2/model", weights: "model.safetensors", table: "text_model.embeddings.token_embedding.weight",
  texts: (name) => name.startsWith("text_model."),
};
const CHINESE = {
  folder: "chinese-clip/model", weights: "model.safetensors", table: "text_model.embeddings.word_embeddings.weight",
  texts: (name) => name.startsWith("text_"),
};
const ROBERTA = {
  folder: "zoo/xlm-roberta", weights: "open_clip_model.safetensors", table: "text.transformer.embeddings.word_embeddings.weight",
  texts: (name) => name.startsWith("text."),
};
const KINDS = { siglip: SIGLIP, chinese: CHINESE, roberta: ROBERTA };

let hub;
const parts = {}; // kind -> bytes of its texts, of its pictures, of its table

before(async () => {
  const repositories = {};
  for (const [kind, model] of Object.entries(KINDS)) {
    const files = await filesOf(model);
    repositories[`own/${kind}`] = files;
    parts[kind] = sizes(files[model.weights], model);
  }
  hub = await startHub({ repositories });
});
after(() => hub.close());

/** What is fetched of a model's weights for some tasks. */
async function fetched(kind, tasks, dtype) {
  hub.behave();
  const sent = hub.sentBytes;
  const model = await load(`own/${kind}`, { tasks, dtype, cache: false, device: "cpu", hub: { host: hub.host } });
  const { info } = model;
  await model.dispose();
  return { info, bytes: hub.sentBytes - sent };
}

for (const [kind, { folder }] of Object.entries(KINDS)) {
  describe(`of ${folder}`, BOUNDED, () => {
    test("the image encoder leaves the texts' table where it is", async () => {
      const { bytes, info } = await fetched(kind, ["embed-image"], "q8");
      const { table, texts, pictures, beside } = parts[kind];
      console.log(`${kind}: ${bytes} bytes for pictures, of ${table + texts + pictures + beside} in all; the table has ${table}`);
      assert.deepEqual(info.tasks, ["embed-image"]);
      assert.ok(bytes < table, `${bytes} bytes, the table has ${table}`);
      assert.ok(bytes > pictures);
    });

    test("the text encoder is fetched with its table, which is quantized by rows", async () => {
      const { bytes, info } = await fetched(kind, ["embed-text"], "q8");
      assert.deepEqual(info.tasks, ["embed-text"]);
      assert.ok(bytes > parts[kind].table);
    });
  });
}

/** A golden model's files, its table of tokens made longer by zeros. */
async function filesOf({ folder, weights, table }) {
  const read = (name) => readFile(join(GOLDEN, folder, name)).catch(() => null);
  const names = ["config.json", "open_clip_config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", weights];
  const files = {};
  for (const name of names) {
    const file = await read(name);
    if (file) files[name] = file;
  }
  files["config.json"] = Buffer.from(files["config.json"].toString().replace(/"vocab_size": \d+/, `"vocab_size": ${TOKENS}`));
  files[weights] = lengthened(files[weights], table);
  return files;
}

/** A safetensors file with more rows in one tensor. */
function lengthened(file, longer) {
  const { header, data } = opened(file);
  const chunks = [];
  let position = 0;
  for (const [name, { shape, data_offsets: [start, end] }] of header) {
    let bytes = data.subarray(start, end);
    if (name === longer) {
      const rows = Buffer.alloc((bytes.length / shape[0]) * TOKENS);
      bytes.copy(rows);
      [bytes, shape[0]] = [rows, TOKENS];
    }
    header.find(([own]) => own === name)[1].data_offsets = [position, position + bytes.length];
    chunks.push(bytes);
    position += bytes.length;
  }
  const text = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...chunks]);
}

/** A safetensors file's tensors in the order of their bytes, and those. */
function opened(file) {
  const length = Number(file.readBigUInt64LE());
  const header = Object.entries(JSON.parse(file.subarray(8, 8 + length).toString())).filter(([name]) => name !== "__metadata__");
  header.sort(([, one], [, other]) => one.data_offsets[0] - other.data_offsets[0]);
  return { header, data: file.subarray(8 + length) };
}

function sizes(file, { table, texts }) {
  const sum = { table: 0, texts: 0, pictures: 0, beside: 0 };
  for (const [name, { data_offsets: [start, end] }] of opened(file).header) {
    const part = name === table ? "table" : texts(name) ? "texts" : name.startsWith("vis") ? "pictures" : "beside";
    sum[part] += end - start;
  }
  return sum;
}
