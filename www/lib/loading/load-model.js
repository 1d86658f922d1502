// One load from beginning to end: the source is read through the engine's loader, what the loader
// keeps is written to the cache, a source that changes in the middle is started over.

import { platform } from "../platform/platform.js";
import { identityOf, openModel } from "./adapted-source.js";
import { Progress } from "./progress.js";

const RESTARTS = 3; // a file that changes more often than that during one load is somebody's log

/**
 * @param {object} wasm the engine: {Loader, entryVersion, entryComplete}
 * @param {object} description of the source, by describeSource; with `adapters`, `base` and `settings` as openModel takes them
 * @param {{device, dtype, precision, tasks, sha256, keep: boolean}} options `sha256` is {file: hash}
 * @param {{openEntry, transport?: object, notify(event): void}} surroundings
 */
export async function loadModel(wasm, description, { keep, ...options }, { openEntry, transport, notify }) {
  const progress = new Progress(description.name, notify);
  const identity = identityOf(description);
  const entry = keep && identity !== null ? await openOrWarn() : null;
  const loading = { wasm, description, options, transport, progress, entry };
  try {
    for (let restarts = 0; ; restarts++) {
      try {
        return await attempt(loading);
      } catch (error) {
        if (!error.changed || restarts === RESTARTS) throw error;
        entry?.reset();
        progress.warn(`${description.name} changed on the server: it is loaded from its start again.`);
      }
    }
  } finally {
    const problem = await entry?.close();
    if (problem) progress.warn(problem);
  }

  async function openOrWarn() {
    const { dtype, tasks, sha256 } = options; // what was kept unchecked is no answer where a hash is asked for
    const key = [identity, dtype, tasks ?? null, sha256 ?? null, wasm.entryVersion()];
    try {
      const onWait = () => progress.say("waiting", `Another tab is loading ${description.name}: this one goes on when it is done.`);
      const opened = await openEntry(key, { onWait });
      if (!opened) progress.warn(platform.words.notKept);
      return opened;
    } catch (error) {
      progress.warn(`The model cannot be kept for the next time: ${error.message}`);
      return null;
    }
  }
}

async function attempt({ wasm, description, options, transport, progress, entry }) {
  const onBytes = (file, count) => progress.add(file, count);
  const open = () => openModel(description, { transport, expected: entry?.meta?.files, onBytes });
  let source = open();
  try {
    const isComplete = Boolean(entry?.meta) && wasm.entryComplete(entry.journal());
    if (isComplete && (await source.isCurrent(entry.meta.files, entry.meta.commit)) === false) {
      source.close();
      entry.reset();
      source = open();
    }
    // A model that is kept is loaded without a question, even which adapters were asked for.
    const isKept = isComplete && Boolean(entry.meta);
    const adapters = isKept ? (entry.meta.adapters ?? []) : await source.adapters();
    let usable = true;
    const onEvent = (event) => {
      if (event.status === "plan") {
        source.plan(event.ranges);
        progress.plan(event.ranges);
        if (entry) usable = saveMeta(entry, { description, options, adapters, source, progress, complete: false }) && usable;
      } else if (event.status === "tensor") progress.tensor(event, entry?.meta?.files);
      else if (event.status === "warning") progress.warn(event.message);
      else if (event.status === "uncached") {
        usable = false;
        progress.warn(event.message);
      }
    };
    const loader = new wasm.Loader({ ...options, adapters });
    const model = await loader.load(observed(source, progress), entry?.stores ?? null, onEvent);
    if (entry) {
      usable = saveMeta(entry, { description, options, adapters, source, progress, complete: true }) && usable;
      if (!usable) await entry.remove();
    }
    progress.finish();
    return model;
  } catch (error) {
    throw source.notFound() ?? error;
  } finally {
    source.close();
  }
}

/** False where there is no room for it. */
function saveMeta(entry, { description, options, adapters, source, progress, complete }) {
  const { meta } = entry;
  const now = Date.now();
  try {
    entry.save({
      source: description.name,
      revision: description.hub?.revision,
      adapters: adapters.length > 0 ? adapters : undefined,
      dtype: options.dtype,
      tasks: options.tasks,
      sha256: options.sha256,
      created: meta?.created ?? now,
      lastUsed: now,
      bytes: entry.bytes,
      complete,
      commit: source.commit ?? meta?.commit ?? null,
      files: { ...meta?.files, ...source.validators() },
    });
    return true;
  } catch (error) {
    progress.warn(`The model is not kept for the next time: ${error.message}`);
    return false;
  }
}

/** The source, with its files announced as they are found. */
function observed(source, progress) {
  return {
    name: source.name,
    file: source.file ?? source.part,
    size: async (file) => {
      const size = await source.size(file);
      if (size !== null) progress.begin(file, size);
      return size;
    },
    read: (file, offset, length) => source.read(file, offset, length),
  };
}
