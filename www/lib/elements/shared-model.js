// One model for all elements of a page that want the same one: loaded at the first use, freed when
// it has not been used for a while.

import { load } from "../model/load.js";

const IDLE_MS = 60_000;
const models = new Map(); // key -> {loaded: Promise<Model>, users, timer, listeners}

/**
 * Runs `work(model)` with the model of that choice.
 * @param {{model?: string, device?: string, dtype?: string}} choice
 * @param {{signal?: AbortSignal, onProgress?(event): void}} surroundings `signal` ends the waiting of
 *   this caller, not a load that others wait for, too
 */
export async function withSharedModel(choice, { signal, onProgress = () => {} }, work) {
  const key = JSON.stringify([choice.model, choice.device, choice.dtype]);
  const shared = models.get(key) ?? open(key, choice);
  shared.users++;
  clearTimeout(shared.timer);
  shared.listeners.add(onProgress);
  try {
    const model = await unlessAborted(shared.loaded, signal);
    return await work(model);
  } catch (error) {
    if (error.code === "device_lost") forget(key, shared); // the next one begins anew
    throw error;
  } finally {
    shared.listeners.delete(onProgress);
    shared.users--;
    if (shared.users === 0) shared.timer = setTimeout(() => forget(key, shared), IDLE_MS);
  }
}

function open(key, { model, device, dtype }) {
  const listeners = new Set();
  const progress = (event) => listeners.forEach((listener) => listener(event));
  const shared = { users: 0, listeners, loaded: load(model, { device, dtype, tasks: ["caption"], progress }) };
  shared.loaded.catch(() => forget(key, shared)); // and may be tried again
  models.set(key, shared);
  return shared;
}

function forget(key, shared) {
  if (models.get(key) === shared) models.delete(key);
  shared.loaded.then((model) => model.dispose(), () => {});
}

function unlessAborted(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
