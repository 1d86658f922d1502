// load(): finds the model that is named and has a worker of its own load it.

import { isAvailable } from "../cache/cache.js";
import { Engine } from "../engine/bridge.js";
import { workers } from "../engine/workers.js";
import { checkOneOf } from "../errors/checks.js";
import { ObscuraError } from "../errors/error.js";
import { describeSource } from "../loading/describe-source.js";
import { embeddedModel } from "../loading/embedded.js";
import { platform } from "../platform/platform.js";
import { Model } from "./model.js";
import { checkOptions, DEVICES, DTYPES, PRECISIONS, TASKS } from "./options.js";

/** Loads a model; see load.d.ts. */
export async function load(source, options) {
  const { device = "auto", dtype = "auto", precision = "fast", threads, cache = true, tasks, sha256, revision, hub, adapters, base, signal, progress } = checkOptions("load", options);
  checkOneOf("device", device, DEVICES);
  checkOneOf("dtype", dtype, DTYPES);
  checkOneOf("precision", precision, PRECISIONS);
  for (const task of tasks ?? []) checkOneOf("each of tasks", task, TASKS);
  let described = null;
  const prepare = async () => {
    const found = await findModel(source, { revision, hub }, signal);
    const others = await describeOthers({ adapters, base, hub });
    if (cache && found.description.kind === "remote") askToKeep();
    const hashes = checkHashes(sha256 ?? found.sha256, found.description.file);
    const most = workers.haveThreads ? threads : 1;
    described = { source: { ...found.description, ...others }, device, dtype, precision, threads: most, tasks: tasks && [...new Set(tasks)].sort(), sha256: hashes, cache };
    return [described];
  };
  const start = async (prepare) => {
    const engine = new Engine();
    try {
      const info = await engine.call("load", prepare, { signal, onProgress: progress });
      return new Model(engine, info, described);
    } catch (error) {
      engine.terminate(error);
      throw error;
    }
  };
  try {
    return await start(prepare);
  } catch (error) {
    if (device !== "auto" || error.code !== "device_lost") throw error;
    // A driver may break the engine on the way to a GPU. A new one does without.
    described.device = "cpu";
    progress?.({ status: "warning", name: described.source.name, message: "The engine broke on the way to the GPU, so the model computes on the CPU." });
    return start(async () => [described]);
  }
}

/** {description, sha256?}: the description is what the worker wants. */
async function findModel(source, settings, signal) {
  const base = platform.base();
  if (source !== undefined && source !== null) return { description: await describeSource(source, { ...settings, base }) };
  const embedded = await embeddedModel(signal);
  if (!embedded) {
    throw new ObscuraError("bad_input", "No model is embedded here: give load() a hub id, an address or files.");
  }
  const { id, url, sha256 } = embedded; // its address is without a site where Turbopack has bundled it
  return { description: { ...(await describeSource(url, { ...settings, base })), name: id, isEmbedded: true }, sha256 };
}

/** {adapters?, base?, settings?}: what is merged into the model, and where names of bases lead. */
async function describeOthers({ adapters, base, hub }) {
  const settings = { hub, base: platform.base() };
  return {
    adapters: adapters && (await Promise.all(adapters.map((adapter) => describeSource(adapter, settings)))),
    base: base && (await describeSource(base, settings)),
    settings: { hub },
  };
}

/** {file: hash} from either form; undefined without. */
function checkHashes(sha256, file) {
  if (sha256 === undefined) return undefined;
  if (typeof sha256 === "string" && file === undefined) {
    const message = "This model has several files: sha256 names them, as in { \"model.safetensors\": \"…\" }.";
    throw new ObscuraError("bad_input", message);
  }
  const hashes = typeof sha256 === "string" ? { [file]: sha256 } : sha256;
  const wrong = Object.values(hashes).some((hash) => typeof hash !== "string" || !/^[0-9a-f]{64}$/i.test(hash));
  if (typeof hashes !== "object" || wrong || Object.keys(hashes).length === 0) {
    throw new ObscuraError("bad_input", "sha256 is a file's SHA-256 as 64 hexadecimal digits, or an object of them by the files' names.");
  }
  return hashes;
}

/** Asks the browser, once, not to delete what is kept when room gets scarce. It may well say no. */
let asked = false;
function askToKeep() {
  if (asked || !isAvailable()) return;
  asked = true;
  navigator.storage.persist?.().catch(() => {});
}
