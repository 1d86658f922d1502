// The engine: the crate as WebAssembly, in the faster of two builds that this browser takes. A file with
// an instruction that a browser lacks is refused whole, so relaxed SIMD has a file of its own. Only the
// chosen one is fetched. A third has threads: threads.js.

import * as plain from "./pkg/obscura_wasm.js";
import * as relaxed from "./pkg/obscura_wasm_relaxed.js";

// A function that multiplies and adds in one instruction, f32x4.relaxed_madd.
const RELAXED = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 0, 253, 15, 65, 0, 253, 15, 65, 0,
  253, 15, 253, 133, 2, 11,
]);

/** The build for a browser whose `WebAssembly.validate` is this. */
export function choose(validate) {
  return validate(RELAXED) ? relaxed : plain;
}

export const engine = choose(WebAssembly.validate);
export const isRelaxed = engine === relaxed;
