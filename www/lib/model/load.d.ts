import type { Hub, ModelSource } from "../loading/describe-source.js";
import type { ProgressEvent } from "../loading/progress.js";
import type { Model, Task } from "./model.js";

export interface LoadOptions {
  /** `auto` is WebGPU on a real GPU, else the CPU. */
  device?: "auto" | "webgpu" | "cpu";
  /**
   * How the weights are held. Weights of another format are converted while they arrive. `auto`
   * keeps quantized weights as they are and chooses by size for all others.
   */
  dtype?: "auto" | "q4" | "q8" | "f16" | "f32";
  /**
   * How exactly layers with `q8` and `q4` weights are computed on the CPU. `fast`, the default, rounds what
   * they take to 8 bits where the processor multiplies bytes faster, `exact` to 16.
   */
  precision?: "fast" | "exact";
  /**
   * How many threads compute on the CPU, at most: as many as there are cores, up to 8, by default. More than
   * one takes a page (not a worker) that is isolated from other sites, by the headers
   * `Cross-Origin-Opener-Policy: same-origin` and `Cross-Origin-Embedder-Policy: require-corp`, and a
   * browser with relaxed SIMD; elsewhere it is one.
   */
  threads?: number;
  /**
   * What the model is wanted for. Only the weights that this needs are fetched, where the server can
   * send parts of files; all other tasks are refused. Default: everything that it can do.
   */
  tasks?: (Task | "embed-image" | "embed-text")[];
  /**
   * Default `true`: the weights, converted, are kept in the browser's private file system, or in the
   * Cache API where no file of that can be written. In Node.js, Bun and Deno nothing is kept. The next
   * load asks the server at most whether they are still current, goes on where a broken one stopped,
   * and works offline. `false` neither reads nor writes them. Files without a name, and `.gguf` files
   * from the disk, are not kept.
   */
  cache?: boolean;
  /** Branch, tag or commit of a model on the hub. Default `"main"`. A commit is never revalidated. */
  revision?: string;
  hub?: Hub;
  /**
   * LoRA adapters of PEFT (a name on the hub, an address, or files, as models are given), merged into the
   * weights in this order while they arrive. An adapter in place of the model needs none: its base is the
   * one that it names. What is kept is kept for these adapters.
   */
  adapters?: ModelSource[];
  /** The model that an adapter in place of the model was made for, if it is not the one that it names. */
  base?: ModelSource;
  /**
   * The file's SHA-256 in hexadecimal, or those of several files by their names, an adapter's file as
   * `NAME/adapter_model.safetensors`. Checked while the
   * bytes stream past; with another one there is no model but the error `integrity`.
   */
  sha256?: string | Record<string, string>;
  /** Stops the load at any moment. What has been kept by then is where the next load goes on. */
  signal?: AbortSignal;
  progress?(event: ProgressEvent): void;
}

/**
 * Loads a model. Without a source it is the embedded one, where the site has one.
 *
 * ```js
 * const model = await load("Salesforce/blip-image-captioning-base", {
 *   progress: ({ status, progress }) => status === "progress_total" && (bar.value = progress),
 * });
 * const { text } = await model.caption(file, { onToken: (piece) => (line.textContent += piece) });
 * await model.dispose();
 * ```
 */
export function load(source?: ModelSource | null, options?: LoadOptions): Promise<Model>;
