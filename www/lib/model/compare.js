// Two models on the same picture: CLIP says which label fits, BLIP what it sees. The picture is
// decoded once, and both look at it at the same time, each in its worker.

import { describe } from "../errors/describe.js";
import { ObscuraError } from "../errors/error.js";
import { DecodedPicture } from "../pictures/decoded.js";
import { checkOptions } from "./options.js";

const LABEL_OPTIONS = ["template", "templates", "scores", "topK", "progress"];

/** Two models, one call; see compare.d.ts. */
export async function compare({ clip, blip } = {}, image, given) {
  const { labels, signal, ...options } = checkOptions("compare", given);
  checkModel("clip", clip, "classify");
  checkModel("blip", blip, "caption");
  if (labels === undefined) throw new ObscuraError("bad_input", "compare() needs labels for CLIP to choose among.");
  const picture = image instanceof DecodedPicture ? image : await clip.decode(image, { signal });
  const failed = new AbortController(); // one failure ends the other's work, too
  const shared = { signal: signal ? AbortSignal.any([signal, failed.signal]) : failed.signal };
  const isOfLabels = ([name]) => LABEL_OPTIONS.includes(name);
  const entries = Object.entries(options);
  const forLabels = Object.fromEntries(entries.filter(isOfLabels));
  const forCaption = Object.fromEntries(entries.filter((entry) => !isOfLabels(entry)));
  try {
    const [found, caption] = await Promise.all([
      clip.classify(picture, labels, { ...forLabels, ...shared }),
      blip.caption(picture, { ...forCaption, ...shared }),
    ]);
    return { labels: found, caption };
  } catch (error) {
    failed.abort();
    throw error;
  }
}

function checkModel(name, model, task) {
  if (typeof model?.[task] !== "function") {
    throw new ObscuraError("bad_input", `compare() takes {clip, blip}, two loaded models; ${name} is ${describe(model)}.`);
  }
}
