// A picture as pixels: decoded once, for as many calls and models as one likes. The pixels are those
// that obscura's own decoder made, so that every model sees what it would have seen anyway.

/** See decoded.d.ts. */
export class DecodedPicture {
  #rgb;

  /** @param {ArrayBuffer} rgb three bytes a pixel, row by row */
  constructor(rgb, width, height) {
    this.#rgb = rgb;
    this.width = width;
    this.height = height;
    Object.freeze(this);
  }

  /** Something to draw. */
  toImageData() {
    const image = emptyImage(this.width, this.height);
    const rgb = new Uint8Array(this.#rgb);
    for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
      image.data.set(rgb.subarray(from, from + 3), to);
      image.data[to + 3] = 255;
    }
    return image;
  }

  /** What crosses over to a worker, which gets a copy of it. */
  static read(picture) {
    return { rgb: picture.#rgb, width: picture.width, height: picture.height };
  }
}

/**
 * Outside of browsers a plain object of the same form.
 * @returns {ImageData}
 */
function emptyImage(width, height) {
  if (globalThis.ImageData) return new ImageData(width, height);
  return /** @type {any} */ ({ data: new Uint8ClampedArray(4 * width * height), width, height, colorSpace: "srgb" });
}

const IDLE_MS = 10_000;

/**
 * A function that decodes pictures without a model, in a worker of its own that ends when nothing is
 * left to do.
 * @param {() => {call: Function, terminate: Function}} start makes such a worker's engine
 */
export function createDecoder(start) {
  let engine = null;
  let running = 0;
  let idle;
  return async (prepare, signal) => {
    clearTimeout(idle);
    engine ??= start();
    const own = engine;
    running++;
    try {
      return toDecoded(await own.call("decode", prepare, { signal }));
    } finally {
      running--;
      if (own.isDead && engine === own) engine = null; // the next call starts anew
      else if (running === 0) idle = setTimeout(end, IDLE_MS);
      idle?.unref?.(); // in Node.js a program does not wait for it
    }
  };

  function end() {
    engine?.terminate(new Error("The decoder was idle."));
    engine = null;
  }
}

/** @param {{rgb: ArrayBuffer, width: number, height: number}} pixels as the worker sends them */
export function toDecoded({ rgb, width, height }) {
  return new DecodedPicture(rgb, width, height);
}
