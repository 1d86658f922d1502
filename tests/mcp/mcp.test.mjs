// `obscura mcp` against the official client of the Model Context Protocol, and what the client never sends, by hand.
//
// Needs target/release/obscura (scripts/test builds it).

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import SCHEMAS from "../../www/lib/agents/tool-schemas.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const OBSCURA = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "release", "obscura");
const MODEL = join(ROOT, "tests/golden/blip-all/model");
const CLIP = join(ROOT, "tests/golden/clip-quick/model");
const EXACT = ["--device", "cpu", "--dtype", "f32"];
const TIMEOUT = { timeout: 120_000 };
const run = promisify(execFile);

let folder, pictures, album, picture;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "obscura-mcp-"));
  pictures = join(folder, "pictures");
  await mkdir(join(pictures, "inner"), { recursive: true });
  picture = join(pictures, "landscape.png");
  await copyFile(join(ROOT, "tests/pictures/landscape.png"), picture);
  await copyFile(join(ROOT, "tests/pictures/portrait.png"), join(pictures, "inner/portrait.png"));
  await copyFile(join(ROOT, "tests/pictures/portrait.png"), join(folder, "secret.png"));
  await writeFile(join(pictures, "text.png"), "no picture");
  await symlink(join(folder, "secret.png"), join(pictures, "out.png"));
  await symlink(folder, join(pictures, "out"));
  await symlink("inner/portrait.png", join(pictures, "in.png"));
  album = join(folder, "photos.album");
  await run(OBSCURA, ["album", "add", MODEL, album, pictures, ...EXACT]).catch(({ stderr }) => assert.match(stderr, /text\.png/));
});

after(() => rm(folder, { recursive: true, force: true }));

/** What the command line says. */
async function commandLine(...words) {
  const { stdout } = await run(OBSCURA, [...words, ...EXACT, "--json"]);
  return JSON.parse(stdout);
}

/** Acts with a client of a server that was started with these words. */
async function withClient(words, act) {
  const transport = new StdioClientTransport({ command: OBSCURA, args: ["mcp", ...words, ...EXACT], stderr: "pipe" });
  const client = new Client({ name: "test", version: "1" });
  const complaints = [];
  // Progress that comes in the same read as the answer is of an unknown token to this client: findings/mcp-client-loses-progress-beside-the-result.sh.
  client.onerror = (error) => /progress notification for an unknown token/.test(error.message) || complaints.push(error);
  try {
    await client.connect(transport);
    await client.listTools(); // from here on the client compares results with their schemas
    await act(client);
    assert.deepEqual(complaints, [], "nothing but the protocol on standard output");
  } finally {
    await client.close();
  }
}

const withAll = (act) => withClient([MODEL, "--folder", pictures, "--album", album], act);

/** The words of a result that has to be an error. */
async function refusal(client, name, given) {
  const { isError, content, structuredContent } = await client.callTool({ name, arguments: given });
  assert.equal(isError, true, JSON.stringify(content));
  assert.equal(structuredContent, undefined);
  return content[0].text;
}

async function result(client, name, given) {
  const { isError, content, structuredContent } = await client.callTool({ name, arguments: given });
  assert.ok(!isError, content[0].text);
  assert.deepEqual(JSON.parse(content[0].text), structuredContent);
  return structuredContent;
}

describe("the tools", TIMEOUT, () => {
  test("are those of the schemas that JavaScript has", () =>
    withAll(async (client) => {
      const { tools } = await client.listTools();
      const described = SCHEMAS.map(({ task, ...schema }) => schema);
      assert.deepEqual(tools.map(({ annotations, execution, ...tool }) => tool), described);
      assert.ok(tools.every(({ annotations }) => annotations.readOnlyHint));
      assert.equal(client.getServerVersion().name, "obscura");
      await client.ping();
    }));

  test("are those that the model has the heads for, and search with an album alone", async () => {
    const names = async (client) => (await client.listTools()).tools.map(({ name }) => name);
    await withClient([CLIP], async (client) => assert.deepEqual(await names(client), ["classify", "match"]));
    await withClient([MODEL], async (client) => assert.deepEqual(await names(client), ["caption", "answer", "classify", "match"]));
  });

  test("say what the command line says", () =>
    withAll(async (client) => {
      const caption = await commandLine("caption", MODEL, picture);
      assert.deepEqual(await result(client, "caption", { path: picture }), { text: caption.text, score: caption.score });
      const beams = await commandLine("caption", MODEL, picture, "--beams", "3", "--prompt", "a picture of", "--max-new-tokens", "5");
      const found = await result(client, "caption", { path: picture, numBeams: 3, prompt: "a picture of", maxNewTokens: 5 });
      assert.equal(found.text, beams.text);

      const answer = await commandLine("answer", MODEL, picture, "--question", "what is it?");
      assert.equal((await result(client, "answer", { path: picture, question: "what is it?" })).text, answer.text);
      const { answers } = await commandLine("answer", MODEL, picture, "--question", "what is it?", "--answers", "a cat,a dog");
      const ranked = await result(client, "answer", { path: picture, question: "what is it?", answers: ["a cat", "a dog"] });
      assert.deepEqual(ranked, { ...answers[0], answers });

      const { labels } = await commandLine("classify", MODEL, picture, "--labels", "a cat,a dog,the sea", "--template", "this is {}");
      const classified = await result(client, "classify", { path: picture, labels: ["a cat", "a dog", "the sea"], template: "this is {}", topK: 2 });
      assert.deepEqual(classified, { labels: labels.slice(0, 2) });

      const { matches } = await commandLine("match", MODEL, picture, "a cat", "a dog");
      assert.deepEqual(await result(client, "match", { path: picture, texts: ["a cat", "a dog"] }), { matches });

      const byText = await commandLine("search", MODEL, album, "--text", "a cat");
      assert.deepEqual(await result(client, "search", { text: "a cat" }), { found: byText.found });
      const byPicture = await commandLine("search", MODEL, album, "--image", picture, "--limit", "1");
      assert.deepEqual(await result(client, "search", { path: picture, limit: 1 }), { found: byPicture.found });
    }));

  test("take a picture by a path in a folder, by an address, or in base64", () =>
    withAll(async (client) => {
      const expected = await result(client, "caption", { path: picture });
      const data = (await readFile(picture)).toString("base64");
      for (const given of [{ path: "landscape.png" }, { path: "inner/../landscape.png" }, { path: pathToFileURL(picture).href }, { data }, { data: `data:image/png;base64,${data}` }]) {
        assert.deepEqual(await result(client, "caption", given), expected, JSON.stringify(given).slice(0, 80));
      }
      await result(client, "caption", { path: "in.png" });
    }));

  test("tell how far they are", () =>
    withAll(async (client) => {
      const steps = [];
      const { content } = await client.callTool({ name: "caption", arguments: { path: picture } }, undefined, { onprogress: (step) => steps.push(step) });
      assert.ok(steps.length > 4, JSON.stringify(steps));
      assert.ok(steps.every(({ progress }, place) => place === 0 || progress > steps[place - 1].progress), JSON.stringify(steps));
      assert.equal(steps[0].message, "the model is loaded");
      assert.ok(JSON.parse(content[0].text).text.startsWith(steps[3].message));
    }));
});

describe("refused with a reason that an agent can act on", TIMEOUT, () => {
  test("are paths that lead out of the folders, whether something is there or not", () =>
    withAll(async (client) => {
      const outside = ["/etc/passwd", "/no/such/file", join(folder, "secret.png"), "../secret.png", "inner/../../secret.png", `${pictures}/../secret.png`, "out.png", "out/secret.png", "file:///etc/passwd", "file:///%65tc/passwd", `${pictures}-other/x.png`];
      for (const path of outside) {
        assert.equal(await refusal(client, "caption", { path }), `${path} is outside of the folders that may be read: ${pictures}`);
      }
      assert.match(await refusal(client, "search", { path: "out.png" }), /outside/);
    }));

  test("is every path where no folder was named", () =>
    withClient([MODEL], async (client) => {
      assert.match(await refusal(client, "caption", { path: picture }), /may read no folder: send the picture as data, or start it with --folder DIR/);
      await result(client, "caption", { data: (await readFile(picture)).toString("base64") });
    }));

  test("are files that are no pictures", () =>
    withAll(async (client) => {
      assert.equal(await refusal(client, "caption", { path: "none.png" }), "none.png does not exist");
      assert.equal(await refusal(client, "caption", { path: "inner" }), "inner is no file");
      assert.match(await refusal(client, "caption", { path: "text.png" }), /text\.png: /);
      assert.match(await refusal(client, "caption", { data: "not base64!" }), /^data: it is not base64/);
      assert.match(await refusal(client, "caption", { data: Buffer.from("no picture").toString("base64") }), /^data: /);
      const large = Buffer.from(await readFile(picture));
      large.writeUInt32BE(60_000, 16); // the width in a PNG's head, which has its checksum behind it
      large.writeUInt32BE(crc32(large.subarray(12, 29)), 29);
      assert.match(await refusal(client, "caption", { data: large.toString("base64") }), /the picture is too large: 60000x\d+ pixels, at most/);
    }));

  test("are arguments that do not fit", () =>
    withAll(async (client) => {
      assert.equal(await refusal(client, "caption", {}), "caption: no picture is given: it needs a path or data");
      assert.equal(await refusal(client, "caption", { path: "a.png", data: "AAAA" }), "caption: the picture is given twice: take either path or data");
      assert.match(await refusal(client, "caption", { image: picture }), /no argument 'image'; there are data, maxNewTokens, numBeams, path, prompt$/);
      assert.equal(await refusal(client, "answer", { path: picture }), "answer: the argument 'question' is missing");
      assert.equal(await refusal(client, "match", { path: picture, texts: [] }), "match: texts is [], expected a list of at least one text");
      assert.match(await refusal(client, "search", { text: "a cat", path: picture }), /one of the three/);
      assert.match(await refusal(client, "caption", { path: picture, maxNewTokens: 5000 }), /maxNewTokens is 5000/);
      await assert.rejects(client.callTool({ name: "draw", arguments: {} }), /there is no tool 'draw'; there are caption, answer, classify, match, search/);
      assert.equal((await result(client, "caption", { path: picture })).text.length > 0, true, "and goes on afterwards");
    }));

  test("is a server that could not work, before it begins", async () => {
    const failing = (...words) => run(OBSCURA, ["mcp", ...words, ...EXACT]).then(() => assert.fail("no error"), (error) => error);
    for (const [words, expected] of [
      [[join(folder, "none.gguf")], /none\.gguf/],
      [[MODEL, "--folder", join(folder, "none")], /--folder .*none cannot be opened/],
      [[MODEL, "--folder", picture], /--folder .*landscape\.png is no folder/],
      [[MODEL, "--album", join(folder, "none.album")], /--album .*none\.album does not exist/],
    ]) {
      const { code, stdout, stderr } = await failing(...words);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, expected);
    }
  });
});

test("a cancelled call ends with the client's error, and the next one is answered", TIMEOUT, () =>
  withAll(async (client) => {
    const controller = new AbortController();
    const onprogress = () => controller.abort("enough");
    const call = client.callTool({ name: "caption", arguments: { path: picture } }, undefined, { signal: controller.signal, onprogress });
    await assert.rejects(call, /enough/);
    assert.equal((await result(client, "caption", { path: picture })).text, (await commandLine("caption", MODEL, picture)).text);
  }));

describe("by hand", TIMEOUT, () => {
  const CLIENT = { name: "x", version: "1" };
  const hello = (protocolVersion) => ({ id: "hello", method: "initialize", params: { protocolVersion, capabilities: {}, clientInfo: CLIENT } });

  /** What a server writes for these messages, which are objects or whole lines, to both outputs, and that it ends with them. */
  async function exchange(lines) {
    const server = spawn(OBSCURA, ["mcp", MODEL, "--folder", pictures, ...EXACT]);
    const read = async (stream, each) => {
      let text = "";
      for await (const piece of stream.setEncoding("utf8")) each((text += piece));
      return text.trim();
    };
    const output = read(server.stdout, (text) => text.includes('"id":"last"') && server.stdin.end());
    const complaints = read(server.stderr, () => {});
    server.stdin.write(lines.map((line) => `${typeof line === "string" ? line : JSON.stringify({ jsonrpc: "2.0", ...line })}\n`).join(""));
    const [code, text, stderr] = await Promise.all([new Promise((resolve) => server.once("exit", resolve)), output, complaints]);
    assert.equal(code, 0, stderr);
    return { messages: text.split("\n").map((line) => JSON.parse(line)), stderr };
  }

  /** What is answered to these messages after the handshake. */
  async function conversation(lines) {
    const { messages, stderr } = await exchange([hello("2025-11-25"), { method: "notifications/initialized" }, ...lines]);
    assert.equal(messages[0].id, "hello");
    return { messages: messages.slice(1), stderr };
  }

  const callOf = (id, extra) => ({ id, method: "tools/call", params: { name: "caption", arguments: { path: "landscape.png" }, ...extra } });
  const cancel = (requestId) => ({ method: "notifications/cancelled", params: { requestId } });
  const PING = { id: "last", method: "ping" };

  test("calls that are cancelled while they run or wait get no answer and make no progress", async () => {
    // The first call loads the model, so all of this is read before it has its first token.
    const { messages } = await conversation([callOf(1, { _meta: { progressToken: "p1" } }), callOf(2, { _meta: { progressToken: "p2" } }), cancel(1), cancel(2), cancel(99), callOf("last")]);
    assert.deepEqual(messages.filter(({ method }) => !method).map(({ id }) => id), ["last"]);
    const progress = messages.filter(({ method }) => method === "notifications/progress").map(({ params }) => params);
    assert.ok(progress.every(({ progressToken, progress }) => progressToken === "p1" && progress === 0), JSON.stringify(progress));
  });

  test("a ping is answered while a call runs, and calls in their order", async () => {
    const { messages } = await conversation([callOf(1), callOf("last"), { id: 3, method: "ping" }]);
    assert.deepEqual(messages.map(({ id }) => id), [3, 1, "last"]);
  });

  test("what was asked before the input ended is answered", async () => {
    const { messages } = await exchange([hello("2025-11-25"), callOf(1), PING]);
    assert.deepEqual(messages.map(({ id }) => id), ["hello", "last", 1]);
  });

  test("a client of an older version is served in its own, one of an unknown version in the newest that has a handshake", async () => {
    for (const [asked, served] of [["2024-11-05", "2024-11-05"], ["2025-06-18", "2025-06-18"], ["1999-01-01", "2025-11-25"]]) {
      const { messages } = await exchange([hello(asked), PING]);
      assert.equal(messages[0].result.protocolVersion, served);
      assert.deepEqual(messages[0].result.capabilities, { tools: {} });
      assert.match(messages[0].result.instructions, /by path, if it lies in a folder/);
    }
  });

  test("a client of the version that has no handshake is served", async () => {
    const about = (name) => `io.modelcontextprotocol/${name}`;
    const _meta = { [about("protocolVersion")]: "2026-07-28", [about("clientInfo")]: CLIENT, [about("clientCapabilities")]: {} };
    const { messages } = await exchange([callOf("last", { _meta })]);
    assert.equal(messages[0].result.resultType, "complete");
    assert.equal(messages[0].result.structuredContent.text, (await commandLine("caption", MODEL, picture)).text);
  });

  test("what is no message of the protocol is answered by an error or passed over, and the server goes on", async () => {
    // What is no JSON at all gets no answer, as in the other official SDKs: who sends it would not understand that either.
    // An error about a message whose id cannot be read has none, from 2025-11-25 on; before, it had null, as JSON-RPC has.
    const { messages } = await conversation(["{", "", "[]", { id: 3 }, { id: 4, method: "resources/list" }, { id: 5, method: "tools/call", params: {} }, { id: 6, method: "tools/call", params: { name: "caption", arguments: [] } }, { id: 8, method: "draw" }, { method: "notifications/unknown" }, { id: 7, result: {} }, PING]);
    const codes = messages.map(({ id, error, result }) => [id ?? "", error?.code ?? result]);
    const inOrder = codes.sort(([one], [other]) => String(one).localeCompare(String(other))); // errors about what was not read overtake others
    assert.deepEqual(inOrder, [["", -32600], ["", -32600], [4, -32601], [5, -32602], [6, -32602], [8, -32601], ["last", {}]]);
    assert.match(messages.find(({ id }) => id === 5).error.message, /name/);
    assert.match(messages.find(({ id }) => id === 8).error.message, /there is no method 'draw'/);
  });

  test("a message of endless length is passed over without being held, and standard error says so", async () => {
    const { messages, stderr } = await conversation([JSON.stringify({ id: 1, method: "ping", params: { x: "x".repeat(130 << 20) } }), PING]);
    assert.deepEqual(messages.map(({ id }) => id), ["last"]);
    assert.match(stderr, /exceeded the maximum line length.*134217728/);
  });

  test("a picture of many megabytes comes through", async () => {
    const bytes = Buffer.concat([await readFile(picture), Buffer.alloc(40 << 20)]); // what follows a PNG's end is not read
    const { messages } = await conversation([{ id: "last", method: "tools/call", params: { name: "caption", arguments: { data: bytes.toString("base64") } } }]);
    assert.equal(messages[0].result.structuredContent?.text, (await commandLine("caption", MODEL, picture)).text, messages[0].result.content[0].text);
  });
});
