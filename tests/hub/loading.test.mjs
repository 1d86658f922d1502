// www/lib/loading/load-model.js with a stand-in for the engine that reads as the real one does, and a cache in
// memory: what is fetched, kept, started over and told, for a first load and for all later ones.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { describeSource } from "../../www/lib/loading/describe-source.js";
import { loadModel } from "../../www/lib/loading/load-model.js";
import { startHub } from "./server.mjs";

const BYTES = Buffer.from(Array.from({ length: 600_000 }, (_, index) => (index * 31) % 251));
const HEADER = 1000;
const PIECE = 50_000;
const QUICK = { retries: 3, firstRetries: 1, backoffMs: 2, maxBackoffMs: 10, stallMs: 1000, progressBytes: 1000, readAhead: 64 << 10, gapBytes: 10_000 };
const BOUNDED = { timeout: 180_000 };

let hub;
let kept; // key -> entry

before(async () => {
  hub = await startHub({ repositories: { "own/model": { "config.json": Buffer.from("{}"), "model.safetensors": BYTES } } });
});
after(() => hub.close());
afterEach(async () => {
  for (let waited = 0; waited < 100 && hub.open > 0; waited++) await new Promise((wait) => setTimeout(wait, 20));
  assert.equal(hub.open, 0, "answers that nobody reads or ended");
  hub.behave();
});

describe("a first load", BOUNDED, () => {
  test("gives the model and tells each step in order", async () => {
    const { model, events } = await loadFresh();
    assert.ok(model.bytes.equals(BYTES));
    const ofWeights = events.filter(({ file, status }) => file === "model.safetensors" && status !== "ready").map(({ status }) => status);
    assert.deepEqual([ofWeights[0], ofWeights[1], ofWeights.at(-2), ofWeights.at(-1)], ["initiate", "download", "progress", "done"]);
    assert.ok(events.every(({ name }) => name === "own/model"));
    const totals = events.filter(({ status }) => status === "progress_total");
    assert.ok(totals.every(({ loaded }, index) => index === 0 || loaded >= totals[index - 1].loaded), "the total never falls");
    assert.equal(totals.at(-1).progress, 100);
    assert.deepEqual(Object.keys(totals.at(-1).files), ["config.json", "model.safetensors"]);
    assert.equal(events.at(-1).status, "ready");
  });

  test("tells at most about ten steps a second", async () => {
    hub.behave({ drip: { bytes: 6000, ms: 10 } });
    const started = performance.now();
    const { events } = await loadFresh();
    const allowed = 3 + (performance.now() - started) / 100;
    for (const status of ["progress", "progress_total"]) {
      const count = events.filter((event) => event.status === status).length;
      assert.ok(count <= allowed + 3, `${count} ${status} events`);
    }
  });

  test("with another dtype, other tasks or another engine is another entry", async () => {
    await loadFresh();
    await load({ options: { dtype: "q4" } });
    await load({ options: { tasks: ["embed"] } });
    await load({ version: 2 });
    await load({});
    assert.equal(kept.size, 4);
  });

  for (const [name, behaviour] of Object.entries({
    "cut connections": { cut: { seed: 4, least: 1000, most: 200_000 } },
    "no ranges": { ranges: false },
    "no ranges and cut connections": { ranges: false, cut: { seed: 9, least: 100_000, most: 900_000 } },
    "compressed answers": { gzip: true },
    "a slow drip": { drip: { bytes: 20_000, ms: 3 } },
    "wrong lengths of large files": { length: 10, only: ".safetensors" },
    "silence": { hang: 200_000 },
    "no validators": { etag: "none", modified: false },
    "errors at first": { fail: { status: 503, times: 2 } },
  })) {
    test(`through ${name} gives the same model`, async () => {
      hub.behave(behaviour, behaviour.only);
      assert.ok((await loadFresh()).model.bytes.equals(BYTES));
    });
  }
});

describe("a later load", BOUNDED, () => {
  test("asks once whether anything has changed, and fetches nothing", async () => {
    await loadFresh();
    hub.forget();
    const { model, events } = await load({});
    assert.ok(model.bytes.equals(BYTES));
    assert.deepEqual(hub.requests.map(({ method }) => method), ["HEAD"]);
    assert.deepEqual([events[0].status, events.at(-1).status], ["initiate", "ready"]);
  });

  test("works without the server", async () => {
    const server = await startHub({ repositories: { "own/model": { "config.json": Buffer.from("{}"), "model.safetensors": BYTES } } });
    await loadFresh({ host: server.host });
    await server.close();
    assert.ok((await load({ host: server.host })).model.bytes.equals(BYTES));
  });

  test("notices another version and fetches that", async () => {
    await loadFresh();
    hub.commit = "d".repeat(40);
    hub.behave({ changeAfter: 0, redirect: false });
    const { model } = await load({});
    assert.ok(!model.bytes.equals(BYTES));
    hub.commit = "c".repeat(40);
  });

  test("goes on where one that was ended stopped", async () => {
    kept = new Map();
    await assert.rejects(load({ stopAfter: 6 }), { code: "aborted" });
    hub.forget();
    const { model, events } = await load({});
    assert.ok(model.bytes.equals(BYTES));
    const fetched = hub.requests.filter(({ origin, method }) => origin === "store" && method === "GET");
    assert.deepEqual(fetched.map(({ range }) => range), ["bytes=0-", `bytes=${HEADER + 6 * PIECE}-`]);
    const first = events.find(({ status }) => status === "progress_total");
    assert.ok(first.loaded > 6 * PIECE, "what was there counts as loaded");
  });

  test("does not go on with another version", async () => {
    kept = new Map();
    await assert.rejects(load({ stopAfter: 6 }), { code: "aborted" });
    hub.behave({ changeAfter: 0 });
    const { model, events } = await load({});
    assert.equal(model.bytes[0], BYTES[0] ^ 1, "wholly of the new version");
    assert.equal(model.bytes[1000], BYTES[1000] ^ 1);
    assert.ok(events.some(({ status, message }) => status === "warning" && /changed/.test(message)));
  });

  test("under a hash does not trust what was kept without it", async () => {
    await loadFresh();
    hub.forget();
    await load({ options: { sha256: { "model.safetensors": "0".repeat(64) } } });
    assert.ok(hub.requests.length > 1);
    hub.forget();
    await load({ options: { sha256: { "model.safetensors": "0".repeat(64) } } });
    assert.equal(hub.requests.length, 1);
  });
});

describe("what goes wrong", BOUNDED, () => {
  test("a file that changes in the middle is loaded from its start again", async () => {
    hub.behave({ changeAfter: 1, cut: { seed: 1, least: 300_000, most: 300_001 } });
    const { model, events } = await loadFresh();
    assert.equal(model.bytes[0], BYTES[0] ^ 1);
    assert.equal(model.bytes[599_000], BYTES[599_000] ^ 1);
    assert.equal(events.filter(({ status }) => status === "warning").length, 1);
  });

  test("a full disk is a warning, and the entry goes", async () => {
    kept = new Map();
    const { model, events } = await load({ diskFull: true });
    assert.ok(model.bytes.equals(BYTES));
    assert.ok(events.some(({ status }) => status === "warning"));
    assert.equal([...kept.values()][0].removed, true);
  });

  test("a browser that keeps nothing is a warning", async () => {
    const { model, events } = await load({ openEntry: async () => null });
    assert.ok(model.bytes.equals(BYTES));
    assert.match(events[0].message, /keeps no files/);
    const broken = await load({ openEntry: () => Promise.reject(new Error("no such thing")) });
    assert.match(broken.events[0].message, /no such thing/);
  });

  test("without a cache nothing is kept", async () => {
    kept = new Map();
    await load({ options: { keep: false } });
    assert.equal(kept.size, 0);
  });

  for (const [status, message] of Object.entries({ 401: /token/, 404: /There is no model at .own\/model.*Check the name/, 429: /too many/, 500: /trouble/ })) {
    test(`${status} everywhere is an error, and the entry is closed`, async () => {
      kept = new Map();
      hub.behave({ fail: { status: Number(status) } });
      await assert.rejects(load({}), (error) => error.code !== undefined && message.test(error.message));
      assert.equal([...kept.values()][0].isOpen, false);
    });
  }

  test("files of one's own are kept by what they are, a .gguf and bytes are not", async () => {
    kept = new Map();
    const files = [new File(["{}"], "config.json", { lastModified: 5 }), new File([BYTES], "model.safetensors", { lastModified: 6 })];
    assert.ok((await load({ source: files })).model.bytes.equals(BYTES));
    const again = await load({ source: files });
    assert.ok(again.model.bytes.equals(BYTES));
    assert.equal(again.model.reads, 0);
    await load({ source: new File([BYTES], "model.gguf") });
    await load({ source: new Uint8Array(BYTES) });
    assert.equal(kept.size, 1);
  });
});

// --- loading -------------------------------------------------------------------------------------

async function loadFresh(settings = {}) {
  kept = new Map();
  return load(settings);
}

async function load({ source = "own/model", host = hub.host, options = {}, version = 1, stopAfter, diskFull, openEntry = openKept }) {
  const description = await describeSource(source, typeof source === "string" ? { hub: { host } } : {});
  const events = [];
  const wasm = engine({ version, stopAfter, diskFull });
  const notify = (event) => events.push(event);
  const model = await loadModel(wasm, description, { device: "cpu", dtype: "auto", keep: true, ...options }, { openEntry, transport: QUICK, notify });
  return { model, events };
}

/** Reads like the engine: texts, the header, then pieces; keeps what it read, and reads only the rest. */
function engine({ version, stopAfter = Infinity, diskFull = false }) {
  class Loader {
    async load(source, entry, onEvent) {
      if (entry && entry.journal.size() === 1 && entry.model.size() === BYTES.length) {
        onEvent({ status: "tensor", name: "all", loaded: BYTES.length, total: BYTES.length });
        return { bytes: Buffer.from(entry.model.read(0, BYTES.length)), reads: 0 };
      }
      const file = source.file ?? "model.safetensors";
      if (source.file === undefined) {
        const length = await source.size("config.json");
        if (length === null) throw Object.assign(new Error(`There is no model in ${source.name}.`), { code: "bad_weights" });
        await source.read("config.json", 0, length);
      }
      const size = await source.size(file);
      const bytes = Buffer.alloc(size);
      const done = entry ? Math.max(0, entry.model.size() - HEADER) + HEADER : HEADER;
      bytes.set(await source.read(file, 0, HEADER), 0);
      if (entry && done > HEADER) bytes.set(entry.model.read(0, done), 0);
      const store = (offset, part) => {
        if (diskFull) onEvent({ status: "uncached", message: "The disk is full." });
        else entry?.model.write(offset, part);
      };
      if (done === HEADER) store(0, bytes.subarray(0, HEADER));
      onEvent({ status: "plan", total: size, cached: done, ranges: [[file, done, size - done]] });
      for (let at = done, pieces = 0; at < size; at += PIECE) {
        if (pieces++ === stopAfter) throw Object.assign(new Error("stopped"), { code: "aborted" });
        const part = await source.read(file, at, Math.min(PIECE, size - at));
        bytes.set(part, at);
        store(at, part);
        onEvent({ status: "tensor", name: `at ${at}`, loaded: at + part.length, total: size });
      }
      entry?.journal.write(0, Uint8Array.of(1));
      return { bytes, reads: 1 };
    }
  }
  return { Loader, entryVersion: () => version, entryComplete: (journal) => journal.length === 1 };
}

async function openKept(key) {
  const id = JSON.stringify(key);
  if (!kept.has(id)) kept.set(id, new KeptEntry());
  return kept.get(id).open();
}

class KeptEntry {
  meta = null;
  isOpen = false;
  removed = false;
  stores = { model: new MemoryStore(), journal: new MemoryStore() };

  open() {
    assert.equal(this.isOpen, false, "an entry is opened once at a time");
    this.isOpen = true;
    return this;
  }
  journal() {
    return this.stores.journal.read(0, this.stores.journal.size());
  }
  reset() {
    this.meta = null;
    for (const store of Object.values(this.stores)) store.truncate(0);
  }
  save(meta) {
    this.meta = structuredClone(meta);
  }
  get bytes() {
    return this.stores.model.size();
  }
  close() {
    this.isOpen = false;
  }
  async remove() {
    this.reset();
    this.removed = true;
  }
}

class MemoryStore {
  #bytes = Buffer.alloc(0);
  size() {
    return this.#bytes.length;
  }
  read(offset, length) {
    return this.#bytes.subarray(offset, offset + length);
  }
  write(offset, bytes) {
    const grown = Buffer.alloc(Math.max(this.#bytes.length, offset + bytes.length));
    grown.set(this.#bytes);
    grown.set(bytes, offset);
    this.#bytes = grown;
  }
  truncate(size) {
    this.#bytes = Buffer.from(this.#bytes.subarray(0, size));
  }
  flush() {}
}
