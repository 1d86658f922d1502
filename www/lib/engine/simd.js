// What the browser's WebAssembly can do.

// A function that counts the bits of bytes, i8x16.popcnt.
const PLAIN = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11]);

// A function that multiplies and adds in one instruction, f32x4.relaxed_madd.
const RELAXED = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 0, 253, 15, 65, 0, 253, 15, 65, 0,
  253, 15, 253, 133, 2, 11,
]);

export function hasSimd() {
  return WebAssembly.validate(PLAIN);
}

/** Whether a browser has relaxed SIMD whose `WebAssembly.validate` is this. */
export function hasRelaxedSimd(validate = WebAssembly.validate) {
  return validate(RELAXED);
}
