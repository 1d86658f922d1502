// The second half of scripts/benchmark/search: an album of the vectors in FOLDER in Chromium, and
// hnswlib-wasm with the first N of them.
//
//   node scripts/benchmark/search.mjs FOLDER N

import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "../../tests/browser/node_modules/playwright-core/index.mjs";
import { serve } from "../serve.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NEAREST = 10;
const HNSW = { connections: 16, construction: 200, beams: [50, 100, 200, 400] };

const folder = resolve(process.argv[2]);
const hnswVectors = Number(process.argv[3]);
const exact = JSON.parse(await readFile(join(folder, "exact.json"), "utf8"));
await writeFile(join(folder, "keys.json"), JSON.stringify(Array.from({ length: await rows() }, (_, row) => String(row))));
const mounts = { "/vectors": folder, "/hnswlib": join(ROOT, "target/bench-search/node_modules/hnswlib-wasm/dist") };
const server = await serve({ root: join(ROOT, "www"), mounts });
const profile = await mkdtemp(join(ROOT, "target/bench-search/profile-")); // on disk, as a visitor's is
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
try {
  const page = await context.newPage();
  await page.route(`${server.url}bench.html`, (route) =>
    route.fulfill({ contentType: "text/html", body: '<!doctype html><input type="file" id="vectors"><input type="file" id="keys">' }),
  );
  await page.goto(`${server.url}bench.html`);
  for (const [id, name] of [["#vectors", "vectors.npy"], ["#keys", "keys.json"]]) await page.setInputFiles(id, join(folder, name));
  const album = await page.evaluate(makeAlbum);
  const before = await workerSeconds();
  Object.assign(album, await page.evaluate(searchAlbum));
  const after = await workerSeconds();
  report(`album: ${album.size} vectors, imported in ${seconds(album.importing)}, opened in ${seconds(album.opening)}`, album, exact);
  if (before !== null) console.log(`       ${((1000 * (after - before)) / album.found.length).toFixed(1)} ms of CPU time in the worker for each query, whatever else the machine does`);
  const memory = await Promise.all(page.workers().map((worker) => worker.evaluate(memoryOfEngine, `${server.url}lib/engine/engine.js`)));
  console.log(`       ${(Math.max(...memory) / 1e6).toFixed(0)} MB of WebAssembly memory, the engine's own included`);
  if (hnswVectors > 0) await benchHnsw();
} finally {
  await context.close();
  await server.close();
  await rm(profile, { recursive: true });
}

/** What the workers' threads of this browser have computed so far; null where the system does not tell. */
async function workerSeconds() {
  let sum = 0;
  try {
    for (const process of await processesOf(profile)) {
      for (const thread of await readdir(`/proc/${process}/task`)) {
        const name = await readFile(`/proc/${process}/task/${thread}/comm`, "utf8");
        if (name.startsWith("DedicatedWorker")) sum += Number((await readFile(`/proc/${process}/task/${thread}/schedstat`, "utf8")).split(" ")[0]);
      }
    }
  } catch {
    return null;
  }
  return sum / 1e9;
}

/** The browser with that profile, and what it has started. */
async function processesOf(profile) {
  const parents = new Map();
  const found = new Set();
  for (const process of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const stat = await readFile(`/proc/${process}/stat`, "utf8").catch(() => null);
    if (!stat) continue;
    parents.set(process, stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    if ((await readFile(`/proc/${process}/cmdline`, "utf8")).includes(profile)) found.add(process);
  }
  for (const process of parents.keys()) {
    for (let parent = parents.get(process); parent; parent = parents.get(parent)) if (found.has(parent)) found.add(process);
  }
  return found;
}

async function benchHnsw() {
  const page = await context.newPage();
  await page.goto(`${server.url}models/models.json`);
  const found = await page.evaluate(buildAndSearchHnsw, { ...HNSW, count: hnswVectors, nearest: NEAREST });
  console.log(`hnswlib-wasm 0.8.2 with the first ${hnswVectors} vectors (M ${HNSW.connections}, efConstruction ${HNSW.construction}): built in ${seconds(found.building)}`);
  for (const { beam, times, keys } of found.searches) report(`       efSearch ${beam}`, { times, found: keys }, found.exact);
  const again = await page.evaluate(benchSmallAlbum, { count: hnswVectors });
  report(`album: the same ${hnswVectors} vectors, imported in ${seconds(again.importing)}`, again, found.exact);
}

function report(what, { times, found }, exact) {
  const sorted = times.toSorted((a, b) => a - b);
  const right = found.reduce((sum, keys, query) => sum + keys.filter((key) => exact[query].includes(key)).length, 0);
  const recall = right / (NEAREST * found.length);
  const at = (share) => sorted[Math.floor(share * (sorted.length - 1))].toFixed(1);
  console.log(`${what}; ${found.length} queries: recall@${NEAREST} ${recall.toFixed(4)}, best ${at(0)} ms, median ${at(0.5)} ms, slowest ${at(1)} ms`);
}

function seconds(milliseconds) {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

async function rows() {
  const bytes = await readFile(join(folder, "queries.npy"));
  const width = Number(/\(\d+, (\d+)\)/.exec(bytes.subarray(0, 128).toString("latin1"))[1]);
  const { size } = await stat(join(folder, "vectors.npy"));
  return Math.floor((size - 128) / (4 * width));
}

// --- in the page -------------------------------------------------------------------------------

async function makeAlbum() {
  const { openAlbum } = await import("./obscura.js");
  const [vectors, keys] = ["vectors", "keys"].map((id) => document.getElementById(id).files[0]);
  let album = await openAlbum("bench");
  let began = performance.now();
  await album.import({ vectors, keys });
  const importing = performance.now() - began;
  await album.close();
  began = performance.now();
  album = await openAlbum("bench");
  globalThis.album = album;
  return { size: album.size, importing, opening: performance.now() - began };
}

async function searchAlbum() {
  const bytes = await (await fetch("vectors/queries.npy")).arrayBuffer();
  const queries = new Float32Array(bytes.slice(128));
  const [times, found] = [[], []];
  for (let start = 0; start < queries.length; start += 512) {
    const query = queries.slice(start, start + 512);
    const began = performance.now();
    const nearest = await globalThis.album.search(query, { limit: 10 });
    times.push(performance.now() - began); // with the messages to the worker and back
    found.push(nearest.map(({ key }) => key));
  }
  return { times, found };
}

async function memoryOfEngine(engine) {
  const { memory } = await (await import(engine)).engine.default();
  return memory.buffer.byteLength;
}

async function buildAndSearchHnsw({ count, nearest, connections, construction, beams }) {
  const { loadHnswlib } = await import("/hnswlib/hnswlib.js");
  const rows = async (name, end) => new Float32Array((await (await fetch(`/vectors/${name}`, end ? { headers: { Range: `bytes=0-${128 + 2048 * end - 1}` } } : {})).arrayBuffer()).slice(128));
  const [vectors, queries] = [await rows("vectors.npy", count), await rows("queries.npy")];
  const row = (values, place) => values.subarray(512 * place, 512 * (place + 1));
  const library = await loadHnswlib();
  const index = new library.HierarchicalNSW("ip", 512, "");
  index.initIndex(count, connections, construction, 100);
  let began = performance.now();
  for (let place = 0; place < count; place++) index.addPoint(row(vectors, place), place, false);
  const building = performance.now() - began;
  const total = queries.length / 512;
  const exact = [];
  for (let query = 0; query < total; query++) {
    const products = Array.from({ length: count }, (_, place) => {
      const [a, b] = [row(queries, query), row(vectors, place)];
      let sum = 0;
      for (let at = 0; at < 512; at++) sum += a[at] * b[at];
      return [sum, String(place)];
    });
    exact.push(products.sort(([a], [b]) => b - a).slice(0, nearest).map(([, key]) => key));
  }
  const searches = beams.map((beam) => {
    index.setEfSearch(beam);
    const [times, keys] = [[], []];
    for (let query = 0; query < total; query++) {
      began = performance.now();
      const { neighbors } = index.searchKnn(row(queries, query), nearest, undefined);
      times.push(performance.now() - began);
      keys.push([...neighbors].map(String));
    }
    return { beam, times, keys };
  });
  return { building, exact, searches };
}

async function benchSmallAlbum({ count }) {
  const { openAlbum } = await import("/obscura.js");
  const bytes = await (await fetch("/vectors/vectors.npy", { headers: { Range: `bytes=0-${128 + 2048 * count - 1}` } })).arrayBuffer();
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${count}, 512), }`.padEnd(117) + "\n";
  const start = new Uint8Array([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, 118, 0, ...new TextEncoder().encode(header)]);
  const vectors = new Blob([start, bytes.slice(128)]);
  const keys = new Blob([JSON.stringify(Array.from({ length: count }, (_, place) => String(place)))]);
  const album = await openAlbum("bench small");
  let began = performance.now();
  await album.import({ vectors, keys });
  const importing = performance.now() - began;
  const queries = new Float32Array((await (await fetch("/vectors/queries.npy")).arrayBuffer()).slice(128));
  const [times, found] = [[], []];
  for (let at = 0; at < queries.length; at += 512) {
    const query = queries.slice(at, at + 512);
    began = performance.now();
    const nearest = await album.search(query, { limit: 10 });
    times.push(performance.now() - began);
    found.push(nearest.map(({ key }) => key));
  }
  await album.close();
  return { importing, times, found };
}
