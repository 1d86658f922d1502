// decode(): a picture decoded once, without a model, for many calls.

import { Engine } from "../engine/bridge.js";
import { createDecoder, DecodedPicture } from "../pictures/decoded.js";
import { readPicture } from "../pictures/picture.js";
import { checkOptions } from "./options.js";

const decodeAlone = createDecoder(() => new Engine());

/** Decodes a picture once for many calls; see decode.d.ts. */
export async function decode(image, options) {
  const { signal, ...plain } = checkOptions("decode", options);
  if (image instanceof DecodedPicture) return image;
  return decodeAlone(async () => [await readPicture(image, signal), plain], signal);
}
