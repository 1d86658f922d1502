// Owns one album: its file, and the index over it, in an engine of its own, so that a search does not
// wait for a caption. Knows neither pictures nor models: album.js brings vectors.
//
// In:  {id, method, parameters}       one of `methods`
// Out: {id, value} | {id, code, message} | {id, progress: {done, total}}

import { engine } from "../engine/engine.js";
import { engineFailure } from "../engine/failure.js";
import { nextTurn } from "../engine/turn.js";
import { ERROR_CODES, ObscuraError } from "../errors/error.js";
import { AlbumFolder, canPersist, MemoryFile } from "./folder.js";

const ROWS = 4096; // vectors that are imported or exported together
const HEADER_BYTES = 1 << 16;

let wasm = null; // the engine, once it is started
let album = null;
let folder = null; // null in memory
let file = null;
let adding = []; // what add() was asked for and has not written yet: {id, key, vector}

const methods = { find, open, delete: remove, search, similarities, keys, size, export: exportAll, import: importAll, clear, close };

// Calls run one after the other: a long import lets no search in between.
let last = Promise.resolve();
self.onmessage = ({ data }) => {
  if (data.method === "add") {
    const [key, vector] = data.parameters;
    adding.push({ id: data.id, key, vector });
    if (adding.length === 1) last = last.then(nextTurn).then(writeAdded); // with those that are on their way
    return;
  }
  last = last.then(() => {
    writeAdded();
    return run(data);
  });
};

async function run({ id, method, parameters }) {
  try {
    reply({ id, value: await methods[method](...parameters, id) });
  } catch (error) {
    reply({ id, ...explain(error) });
  }
}

const reply = (message) => self.postMessage(message);

/** {code, message} */
function explain(error) {
  if (error instanceof WebAssembly.RuntimeError) {
    return { code: "device_lost", message: `The engine stopped (${error.message}). Open the album again.` };
  }
  if (ERROR_CODES.includes(error?.code)) return { code: error.code, message: error.message };
  if (error?.name === "QuotaExceededError" || error instanceof RangeError) {
    return { code: "out_of_memory", message: `Not enough room: ${error.message}` };
  }
  return { code: "bad_input", message: error?.message ?? String(error) };
}

// --- opening ---------------------------------------------------------------------------------

/** {isEmpty, persistent}. Without a name, or where nothing can be kept, the album is in memory. */
async function find(name) {
  if (name !== null && (await canPersist())) {
    folder = await AlbumFolder.open(name);
    file = await folder.current();
  } else {
    file = new MemoryFile();
  }
  return { isEmpty: file.size() === 0, persistent: folder !== null };
}

/** How many vectors there are. */
async function open(model) {
  await startEngine();
  album = wasm.Album.open(file, model);
  await compactIfUseful();
  return album.size();
}

async function startEngine() {
  try {
    await engine.default();
    wasm = engine;
  } catch (error) {
    throw new ObscuraError("network", engineFailure(error), { cause: error });
  }
}

/** Rewrites a file that is mostly of no use any more. If that fails, the album is as before. */
async function compactIfUseful() {
  if (!folder || !album.wantsCompaction()) return;
  let smaller = null;
  try {
    smaller = await folder.next();
    const compact = album.compactInto(smaller);
    album.free();
    file.close();
    [album, file] = [compact, smaller];
    await folder.advance();
  } catch (error) {
    if (file === smaller) throw error;
    console.warn(`obscura: an album could not be made smaller: ${error.message}`);
    smaller?.close();
    await folder.giveUp();
  }
}

function close() {
  album?.free();
  file?.close();
  [album, file] = [null, null];
}

// --- contents --------------------------------------------------------------------------------

/** Everything that has been asked for by now goes to disk together. */
function writeAdded() {
  const batch = adding;
  adding = [];
  if (batch.length === 0) return;
  try {
    addTogether(batch);
    for (const { id } of batch) reply({ id, value: undefined });
  } catch {
    for (const one of batch) {
      try {
        addTogether([one]);
        reply({ id: one.id, value: undefined });
      } catch (error) {
        reply({ id: one.id, ...explain(error) });
      }
    }
  }
}

function addTogether(batch) {
  const width = batch[0].vector.length;
  if (batch.some(({ vector }) => vector.length !== width)) throw new RangeError("vectors of several widths");
  const vectors = new Float32Array(batch.length * width);
  batch.forEach(({ vector }, index) => vectors.set(vector, index * width));
  album.add(batch.map(({ key }) => key), vectors);
}

function remove(keys) {
  return album.delete(keys);
}

function search(vector, limit) {
  return album.search(vector, limit);
}

function similarities(keys, vector) {
  return album.similarities(keys, Float32Array.from(vector));
}

function keys() {
  return album.keys();
}

function size() {
  return album.size();
}

function clear() {
  album.clear();
}

// --- export and import -----------------------------------------------------------------------

async function exportAll(id) {
  const width = album.width() ?? 1;
  const total = album.size();
  const parts = [wasm.NpyHeader.write(total, width)];
  for (let start = 0; start < total; start += ROWS) {
    parts.push(new Blob([album.vectors(start, ROWS)])); // the browser may put it on disk
    reply({ id, progress: { done: Math.min(start + ROWS, total), total } });
    await nextTurn();
  }
  return {
    vectors: new Blob(parts, { type: "application/octet-stream" }),
    keys: new Blob([JSON.stringify(album.keys())], { type: "application/json" }),
  };
}

/** How many vectors were read. Their keys are checked first; each batch is then whole or not at all. */
async function importAll(vectors, keys, id) {
  const names = parseKeys(await keys.text());
  const header = wasm.NpyHeader.parse(new Uint8Array(await vectors.slice(0, HEADER_BYTES).arrayBuffer()));
  const { offset, rows, rowBytes } = header;
  if (names.length !== rows) throw new ObscuraError("bad_input", `There are ${names.length} keys for ${rows} vectors.`);
  if (vectors.size < offset + rows * rowBytes) {
    throw new ObscuraError("bad_input", `The .npy file ends early: it has ${vectors.size} bytes, expected ${offset + rows * rowBytes}.`);
  }
  if (new Set(names).size !== rows) throw new ObscuraError("bad_input", "A key is there twice among those of the import.");
  for (let start = 0; start < rows; start += ROWS) {
    const end = Math.min(start + ROWS, rows);
    const bytes = await vectors.slice(offset + start * rowBytes, offset + end * rowBytes).arrayBuffer();
    album.add(names.slice(start, end), header.decode(new Uint8Array(bytes)));
    reply({ id, progress: { done: end, total: rows } });
  }
  header.free();
  return rows;
}

function parseKeys(text) {
  let keys;
  try {
    keys = JSON.parse(text);
  } catch (error) {
    throw new ObscuraError("bad_input", `The keys cannot be read: ${error.message}`);
  }
  if (!Array.isArray(keys) || keys.some((key) => typeof key !== "string")) {
    throw new ObscuraError("bad_input", "The keys are a JSON list of texts, one a vector.");
  }
  return keys;
}
