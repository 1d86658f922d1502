// The model that load() takes where none is named, as models/models.json says. scripts/pack writes
// the npm package's own form of this file, in which the model's address is plain to a bundler.

import { ObscuraError } from "../errors/error.js";
import { platform } from "../platform/platform.js";

/** Where this part of obscura sees the model's file; null where only the list says. */
export const embeddedAddress = () => null;

const LIST = new URL("../../models/models.json", import.meta.url);

/**
 * An entry of the list, its address absolute: {id, url, sha256?, bytes?, ...}; null where there is no such model.
 * `which`: "default", the embedded one, or "beside", one of the other family that knows the same things.
 */
export async function embeddedModel(signal, which = "default") {
  try {
    const response = await platform.fetch(LIST, { signal });
    if (response.status !== 404 && !response.ok) throw new Error(`the server answered ${response.status}`);
    const list = response.ok ? await response.json() : {};
    const entry = list.models?.find((model) => model.id === list[which]);
    return entry ? { ...entry, url: new URL(entry.url, LIST).href } : null;
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ObscuraError("network", `The list of models ${LIST} could not be read: ${error.message}`, { cause: error });
  }
}
