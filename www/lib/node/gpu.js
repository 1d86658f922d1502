// WebGPU in a thread. Deno has its own; in Node.js and Bun it is that of the npm package webgpu, which is
// looked for when somebody wants an adapter: beside obscura, and beside the program.

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { platform } from "../platform/platform.js";

const PACKAGE = "webgpu"; // not written where it is imported: bundlers would insist on it

/** Offers `navigator.gpu`, in surroundings in which the engine finds it. */
export function offerGpu() {
  // wgpu looks for it in windows and in workers, and stops for ever elsewhere.
  globalThis.WorkerGlobalScope ??= class WorkerGlobalScope {
    static [Symbol.hasInstance](value) {
      return value === globalThis;
    }
  };
  globalThis.navigator ??= {}; // Node.js 20
  if (navigator.gpu) return;
  let opened;
  const requestAdapter = async (options) => (await (opened ??= openPackage()))?.requestAdapter(options) ?? null;
  Object.defineProperty(navigator, "gpu", { value: { requestAdapter }, configurable: true });
}

async function openPackage() {
  try {
    const { create, globals } = await importPackage();
    Object.assign(globalThis, globals);
    return create([]);
  } catch (error) {
    const isMissing = /^(ERR_)?MODULE_NOT_FOUND$/.test(error.code);
    if (!isMissing) platform.words.noGpu = `The npm package ${PACKAGE} is here, but fails: ${error.message}`;
    return null;
  }
}

async function importPackage() {
  try {
    return await import(PACKAGE);
  } catch {
    const path = createRequire(join(process.cwd(), "program.js")).resolve(PACKAGE);
    return import(pathToFileURL(path).href);
  }
}
