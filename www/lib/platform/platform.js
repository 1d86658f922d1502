// What a browser and Node.js, Bun and Deno do differently when they fetch, what relative addresses are
// relative to, and what errors can advise. lib/node/platform.js has others in place of these; everything else is
// the same.

export const platform = {
  fetch: (...request) => fetch(...request),
  base: () => globalThis.document?.baseURI ?? globalThis.location?.href,
  words: {
    model: "an address, a hub id such as 'owner/name', a file or files, a folder's handle, or bytes",
    picture:
      "a File, Blob, ArrayBuffer, typed array, URL, ImageData, ImageBitmap, VideoFrame, <img>, <canvas>, OffscreenCanvas, <video> or what decode() gave",
    noGpu: "WebGPU wants a browser that has it, a page of https or localhost, and a GPU that the browser trusts.",
    notKept: "This browser or window keeps no files, so the model is not kept for the next time.",
    noEngine: "Is pkg/ built and served as application/wasm?",
  },
};
