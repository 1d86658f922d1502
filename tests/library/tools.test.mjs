// tools(): a model as tools for language models, in Node.js, and for the browser's own agent.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both).

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import SCHEMAS from "../../www/lib/agents/tool-schemas.js";
import { load, openAlbum } from "../../www/node.js";
import { canRegisterTools, registerTools, tools } from "../../www/tools.js";
import { CLIP, commandLine, convert, embedSmallModel, PICTURE, WHOLE_TEST } from "./surroundings.mjs";

let embedded, model, album;

before(async () => {
  embedded = await embedSmallModel();
  model = await load(`${embedded.models}/small.gguf`, { dtype: "f32", device: "cpu" });
  album = await openAlbum("tools", model, { persistent: false });
  await album.add("landscape", { picture: PICTURE });
});

after(async () => {
  await album?.close();
  await model?.dispose();
  await embedded?.remove();
});

const open = (name) => (name === undefined || name === "landscape" ? PICTURE : null);

describe("the tools", WHOLE_TEST, () => {
  test("are in the form of function calling, with the schemas of `obscura mcp`", () => {
    const mine = tools(model, { album });
    const expected = SCHEMAS.map(({ name, description, inputSchema }) => ({ type: "function", function: { name, description, parameters: inputSchema } }));
    assert.deepEqual(JSON.parse(JSON.stringify(mine)), expected);
  });

  test("are those that the model has the heads for, and search with an album alone", async () => {
    const names = (list) => list.map(({ function: { name } }) => name);
    assert.deepEqual(names(tools(model)), ["caption", "answer", "classify", "match"]);
    await convert(CLIP, `${embedded.folder}/clip.gguf`);
    const clip = await load(`${embedded.folder}/clip.gguf`, { dtype: "f32", device: "cpu" });
    assert.deepEqual(names(tools(clip)), ["classify", "match"]);
    await clip.dispose();
  });

  test("say what the command line says, and give what the schemas promise", async () => {
    const mine = tools(model, { open, album });
    const caption = await commandLine("caption", PICTURE);
    const found = await mine.call("caption", { path: "landscape" });
    assert.equal(found.text, caption.text);
    assert.deepEqual(await mine.call("caption", {}), found, "the picture that is meant anyhow");
    assert.deepEqual(await mine.call("caption", { data: (await readFile(PICTURE)).toString("base64") }), found);
    assert.deepEqual(await mine.call("caption", '{"path": "landscape"}'), found, "arguments as their JSON");
    const answer = await commandLine("answer", PICTURE, "--question", "what is it?");
    assert.equal((await mine.call("answer", { path: "landscape", question: "what is it?" })).text, answer.text);
    const ranked = await mine.call("answer", { path: "landscape", question: "what is it?", answers: ["a cat", "a dog"] });
    assert.equal(ranked.text, ranked.answers[0].text);
    const { labels } = await mine.call("classify", { path: "landscape", labels: ["a cat", "a dog"], topK: 1 });
    assert.deepEqual(labels.map(({ label }) => label), [(await commandLine("classify", PICTURE, "--labels", "a cat,a dog")).labels[0].label]);
    const { matches } = await mine.call("match", { path: "landscape", texts: ["a cat"] });
    assert.deepEqual(Object.keys(matches[0]).sort(), ["probability", "similarity", "text"]);
    assert.deepEqual((await mine.call("search", { text: "a cat", limit: 1 })).found.map(({ key }) => key), ["landscape"]);
    assert.ok((await mine.call("search", { path: "landscape" })).found[0].similarity > 0.99);
  });

  test("refuse what does not fit, in words for the one who asked", async () => {
    const mine = tools(model, { open, album });
    const refuses = (name, given, message, code = "bad_input") => assert.rejects(mine.call(name, given), { code, message });
    await refuses("draw", {}, /no tool 'draw'; there are caption, answer, classify, match, search/);
    await refuses("caption", "{", /caption: the arguments are not JSON/);
    await refuses("caption", [], /the arguments are an object, not an empty list/);
    await refuses("caption", { image: "x" }, /caption: there is no argument 'image'; there are path, data, prompt/);
    await refuses("caption", { numBeams: 0 }, /numBeams is a whole number, 1 or more, not the number '0'/);
    await refuses("answer", {}, /answer: the argument 'question' is missing/);
    await refuses("match", { texts: [] }, /texts is a list of at least one text, not an empty list/);
    await refuses("caption", { path: "x", data: "AAAA" }, /given twice/);
    await refuses("caption", { path: "other" }, /there is no picture 'other'/, "bad_image");
    await refuses("caption", { data: "!" }, /data is not base64/, "bad_image");
    await refuses("search", { text: "a", path: "landscape" }, /one of the three/);
    await assert.rejects(tools(model).call("caption", { path: PICTURE }), { message: /there is no picture/ }, "nothing is opened unless the page opens it");
    assert.throws(() => tools({}), { code: "bad_input" });
  });

  test("end when the call is aborted", async () => {
    const controller = new AbortController();
    controller.abort();
    await assert.rejects(tools(model, { open }).call("caption", {}, { signal: controller.signal }), { code: "aborted" });
  });
});

describe("the browser's own agent", WHOLE_TEST, () => {
  /** What a page offers, as the draft of WebMCP keeps it. */
  function agent() {
    const offered = new Map();
    const registerTool = async (tool, { signal } = {}) => {
      offered.set(tool.name, tool);
      signal?.addEventListener("abort", () => offered.delete(tool.name));
    };
    return { offered, registerTool };
  }

  test("is offered nothing where there is none", async () => {
    assert.equal(canRegisterTools(), false);
    assert.equal(await registerTools(tools(model)), false);
  });

  for (const place of ["document", "navigator"]) {
    test(`gets the tools by the ${place}, until it is stopped`, async () => {
      const { offered, ...modelContext } = agent();
      const had = Object.getOwnPropertyDescriptor(globalThis, place);
      Object.defineProperty(globalThis, place, { value: { modelContext }, configurable: true });
      try {
        const controller = new AbortController();
        assert.equal(await registerTools(tools(model, { open }), { signal: controller.signal }), true);
        assert.deepEqual([...offered.keys()], ["caption", "answer", "classify", "match"]);
        const { execute, inputSchema, title, annotations } = offered.get("caption");
        assert.deepEqual([inputSchema, title, annotations.readOnlyHint], [SCHEMAS[0].inputSchema, SCHEMAS[0].title, true]);
        assert.equal((await execute({ path: "landscape" })).text, (await commandLine("caption", PICTURE)).text);
        controller.abort();
        assert.equal(offered.size, 0);
      } finally {
        if (had) Object.defineProperty(globalThis, place, had);
        else delete globalThis[place];
      }
    });
  }
});
