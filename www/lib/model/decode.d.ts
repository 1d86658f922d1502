import type { DecodedPicture } from "../pictures/decoded.js";
import type { PictureSource } from "../pictures/picture.js";
import type { DecodeOptions } from "./options.js";

/**
 * Decodes a picture once, so that it can be given to several calls and models. It needs no model: the
 * decoder runs in a worker of its own, which ends when it has had nothing to do for a while.
 */
export function decode(image: PictureSource, options?: DecodeOptions): Promise<DecodedPicture>;
