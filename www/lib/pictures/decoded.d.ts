/**
 * A picture as pixels, upright and without transparency, as every model sees it. It is decoded no more,
 * whatever it is given to; each call's worker gets a copy of the pixels.
 */
export class DecodedPicture {
  private constructor();
  readonly width: number;
  readonly height: number;
  /** Something to draw; in Node.js, Bun and Deno a plain object of the same form, `{ data, width, height }` in RGBA. */
  toImageData(): ImageData;
}
