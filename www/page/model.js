// The models that the sections use: `main`, and a second one beside it for comparing. A slot opens one
// model at a time, tells how far it is, and says what can be done with it.

import { embeddedModel } from "../lib/loading/embedded.js";
import { load } from "../lib/model/load.js";
import { Pace } from "./pace.js";
import { allowHosts, hostsOf } from "./privacy.js";

/** Where the page's address, or nobody, says otherwise. */
const query = new URLSearchParams(location.search);
const hub = query.has("hub") ? { host: query.get("hub") } : undefined;

/**
 * phase: "none" | "loading" | "ready" | "failed". Events: "change" when the phase does, "progress" with
 * {percent, words}, "notice" with {message}.
 */
export class Slot extends EventTarget {
  phase = "none";
  model = null;
  /** What people call it. */
  title = "";
  /** The entry of models.json, for an embedded model. */
  entry = null;
  error = null;
  #loading = null; // the AbortController of the load under way

  /** `source` undefined: the embedded model. Replaces the loaded one; rejects with nothing. */
  async open(source, { title, entry = null, device = "auto", dtype = "auto" }) {
    this.#loading?.abort();
    const controller = (this.#loading = new AbortController());
    const previous = this.model;
    Object.assign(this, { model: null, title, entry, error: null });
    this.#become("loading");
    try {
      await previous?.dispose(); // two models in the place of one may not fit
      await allowHosts(hostsOf(source, hub?.host));
      controller.signal.throwIfAborted();
      const progress = this.#listen(controller);
      const sha256 = source === undefined ? undefined : entry?.sha256; // that of the embedded one is known to load()
      const model = await load(source, { device, dtype, hub, sha256, signal: controller.signal, progress });
      if (controller !== this.#loading) return model.dispose();
      this.#loading = null;
      this.model = model;
      this.wanted = { device, dtype };
      this.#become("ready");
    } catch (error) {
      if (controller !== this.#loading) return; // another load has taken its place
      this.#loading = null;
      const isAborted = controller.signal.aborted;
      this.error = isAborted ? null : error;
      this.#become(isAborted ? "none" : "failed");
    }
  }

  cancel() {
    this.#loading?.abort();
  }

  async close() {
    this.cancel();
    const { model } = this;
    this.model = null;
    this.#become("none");
    await model?.dispose();
  }

  can(task) {
    return this.model?.info.tasks.includes(task) ?? false;
  }

  #listen(controller) {
    const pace = new Pace();
    return ({ status, message, progress, loaded, total }) => {
      if (controller !== this.#loading) return;
      if (status === "warning" || status === "waiting") this.#tell("notice", { message });
      if (status !== "progress_total") return;
      const words = loaded < total ? pace.describe(loaded, total, performance.now()) : "Preparing…";
      this.#tell("progress", { percent: progress, words });
    };
  }

  #become(phase) {
    this.phase = phase;
    this.#tell("change");
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

export const main = new Slot();
export const companion = new Slot();

export function describeModel({ family, parameters, dtype, device, adapter }) {
  const size = parameters >= 1e6 ? `${(parameters / 1e6).toFixed(parameters < 1e7 ? 1 : 0)} million` : parameters.toLocaleString("en");
  const place = device === "cpu" ? "on the CPU" : `on WebGPU${adapter ? ` (${adapter})` : ""}`;
  return `${family.toUpperCase()}, ${size} parameters, ${dtype}, ${place}`;
}

/** The entry of the model that comes with the site: null where there is none, or no telling. */
export const embedded = embeddedModel().catch(() => null);

/** That of the model of the other family that comes with the site, for Compare: null where there is none. */
export const beside = () => embeddedModel(undefined, "beside").catch(() => null);
