// The engine: the crate as WebAssembly, in the faster of two builds that this browser takes. A file with
// an instruction that a browser lacks is refused whole, so relaxed SIMD has a file of its own. Only the
// chosen one is fetched. A third has threads: threads.js.

import * as plain from "../../pkg/obscura_wasm.js";
import * as relaxed from "../../pkg/obscura_wasm_relaxed.js";
import { hasRelaxedSimd } from "./simd.js";

/** The build for a browser whose `WebAssembly.validate` is this. */
export function choose(validate) {
  return hasRelaxedSimd(validate) ? relaxed : plain;
}

export const engine = choose(WebAssembly.validate);
