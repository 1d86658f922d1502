/**
 * obscura in Node.js 20 and newer, Bun and Deno: the same engine, each model in a thread of its own, on a GPU where
 * Deno or the npm package `webgpu` offers one.
 * Everything is as in the browser (`obscura.d.ts`), except that
 * - models, adapters, bases and pictures may be paths, relative to the folder that the program was started in. A
 *   picture is a path, an address, a `Buffer` or any other typed array, or a `Blob`;
 * - nothing is kept: a model from the hub is downloaded by each load. Keep it as a file and give the path. An album is
 *   in memory;
 * - a model that is not used does not keep the program running.
 */

import type { LoadOptions, Model, ModelSource } from "./obscura.js";

export * from "./obscura.js";

/**
 * Loads a model: also a `.gguf` file or a folder in Hugging Face layout, by its path or `file:` URL.
 * What exists on the disk is not looked for on the hub.
 *
 * ```js
 * const model = await load("models/blip.gguf");
 * console.log((await model.caption("photo.jpg")).text);
 * ```
 */
export function load(source?: ModelSource | null, options?: LoadOptions): Promise<Model>;
