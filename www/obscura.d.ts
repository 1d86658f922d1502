/**
 * CLIP and BLIP in the browser: captions, labels, answers and embeddings of pictures that stay on
 * the device. Every model runs in a worker of its own; the calls of one model run one after the
 * other, in the order in which they were made. Each file below lies beside what it describes.
 */

export * from "./lib/album/album.js";
export * from "./lib/cache/cache.js";
export * from "./lib/errors/error.js";
export * from "./lib/labels/label-set.js";
export * from "./lib/loading/chosen-files.js";
export * from "./lib/loading/describe-source.js";
export * from "./lib/loading/progress.js";
export * from "./lib/model/compare.js";
export * from "./lib/model/decode.js";
export * from "./lib/model/load.js";
export * from "./lib/model/model.js";
export * from "./lib/model/options.js";
export * from "./lib/model/results.js";
export * from "./lib/pictures/decoded.js";
export * from "./lib/pictures/picture.js";
export * from "./lib/pictures/video.js";
