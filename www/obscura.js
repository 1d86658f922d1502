// The public module: CLIP and BLIP behind promises. Each model lives in a worker of its own
// (lib/engine/worker.js), which lib/engine/bridge.js hands one call at a time. Types: obscura.d.ts.

export { deleteAlbum, openAlbum } from "./lib/album/album.js";
export { cache } from "./lib/cache/cache.js";
export { ObscuraError } from "./lib/errors/error.js";
export { LabelSet, labelSet, openLabels } from "./lib/labels/label-set.js";
export { droppedFiles } from "./lib/loading/chosen-files.js";
export { compare } from "./lib/model/compare.js";
export { decode } from "./lib/model/decode.js";
export { load } from "./lib/model/load.js";
export { DecodedPicture } from "./lib/pictures/decoded.js";
export { sampleFrames } from "./lib/pictures/video.js";
