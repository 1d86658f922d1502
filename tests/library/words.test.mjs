// Models from a hub that lack their tokenizer, because open_clip has it in itself: it comes from OpenAI's repository. So LAION's
// CoCas lie there, and their open_clip_config.json has the network's options alone.
//
// Needs www/pkg (scripts/test builds it).

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { load } from "../../www/node.js";
import { startHub } from "../hub/server.mjs";

const GOLDEN = new URL("../golden/coca/model/", import.meta.url);
const WORDS = "openai/clip-vit-base-patch32";

let hub, files, words;

before(async () => {
  const read = (name) => readFile(new URL(name, GOLDEN));
  const { model_cfg: options } = JSON.parse(await read("open_clip_config.json"));
  files = { "open_clip_config.json": Buffer.from(JSON.stringify(options)), "open_clip_model.safetensors": await read("open_clip_model.safetensors") };
  words = { "tokenizer.json": await read("tokenizer.json") };
  hub = await startHub({ repositories: { "laion/coca": files, "own/whole": { ...files, ...words }, [WORDS]: words } });
});
after(() => hub.close());

async function vectorOf(name, settings) {
  const model = await load(name, { dtype: "f32", cache: false, device: "cpu", hub: { host: settings.host } });
  try {
    return [...(await model.embed({ text: "a photo of a cat" }))];
  } finally {
    await model.dispose();
  }
}

test("a tokenizer that a repository lacks comes from OpenAI's", async () => {
  const expected = await vectorOf("own/whole", hub);
  assert.ok(!hub.requests.some(({ path }) => path.startsWith(`/${WORDS}/`)), "nothing is asked of others that is there");
  assert.deepEqual(await vectorOf("laion/coca", hub), expected);
  assert.ok(hub.requests.some(({ path }) => path === `/${WORDS}/resolve/main/tokenizer.json`));
});

test("a hub without OpenAI's repository says what is missing", async () => {
  const other = await startHub({ repositories: { "laion/coca": files } });
  try {
    await assert.rejects(vectorOf("laion/coca", other), { code: "bad_weights", message: /no tokenizer found.*openai\/clip-vit-base-patch32/ });
  } finally {
    await other.close();
  }
});
