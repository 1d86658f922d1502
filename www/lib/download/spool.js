// Bytes kept for reading again, in blobs: a browser moves large ones to disk.

const PART_BYTES = 4 << 20;

export class Spool {
  length = 0;
  #parts = []; // Blobs of PART_BYTES each
  #chunks = []; // the part under way
  #pending = 0;

  append(bytes) {
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(bytes.length - at, PART_BYTES - this.#pending);
      this.#chunks.push(bytes.subarray(at, at + count));
      this.#pending += count;
      at += count;
      if (this.#pending === PART_BYTES) this.#closePart();
    }
    this.length += bytes.length;
  }

  /** Fills `bytes` with what was kept from `offset` on. */
  async fill(bytes, offset) {
    const last = this.#pending > 0 ? [new Blob(this.#chunks)] : [];
    const parts = [...this.#parts, ...last];
    for (let filled = 0; filled < bytes.length; ) {
      const at = offset + filled;
      const within = at % PART_BYTES;
      const part = parts[Math.floor(at / PART_BYTES)].slice(within, within + bytes.length - filled);
      bytes.set(new Uint8Array(await part.arrayBuffer()), filled);
      filled += part.size;
    }
  }

  #closePart() {
    this.#parts.push(new Blob(this.#chunks));
    this.#chunks = [];
    this.#pending = 0;
  }
}
