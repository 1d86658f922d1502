// Measures obscura and its peers side by side; scripts/bench is what one starts.
//
//   node scripts/benchmark/run.mjs [--only METRICS] [--peers PEERS] [--runs N] [--warm-up N] [--against WWW]
//        [--bench FOLDER] [--picture FILE] [--adapter NAME] [--label NAME] [--json FILE] [--write FILE]
//        [--www FOLDER --obscura FILE --commit NAME] [--needs]
//
// Everything that is measured in one go runs round robin, so that slow moments of the machine hit all peers alike.

import { execFileSync } from "node:child_process";
import { copyFile, readFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startBrowser } from "./browser.mjs";
import { check } from "./check.mjs";
import { commandOf, openProcess } from "./native.mjs";
import { LONG, OPENINGS, PEERS, WORKS, against, choosePeers, chooseWorks } from "./peers.mjs";
import { merge, print, write } from "./report.mjs";
import { transferred } from "./transferred.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TARGET = process.env.CARGO_TARGET_DIR ?? join(ROOT, "target");
const SLOW_RUNS = 1; // a software GPU takes a minute for what others do in one second

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    peers: { type: "string" },
    runs: { type: "string", default: "5" },
    "warm-up": { type: "string", default: "1" },
    against: { type: "string" },
    bench: { type: "string", default: join(TARGET, "bench") },
    picture: { type: "string", default: join(ROOT, "tests/pictures/large.png") },
    adapter: { type: "string", default: "swiftshader" },
    label: { type: "string", default: "now" },
    json: { type: "string" },
    write: { type: "string" },
    www: { type: "string", default: join(ROOT, "www") },
    obscura: { type: "string", default: join(TARGET, "release/obscura") },
    commit: { type: "string" },
    needs: { type: "boolean", default: false },
  },
});
const [runs, warmUp] = ["runs", "warm-up"].map((name) => {
  const number = Number(values[name]);
  if (!Number.isInteger(number) || number < (name === "runs" ? 1 : 0)) fail(`--${name} is a whole number, not '${values[name]}'`);
  return number;
});
const bench = resolve(values.bench);
const here = fileURLToPath(new URL(".", import.meta.url));
const everyone = [...PEERS, ...(values.against ? against : [])];
let peers, works;
try {
  peers = values.peers ? choosePeers(everyone, values.peers.split(",")) : everyone;
  works = values.only ? chooseWorks(values.only.split(",")) : [...Object.values(WORKS).flat(), ...OPENINGS];
} catch (error) {
  fail(error.message);
}
if (values.needs) {
  console.log([...new Set(peers.map(({ runner }) => runner))].join(" ")); // for scripts/bench, which installs them
  process.exit(0);
}
const expected = JSON.parse(await readFile(join(bench, "expected.json"), "utf8"));
await copyFile(resolve(values.picture), join(bench, "picture.png"));
const native = {
  obscura: resolve(values.obscura),
  python: process.env.PYTHON || join(bench, "python/bin/python"),
  picture: resolve(values.picture),
  bench,
  here,
  expected,
};
const versions = await pinnedVersions();
const commit = values.commit ?? checkedOut();
const found = new Map(); // peer -> metric -> {times, check}
let browser; // started for the first peer that wants one

const sizes = await transferred({ www: resolve(values.www), bench }, peers);
const writeDown = () => merge(found, { label: values.label, peers, sizes, machine: machine(), file: values.json && resolve(values.json) });
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    writeDown(); // what is measured by then is not lost
    process.exit(130);
  });
}
try {
  for (const [model, all] of Object.entries(WORKS)) {
    const wanted = all.filter((work) => works.includes(work));
    // A table at a time: more models at once would not fit into the memory of a small machine.
    for (const table of wanted.length > 0 ? new Set(peers.map((peer) => peer.table)) : []) await measureModel(model, wanted, table);
  }
  for (const opening of OPENINGS.filter((one) => works.includes(one))) await measureOpening(opening);
  const measured = writeDown();
  print(measured, values.label);
  if (values.write) await write(measured, resolve(values.write));
} finally {
  await browser?.close();
}

/** All works with one model, of each peer of a table that can do them: first those that warm up, then those that count. */
async function measureModel(model, wanted, table) {
  const opened = [];
  try {
    for (const peer of peers.filter((one) => one.table === table && one.works.some((work) => wanted.includes(work)))) {
      const runner = await open(peer, model).catch((error) => report(peer, wanted, error));
      if (runner) opened.push({ peer, runner, broken: false });
    }
    for (let round = 0; round < warmUp + runs; round++) {
      for (const work of wanted) {
        for (const one of opened) {
          const [before, counting] = roundsFor(one.peer, work);
          if (one.broken || round >= before + counting || !one.peer.works.includes(work)) continue;
          await measureOnce(one, work, round >= before);
        }
      }
    }
    for (const { peer, runner } of opened) {
      const memory = await runner.memory();
      if (memory.wasm) add(peer, `${model}-memory`, memory.wasm);
      if (memory.gpu) add(peer, `${model}-gpu`, memory.gpu);
    }
  } finally {
    for (const { runner } of opened) await runner.close();
  }
}

/** [how many to warm up, how many that count] */
function roundsFor({ slow }, work) {
  if (work in LONG) return [0, Math.min(runs, slow ? SLOW_RUNS : LONG[work])];
  return slow ? [Math.min(warmUp, 1), Math.min(runs, SLOW_RUNS)] : [warmUp, runs];
}

async function measureOnce(one, work, counts) {
  try {
    const { times, result } = await one.runner.run(nameFor(one.peer, work));
    for (const [name, time] of Object.entries(times)) {
      const metric = one.peer.table === "native" ? `${work.split("-")[0]}-${name}` : name;
      const checked = check(work, result, expected, one.peer.options.dtype);
      add(one.peer, metric, counts ? time : null, checked);
      if (checked?.wrong) {
        process.stderr.write(`${one.peer.id} ${metric} did other work than the reference: ${JSON.stringify(checked)}\n`);
        process.exitCode = 1;
      }
      process.stderr.write(`${one.peer.id} ${metric}: ${time.toFixed(1)} ms${counts ? "" : " (warm-up)"}\n`);
    }
  } catch (error) {
    one.broken = true;
    report(one.peer, [work], error);
  }
}

/** A load from localhost, of which nothing is kept; or what passes from navigation to a caption with the model kept. */
async function measureOpening(opening) {
  const [family, kind] = opening.split("-");
  const model = family === "clip" ? "clip" : "caption";
  const able = peers.filter(({ works, table }) => works.some((work) => WORKS[model].includes(work)) && (kind === "load" || table !== "native"));
  for (let round = 0; round < warmUp + runs; round++) {
    for (const peer of able) {
      const [before, counting] = roundsFor(peer, opening);
      if (round >= before + counting || found.get(peer.id)?.[opening]?.failed) continue;
      try {
        const time = await openOnce(peer, model, kind);
        add(peer, opening, round >= before ? time : null);
        process.stderr.write(`${peer.id} ${opening}: ${time.toFixed(0)} ms${round >= before ? "" : " (warm-up)"}\n`);
      } catch (error) {
        report(peer, [opening], error);
      }
    }
  }
}

async function openOnce(peer, model, kind) {
  const runner = await open(peer, model, { first: kind === "load" });
  try {
    if (kind === "load") return runner.times.load;
    await runner.run("blip-caption");
    return performance.now() - runner.began;
  } finally {
    await runner.close();
  }
}

async function open(peer, model, options) {
  if (peer.table === "native") return openProcess(commandOf(peer, model, native));
  browser ??= await startBrowser({ www: resolve(values.www), bench, here, adapter: values.adapter, against: values.against && resolve(values.against) });
  return browser.open(peer, model, options);
}

/** Native peers know what their model is. */
function nameFor({ table }, work) {
  return table === "native" ? work.slice(work.indexOf("-") + 1) : work;
}

function add({ id }, metric, time, checked) {
  const metrics = found.get(id) ?? {};
  found.set(id, metrics);
  metrics[metric] ??= { times: [] };
  if (time !== null) metrics[metric].times.push(time);
  if (checked) metrics[metric].check ??= checked;
}

/** A peer that fails is not measured, and said to have failed. */
function report(peer, failedWorks, error) {
  process.stderr.write(`${peer.id}: ${error.message}\n`);
  for (const work of failedWorks) {
    add(peer, work, null);
    found.get(peer.id)[work].failed = error.message.split("\n")[0];
  }
  process.exitCode = 1;
}

/** What is measured: the commit, and whether the work tree differs from it. */
function checkedOut() {
  const git = (...words) => execFileSync("git", words, { cwd: ROOT, encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "www") !== "";
  return git("rev-parse", "--short", "HEAD") + (changed ? " and changes" : "");
}

function machine() {
  return {
    commit,
    processor: cpus()[0].model,
    cores: cpus().length,
    memory: totalmem(),
    ...(browser && { browser: browser.version }),
    versions,
  };
}

/** Of the peers that are installed for this. */
async function pinnedVersions() {
  const texts = ["benchmark/package.json", "benchmark/candle/Cargo.toml", "benchmark/requirements.txt"];
  const [packages, candle, python] = await Promise.all(texts.map((name) => readFile(join(ROOT, "scripts", name), "utf8")));
  const { dependencies } = JSON.parse(packages);
  const pinned = (name) => new RegExp(`^${name}==(.*)$`, "m").exec(python)[1];
  return {
    "onnxruntime-web": dependencies["onnxruntime-web"],
    "transformers.js": dependencies["@huggingface/transformers"],
    candle: /^candle-transformers = "=(.*)"$/m.exec(candle)[1],
    PyTorch: pinned("torch"),
    transformers: pinned("transformers"),
  };
}

function fail(message) {
  console.error(`bench: ${message}`);
  process.exit(2);
}
