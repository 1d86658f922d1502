// www/lib/loading/adapted-source.js: which files a model with adapters is made of, by names that no two share, and what of
// them is asked for again.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { identityOf, openModel } from "../../www/lib/loading/adapted-source.js";
import { describeSource } from "../../www/lib/loading/describe-source.js";
import { startHub } from "./server.mjs";

const text = (value) => Buffer.from(JSON.stringify(value));
const adapterOf = (base, more = {}) => ({
  "adapter_config.json": text({ peft_type: "LORA", base_model_name_or_path: base, ...more }),
  "adapter_model.safetensors": Buffer.from("weights"),
});
const MODEL = { "config.json": text({ model_type: "clip" }), "model.safetensors": Buffer.alloc(500, 1) };

let hub;

before(async () => {
  hub = await startHub({
    repositories: {
      "own/model": MODEL,
      "own/lora": adapterOf("own/model"),
      "own/second": adapterOf("own/lora"),
      "own/merged": { ...MODEL, ...adapterOf("own/model") },
      "own/beside": { ...MODEL, ...adapterOf("own/beside") },
      "own/round": adapterOf("own/round-2"),
      "own/round-2": adapterOf("own/round"),
      "own/baseless": adapterOf(null),
      "own/private": adapterOf("/content/drive/base"),
    },
  });
});
after(() => hub.close());
beforeEach(() => hub.behave());

const settings = () => ({ hub: { host: hub.host } });
const described = async (source, { adapters = [], base } = {}) => ({
  ...(await describeSource(source, settings())),
  adapters: await Promise.all(adapters.map((adapter) => describeSource(adapter, settings()))),
  base: base && (await describeSource(base, settings())),
  settings: settings(),
});

/** Opens a model and says where each of these files is. */
async function opened(source, others, use) {
  const model = openModel(await described(source, others), { transport: { backoffMs: 1, retries: 1 } });
  try {
    return await use(model);
  } finally {
    model.close();
  }
}

const words = async (model, file) => Buffer.from(await model.read(file, 0, await model.size(file))).toString();

describe("a model with adapters", () => {
  test("has the model's files by their names, and the adapters' behind theirs", async () => {
    await opened("own/model", { adapters: ["own/lora", "own/second"] }, async (model) => {
      assert.deepEqual(await model.adapters(), ["own/lora", "own/second"]);
      assert.equal(await model.size("model.safetensors"), 500);
      assert.equal(await model.size("adapter_config.json"), null);
      assert.equal(await words(model, "own/lora/adapter_model.safetensors"), "weights");
      assert.equal(JSON.parse(await words(model, "own/second/adapter_config.json")).base_model_name_or_path, "own/lora");
      assert.deepEqual(Object.keys(model.validators()).sort(), ["config.json", "model.safetensors", "own/lora/adapter_model.safetensors", "own/second/adapter_config.json"]);
    });
  });

  test("given twice has two names", async () => {
    await opened("own/model", { adapters: ["own/lora", "own/lora"] }, async (model) => {
      assert.deepEqual(await model.adapters(), ["own/lora", "own/lora (2)"]);
      assert.equal(await words(model, "own/lora (2)/adapter_model.safetensors"), "weights");
    });
  });
});

describe("an adapter in place of a model", () => {
  test("stands for its base with the adapter, and for an adapter's base with both", async () => {
    await opened("own/lora", {}, async (model) => {
      assert.deepEqual(await model.adapters(), ["own/lora"]);
      assert.equal(await model.size("model.safetensors"), 500);
    });
    await opened("own/second", { adapters: ["own/merged"] }, async (model) => {
      assert.deepEqual(await model.adapters(), ["own/lora", "own/second", "own/merged"]);
      assert.equal(await model.size("model.safetensors"), 500);
    });
  });

  test("on a hub belongs to the base that it names, whatever lies beside it", async () => {
    await opened("own/merged", {}, async (model) => {
      assert.deepEqual(await model.adapters(), ["own/merged"]);
      await model.size("model.safetensors");
      assert.ok(Object.keys(model.validators()).includes("model.safetensors"));
      assert.ok(!hub.requests.some(({ path }) => path.includes("own/merged") && path.endsWith("model.safetensors") && !path.includes("adapter")));
    });
    await opened("own/beside", {}, async (model) => {
      assert.deepEqual(await model.adapters(), [], "the engine finds it beside the model");
      assert.notEqual(await model.size("adapter_config.json"), null);
    });
  });

  test("takes the base that is given instead of its own", async () => {
    for (const adapter of ["own/private", "own/baseless"]) {
      await opened(adapter, { base: "own/model" }, async (model) => {
        assert.deepEqual(await model.adapters(), [adapter]);
        assert.equal(await model.size("model.safetensors"), 500);
      });
    }
  });

  test("of files is told by what is missing among them", async () => {
    const files = Object.entries(adapterOf("own/model")).map(([name, bytes]) => new File([bytes], name, { lastModified: 1 }));
    await opened(files, {}, async (model) => {
      assert.deepEqual(await model.adapters(), ["the chosen files"]);
      assert.equal(await words(model, "the chosen files/adapter_model.safetensors"), "weights");
      assert.equal(await model.size("model.safetensors"), 500);
    });
  });

  test("without a base that can be found says what to do", async () => {
    const refused = async (source, others, message) => {
      const failure = opened(source, others, (model) => model.adapters());
      await assert.rejects(failure, (error) => error.code === "bad_input" && message.test(error.message));
    };
    await refused("own/private", {}, /own\/private .*\/content\/drive\/base.*base:/);
    await refused("own/baseless", {}, /own\/baseless .*does not say.*base:/);
    await refused("own/round", {}, /each other/);
    await refused("own/model", { base: "own/lora" }, /whole model/);
    await refused([new File(["weights"], "adapter_model.bin", { lastModified: 1 })], {}, /adapter_config\.json/);
  });
});

describe("what is kept", () => {
  test("is kept for base, adapters and their revisions", async () => {
    const page = (revision) => `${hub.host}/own/lora/tree/${revision}`;
    const asked = [
      ["own/model"],
      ["own/model", { adapters: ["own/lora"] }],
      ["own/model", { adapters: [page("v2")] }],
      ["own/model", { adapters: ["own/lora", "own/second"] }],
      ["own/model", { adapters: ["own/second", "own/lora"] }],
      ["own/lora"],
      ["own/lora", { base: "own/merged" }],
    ];
    const identities = await Promise.all(asked.map(async ([source, others]) => JSON.stringify(identityOf(await described(source, others)))));
    assert.equal(new Set(identities).size, asked.length);
    assert.equal(JSON.parse(identities[0]), `${hub.host}/own/model/resolve/main/`, "without adapters it is the model's own");
    assert.equal(identityOf(await described("own/model", { adapters: [new Uint8Array(4)] })), null);
  });

  test("is current as long as base and adapter are", async () => {
    const first = await opened("own/lora", {}, async (model) => {
      for (const file of ["config.json", "model.safetensors", "own/lora/adapter_config.json", "own/lora/adapter_model.safetensors"]) {
        await model.size(file);
      }
      return { files: model.validators(), commit: model.commit };
    });
    const isCurrent = () => opened("own/lora", {}, (model) => model.isCurrent(first.files, first.commit));
    assert.equal(await isCurrent(), true);
    hub.commit = "d".repeat(40); // of something else
    assert.equal(await isCurrent(), true);
    for (const file of ["own/lora/resolve/main/adapter_model.safetensors", "own/model/resolve/main/model.safetensors"]) {
      hub.behave({ changeAfter: 0, redirect: false }, file);
      assert.equal(await isCurrent(), false, file);
    }
    hub.commit = "c".repeat(40);
  });
});
