import type { DecodedPicture } from "./decoded.js";

/**
 * A picture. Encoded pictures (PNG, JPEG, WebP, GIF, BMP) are decoded by obscura itself and give the
 * same pixels in every browser; other formats, such as AVIF, and forms of these five that obscura
 * does not support go through the browser's decoder, whose pixels may differ by browser. An
 * `<img>` is read from the cache by its address, and drawn where that is not possible. Buffers are
 * copied, never taken away from the caller. Canvases, video and bitmaps are read at the moment of
 * the call.
 */
export type PictureSource =
  | Blob // a File, too
  | ArrayBuffer
  | ArrayBufferView
  | string // an address
  | URL
  | ImageData
  | ImageBitmap
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement
  | VideoFrame
  | DecodedPicture; // what decode() gave
