// Whether the visitor agrees to the download of a model: asked once, then remembered for this site.
// What is already kept in the browser needs no download and so no question.

import { cache } from "../cache/cache.js";
import { ObscuraError } from "../errors/error.js";
import { embeddedModel } from "../loading/embedded.js";

const AGREED = "obscura-agreed"; // in localStorage: {name of the model: true}
const told = new EventTarget(); // an event named after each model that was just agreed to

/** {name, bytes?} of a model as it is asked about; the embedded one where none is named. */
export async function describeModel(model) {
  if (model) return { name: String(model) };
  const embedded = await embeddedModel();
  if (!embedded) throw new ObscuraError("bad_input", "No model is embedded here: name one in `model`.");
  return { name: embedded.id, bytes: embedded.bytes };
}

/** Whether nothing has to be asked: agreed before, or kept here already. */
export async function isAgreed(name) {
  if (agreements()[name]) return true;
  const kept = await cache.list().catch(() => []);
  return kept.some(({ source, complete }) => complete && source === name);
}

export function agree(name) {
  try {
    localStorage.setItem(AGREED, JSON.stringify({ ...agreements(), [name]: true }));
  } catch {
    // Nothing is remembered in this window: it is asked again on the next page.
  }
  told.dispatchEvent(new Event(name));
}

/** Resolves when the visitor agrees, by whatever button, also in another tab. */
export function agreement(name, signal) {
  return new Promise((agreed) => {
    const options = { signal, once: true };
    told.addEventListener(name, agreed, options);
    globalThis.addEventListener("storage", () => agreements()[name] && agreed(), { signal });
  });
}

/** `12 MB`, or an empty text where the size is not known. */
export function sizeInWords(bytes) {
  if (!(bytes > 0)) return "";
  return bytes < 1e9 ? `${Math.max(1, Math.round(bytes / 1e6))} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

function agreements() {
  try {
    return JSON.parse(localStorage.getItem(AGREED)) ?? {};
  } catch {
    return {};
  }
}
