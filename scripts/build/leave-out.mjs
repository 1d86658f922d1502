// Empties functions of a wasm that nothing here can reach, so that wasm-opt drops them with all that only
// they call: node scripts/build/leave-out.mjs FILE. The file keeps its names, which say what is what.
//
// Burn decides at run time, for each operation, whether a tensor is of its own quantized kind, and so links
// all code for that kind, a quarter of the wasm. No such tensor is ever made here: quantized weights
// are words that our own kernels read. Should one of these functions be called after all, it traps; the
// browser tests run what this has made.

import { readFileSync, writeFileSync } from "node:fs";

const UNREACHABLE = [
  /::ops::qtensor::/, // what Burn's backends do with quantized tensors
  /burn_cubecl::kernel::quantization::/,
  /_quantized::h[0-9a-f]+$/,
  /cubecl_std::quant::/, // and the kernels' side of it
];

const IMPORTS = 2;
const CODE = 10;
const CUSTOM = 0;
const BODY = Buffer.from([3, 0, 0x00, 0x0b]); // of 3 bytes: no locals, unreachable, end

/** Reads a wasm from a place on. */
class Reader {
  constructor(bytes, at) {
    Object.assign(this, { bytes, at });
  }
  byte() {
    return this.bytes[this.at++];
  }
  /** An unsigned LEB128. */
  number() {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
  text() {
    const length = this.number();
    this.at += length;
    return this.bytes.toString("utf8", this.at - length, this.at);
  }
  limits() {
    const hasMost = this.byte() & 1;
    this.number();
    if (hasMost) this.number();
  }
}

function leb(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return Buffer.from([...bytes, value]);
}

function sectionsOf(wasm) {
  if (wasm.toString("latin1", 0, 4) !== "\0asm") throw new Error("not a wasm file");
  const reader = new Reader(wasm, 8);
  const sections = [];
  while (reader.at < wasm.length) {
    const id = reader.byte();
    const length = reader.number();
    sections.push({ id, start: reader.at, end: reader.at + length });
    reader.at += length;
  }
  return sections;
}

/** How many functions are imported: these are numbered first. */
function importedFunctions(wasm, section) {
  const reader = new Reader(wasm, section.start);
  let functions = 0;
  for (let left = reader.number(); left > 0; left--) {
    reader.text();
    reader.text();
    const kind = reader.byte();
    if (kind === 0) functions++;
    if (kind === 0) reader.number();
    else if (kind === 1) reader.byte(), reader.limits();
    else if (kind === 2) reader.limits();
    else if (kind === 3) reader.byte(), reader.byte();
    else throw new Error(`an import of kind ${kind}, which is not known here`);
  }
  return functions;
}

/** The names of functions by number, from the custom section "name". */
function namesOf(wasm, sections) {
  const names = new Map();
  for (const { id, start, end } of sections) {
    const reader = new Reader(wasm, start);
    if (id !== CUSTOM || reader.text() !== "name") continue;
    while (reader.at < end) {
      const kind = reader.byte();
      const next = reader.number() + reader.at;
      if (kind === 1) for (let left = reader.number(); left > 0; left--) names.set(reader.number(), reader.text());
      reader.at = next;
    }
  }
  return names;
}

function emptied(wasm) {
  const sections = sectionsOf(wasm);
  const names = namesOf(wasm, sections);
  const first = importedFunctions(wasm, sections.find(({ id }) => id === IMPORTS));
  const used = new Set();
  let count = 0;
  const parts = sections.map(({ id, start, end }) => {
    if (id !== CODE) return [Buffer.from([id]), leb(end - start), wasm.subarray(start, end)];
    const reader = new Reader(wasm, start);
    const total = reader.number();
    const bodies = [leb(total)];
    for (let index = first; index < first + total; index++) {
      const begin = reader.at;
      const size = reader.number();
      reader.at += size;
      const pattern = UNREACHABLE.find((pattern) => pattern.test(names.get(index) ?? ""));
      if (pattern) used.add(pattern), count++;
      bodies.push(pattern ? BODY : wasm.subarray(begin, reader.at));
    }
    const code = Buffer.concat(bodies);
    return [Buffer.from([id]), leb(code.length), code];
  });
  const idle = UNREACHABLE.filter((pattern) => !used.has(pattern));
  if (idle.length > 0) throw new Error(`no function is called ${idle.join(", ")}: has Burn changed?`);
  return { count, wasm: Buffer.concat([wasm.subarray(0, 8), ...parts.flat()]) };
}

const [file] = process.argv.slice(2);
if (!file) throw new Error("usage: node scripts/build/leave-out.mjs FILE");
const { count, wasm } = emptied(readFileSync(file));
writeFileSync(file, wasm);
console.log(`emptied ${count} functions that cannot be called`);
