// www/lib/download/remote-file.js against a server in every mood: each read ends in exactly the right bytes or in a
// clear error, in bounded time, and leaves no connection behind.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { RemoteFile } from "../../www/lib/download/remote-file.js";
import { startHub } from "./server.mjs";

const SIZE = 3_000_017; // no multiple of anything
const BYTES = noise(SIZE);
const TEXT = Buffer.from(JSON.stringify({ words: Array.from({ length: 5000 }, (_, index) => `word ${index}`) }));
const QUICK = { retries: 4, firstRetries: 2, backoffMs: 2, maxBackoffMs: 20, stallMs: 10_000, maxRetryAfterMs: 2000, readAhead: 256 << 10, gapBytes: 10_000 };
const ALWAYS_SEVERAL = { largeBytes: 0, patienceMs: 0, waitingShare: 0, ampleSpeed: Infinity };
const BOUNDED = { timeout: 180_000 }; // of a whole group, on a busy machine

let hub;
let opened = [];

before(async () => {
  hub = await startHub({ repositories: { "own/model": { "model.safetensors": BYTES, "empty.bin": Buffer.alloc(0), "tokenizer.json": TEXT, "page.json": Buffer.from("<!doctype html>") } } });
});
after(() => hub.close());
afterEach(async () => {
  for (const file of opened.splice(0)) file.close();
  await noneOpen();
  hub.behave();
});

describe("a well-behaved server", BOUNDED, () => {
  test("a file read in order takes one request and no byte twice", async () => {
    const file = open();
    assert.equal(await file.size(), SIZE);
    assert.deepEqual(await readInPieces(file), BYTES);
    assert.equal(getsOf("store").length, 1);
    assert.ok(hub.sentBytes === SIZE, `${hub.sentBytes} bytes were sent`);
  });

  test("small gaps are read through, jumps ask for the range", async () => {
    const file = open();
    await expectAt(file, 0, 1000);
    await expectAt(file, 9_000, 1000);
    assert.equal(getsOf("store").length, 1);
    await expectAt(file, 2_000_000, 5000);
    await expectAt(file, 5, 1);
    assert.deepEqual(getsOf("store").map(({ range }) => range), ["bytes=0-", "bytes=2000000-", "bytes=5-"]);
  });

  test("no more than the read-ahead is fetched while nobody reads", async () => {
    hub.behave({ throttle: 20_000_000 });
    const file = open();
    await file.size();
    await expectAt(file, 0, 10);
    await new Promise((wait) => setTimeout(wait, 300));
    const arrived = file.arrived;
    assert.ok(arrived >= 10 && arrived <= (256 << 10) + (128 << 10), `${arrived} bytes arrived`);
  });

  test("what was planned is all that is fetched", async () => {
    const file = open();
    await expectAt(file, 0, 100);
    file.plan([[100, 400_000], [2_000_000, 500], [2_000_600, 400]]);
    await expectAt(file, 100, 400_000);
    await expectAt(file, 2_000_000, 500);
    await expectAt(file, 2_000_600, 400);
    assert.equal(getsOf("store").at(-1).range, "bytes=2000000-2000999");
  });

  test("several connections give the same bytes", async () => {
    const file = open({ connections: 4, ...ALWAYS_SEVERAL, segmentBytes: 100_000 });
    await expectAt(file, 0, 100);
    file.plan([[100, 1_500_000], [2_000_000, SIZE - 2_000_000]]);
    const first = await file.read(100, 1_500_000);
    assert.ok(Buffer.from(first).equals(BYTES.subarray(100, 1_500_100)));
    const second = await file.read(2_000_000, SIZE - 2_000_000);
    assert.ok(Buffer.from(second).equals(BYTES.subarray(2_000_000)));
    assert.ok(getsOf("store").length > 8);
  });

  test("further connections join only where the reader waits for the network", async () => {
    const settings = { connections: 3, segmentBytes: 100_000, largeBytes: 0, patienceMs: 100 };
    hub.behave({ throttle: 2_000_000 });
    const slow = open(settings);
    await slow.size();
    slow.plan([[0, SIZE]]);
    const started = performance.now();
    assert.deepEqual(await readInPieces(slow), BYTES);
    assert.ok(getsOf("store").length > 10, `${getsOf("store").length} requests`);
    assert.ok(performance.now() - started < (1000 * SIZE) / 2_000_000, "it is faster than one connection can be");
    hub.behave();
    const busy = open(settings);
    await busy.size();
    busy.plan([[0, SIZE]]);
    for (let at = 0; at < SIZE; at += 300_000) {
      await busy.read(at, Math.min(300_000, SIZE - at));
      await new Promise((work) => setTimeout(work, 30));
    }
    assert.equal(getsOf("store").length, 1);
  });

  test("reads that overlap in time are served one after the other", async () => {
    const file = open();
    const reads = [0, 2_500_000, 700, 1_000_000].map((offset) => expectAt(file, offset, 3000));
    await Promise.all(reads);
  });

  test("random reads give the right bytes, with and without ranges", async () => {
    for (const ranges of [true, false]) {
      hub.behave({ ranges });
      const file = open({ smallBytes: 0 });
      const random = seeded(7);
      for (let round = 0; round < 40; round++) {
        const offset = Math.floor(random() * SIZE);
        await expectAt(file, offset, Math.floor(random() * Math.min(SIZE - offset, 200_000)));
      }
    }
  });

  test("a missing file and an empty one have no bytes, a read beyond the end is an error", async () => {
    assert.equal(await open({}, "missing.bin").size(), null);
    assert.equal(await open({}, "empty.bin").size(), 0);
    await assert.rejects(open().read(SIZE - 5, 6), { code: "bad_weights", message: /3000017 bytes/ });
  });

  test("a text is asked for whole", async () => {
    const file = open({}, "tokenizer.json", { whole: true });
    assert.equal(await file.size(), TEXT.length);
    assert.deepEqual(Buffer.from(await file.read(0, TEXT.length)), TEXT);
    assert.equal(hub.requests.length, 1);
    assert.equal(hub.requests[0].range, undefined);
  });

  test("closing ends everything at once", async () => {
    hub.behave({ drip: { bytes: 1000, ms: 20 } });
    const file = open();
    const reading = file.read(0, SIZE);
    setTimeout(() => file.close(), 50);
    await assert.rejects(reading, { code: "aborted" });
    await assert.rejects(file.read(0, 1), { code: "aborted" });
  });
});

describe("servers without ranges", BOUNDED, () => {
  for (const etag of ["strong", "weak", "none"]) {
    test(`in order the file streams past (etag: ${etag})`, async () => {
      hub.behave({ ranges: false, etag });
      const file = open({ smallBytes: 0 });
      assert.deepEqual(await readInPieces(file), BYTES);
      assert.equal(getsOf("store").length, 1);
    });
  }

  test("the tail first, then the rest: one download", async () => {
    hub.behave({ ranges: false });
    const file = open({ smallBytes: 0 });
    await expectAt(file, SIZE - 1000, 1000);
    await expectAt(file, 0, 100);
    assert.deepEqual(await readInPieces(file), BYTES);
    assert.equal(getsOf("store").length, 1);
  });

  test("going back costs a second download, not a third", async () => {
    hub.behave({ ranges: false });
    const file = open({ smallBytes: 0 });
    await expectAt(file, 0, 500_000);
    await expectAt(file, 100, 1000);
    await expectAt(file, 2_000_000, 1000);
    await expectAt(file, 50, 1000);
    assert.equal(getsOf("store").length, 2);
  });

  test("a connection that breaks is begun again, and what is known is skipped", async () => {
    hub.behave({ ranges: false, cut: { seed: 3, least: 1_000_000, most: 6_000_000 } });
    const file = open({ smallBytes: 0 });
    assert.deepEqual(await readInPieces(file), BYTES);
    assert.ok(getsOf("store").length > 1);
  });
});

describe("connections that break", BOUNDED, () => {
  for (let seed = 1; seed <= 8; seed++) {
    test(`at random bytes (seed ${seed}): the rest is fetched, and nothing twice`, async () => {
      hub.behave({ cut: { seed, least: 0, most: 900_000 } });
      const file = open({ progressBytes: 1000, retries: 8 });
      assert.deepEqual(await readInPieces(file), BYTES);
      assert.ok(getsOf("store").length > 2);
      assert.ok(getsOf("store").slice(1).every(({ ifRange }) => ifRange?.startsWith('"')), "each goes on by If-Range");
      assert.ok(hub.sentBytes < SIZE + getsOf("store").length * 200_000, `${hub.sentBytes} bytes sent`);
    });

    test(`at random bytes with several connections (seed ${seed})`, async () => {
      hub.behave({ cut: { seed, least: 0, most: 300_000 } });
      const file = open({ connections: 3, ...ALWAYS_SEVERAL, segmentBytes: 250_000, progressBytes: 1000, retries: 8 });
      await file.size();
      file.plan([[0, SIZE]]);
      assert.deepEqual(await readInPieces(file), BYTES);
    });
  }

  test("that never get anywhere end in an error, soon", async () => {
    hub.behave({ cut: { seed: 1, least: 0, most: 1 } });
    await assert.rejects(open().read(0, SIZE), { code: "network", message: /broke off after \d of 3000017 bytes/ });
    assert.ok(getsOf("store").length <= 6, `${getsOf("store").length} requests`);
  });

  test("that fall silent are given up and resumed", async () => {
    hub.behave({ hang: 1_000_000 });
    const file = open({ stallMs: 300 });
    assert.deepEqual(await readInPieces(file), BYTES);
    assert.equal(getsOf("store").length, 2);
  });

  test("the address is asked for anew each time: a redirect's target expires", async () => {
    hub.behave({ expires: true, cut: { seed: 5, least: 200_000, most: 900_000 } });
    const file = open();
    assert.deepEqual(await readInPieces(file), BYTES);
  });

  test("goes on without If-Range where a request with it gets no answer", async () => {
    hub.behave({ cut: { seed: 2, least: 500_000, most: 900_000 } });
    const refuse = async () => {
      throw new TypeError("Failed to fetch");
    };
    const fetch = (url, options) => (options.headers["If-Range"] ? refuse() : globalThis.fetch(url, options));
    assert.deepEqual(await readInPieces(open({ fetch })), BYTES);
  });

  test("a slow drip is slow, not broken", async () => {
    hub.behave({ drip: { bytes: 20_000, ms: 5 } });
    assert.deepEqual(await readInPieces(open()), BYTES);
    assert.equal(getsOf("store").length, 1);
  });
});

describe("a file that changes", BOUNDED, () => {
  for (const behaviour of [{}, { etag: "weak" }, { etag: "none" }, { ranges: false }]) {
    test(`between attempts is noticed (${JSON.stringify(behaviour)})`, async () => {
      hub.behave({ ...behaviour, changeAfter: 1, cut: { seed: 2, least: 500_000, most: 900_000 } });
      await assert.rejects(readInPieces(open({ smallBytes: 0 })), { code: "network", changed: true });
    });
  }

  test("since an earlier session is noticed", async () => {
    const first = open();
    await first.size();
    const expected = first.validator;
    assert.equal(await open({}, "model.safetensors", { expected }).size(), SIZE);
    hub.behave({ changeAfter: 0 });
    await assert.rejects(open({}, "model.safetensors", { expected }).size(), { changed: true });
    await assert.rejects(open({}, "tokenizer.json", { expected: { size: 5, etag: null, modified: null }, whole: true }).size(), { changed: true });
  });

  test("without If-Range is noticed by what the answer says of itself", async () => {
    hub.behave({ changeAfter: 1, cut: { seed: 2, least: 500_000, most: 900_000 } });
    await assert.rejects(readInPieces(open({ allowsIfRange: () => false })), { changed: true });
    assert.ok(getsOf("store").every(({ ifRange }) => ifRange === undefined));
  });
});

describe("lengths and encodings", BOUNDED, () => {
  test("a compressed answer is unpacked and its true length found", async () => {
    hub.behave({ gzip: true });
    for (const options of [{}, { whole: true }]) {
      const file = open({}, "tokenizer.json", options);
      assert.equal(await file.size(), TEXT.length);
      assert.deepEqual(Buffer.from(await file.read(0, TEXT.length)), TEXT);
    }
    const weights = open();
    assert.equal(await weights.size(), SIZE);
    await expectAt(weights, SIZE - 100, 100);
    assert.deepEqual(await readInPieces(weights), BYTES);
  });

  test("a server that promises more than it sends is asked again, then refused", async () => {
    hub.behave({ length: 1000, ranges: false });
    await assert.rejects(readInPieces(open({ smallBytes: 0 })), { code: "network", message: /broke off after 3000017 of 3001017/ });
    hub.behave({ length: 1000 });
    await readInPieces(open()).then((bytes) => assert.deepEqual(bytes, BYTES));
  });

  test("a server that promises less than it sends is never believed to the wrong bytes", async () => {
    hub.behave({ length: -1000, ranges: false });
    const outcome = await readInPieces(open({ smallBytes: 0 })).catch((error) => error);
    assert.ok(outcome.code === "network" || outcome.equals?.(BYTES.subarray(0, SIZE - 1000)), "an error, or what was promised");
  });
});

describe("refusals", BOUNDED, () => {
  test("401 says that the model may be gated and how to pass a token", async () => {
    hub.behave({ token: "secret" });
    await assert.rejects(open().size(), { code: "network", message: /401.*gated.*hub: \{ token \}/ });
    assert.equal(hub.requests.length, 1);
  });

  test("the token goes to the hub and never to another host", async () => {
    hub.behave({ token: "secret" });
    const file = open({}, "model.safetensors", { headers: { Authorization: "Bearer secret" } });
    assert.deepEqual(await readInPieces(file), BYTES);
    assert.ok(getsOf("store").every(({ authorization }) => authorization === undefined));
  });

  for (const status of [403, 418]) {
    test(`${status} is final`, async () => {
      hub.behave({ fail: { status } });
      await assert.rejects(open().size(), { code: "network", message: new RegExp(status) });
      assert.equal(hub.requests.length, 1);
    });
  }

  for (const status of [429, 500, 503]) {
    test(`${status} is tried again, and in the end reported`, async () => {
      hub.behave({ fail: { status, times: 3 } });
      assert.deepEqual(await readInPieces(open()), BYTES);
      hub.behave({ fail: { status } });
      await assert.rejects(open().size(), { code: "network", message: new RegExp(status) });
      assert.equal(hub.requests.length, 5);
    });
  }

  test("Retry-After is honoured, within bounds", async () => {
    hub.behave({ fail: { status: 429, times: 1, headers: { "Retry-After": "1" } } });
    const started = performance.now();
    await open().size();
    assert.ok(performance.now() - started >= 950);
    hub.behave({ fail: { status: 429, headers: { "Retry-After": "3600" } } });
    await assert.rejects(open().size(), { message: /3600 seconds/ });
    assert.equal(hub.requests.length, 1);
  });

  test("an address where nobody answers is an error that says what to check", async () => {
    const file = new RemoteFile("http://127.0.0.1:9/model.gguf", { name: "model.gguf", transport: QUICK });
    await assert.rejects(file.size(), { code: "network", message: /model\.gguf could not be fetched.*Check the address/ });
  });
});

// --- reading and expecting -----------------------------------------------------------------------

function open(transport = {}, name = "model.safetensors", options = {}) {
  const file = new RemoteFile(`${hub.host}/own/model/resolve/main/${name}`, { name, transport: { ...QUICK, ...transport }, ...options });
  opened.push(file);
  return file;
}

async function readInPieces(file) {
  const size = await file.size();
  const found = Buffer.alloc(size);
  for (let at = 0; at < size; at += 123_457) found.set(await file.read(at, Math.min(123_457, size - at)), at);
  return found;
}

async function expectAt(file, offset, length) {
  const found = Buffer.from(await file.read(offset, length));
  assert.ok(found.equals(BYTES.subarray(offset, offset + length)), `${length} bytes at ${offset}`);
}

function getsOf(origin) {
  return hub.requests.filter((request) => request.origin === origin);
}

async function noneOpen() {
  for (let waited = 0; waited < 100 && hub.open > 0; waited++) await new Promise((wait) => setTimeout(wait, 20));
  assert.equal(hub.open, 0, "answers that nobody reads or ended");
}

function noise(size) {
  const random = seeded(11);
  return Buffer.from(Uint32Array.from({ length: Math.ceil(size / 4) }, () => random() * 2 ** 32).buffer).subarray(0, size);
}

function seeded(state) {
  return () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32);
}
