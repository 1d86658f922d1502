// CapFilt over pictures, one after another: each is read when its turn comes, and one that cannot be
// read does not keep the others from being done.

import { describe } from "../errors/describe.js";
import { ObscuraError } from "../errors/error.js";
import { readPicture } from "../pictures/picture.js";

/**
 * See Model.filter in model.d.ts.
 * @param {(picture, texts: string[], options: {threshold?: number, seed: number}) => Promise<object>} judge
 */
export async function filterPictures(judge, images, texts, { threshold, seed = 1, onResult, signal }) {
  if (!Array.isArray(images) || images.length === 0) {
    throw new ObscuraError("bad_input", `filter() takes a list of at least one picture, not ${describe(images)}.`);
  }
  const given = givenTexts(texts, images.length);
  const results = [];
  for (const [place, image] of images.entries()) {
    const result = await withoutLosingOthers(async () => {
      const picture = await readPicture(image, signal);
      return () => judge(picture, given[place], { threshold, seed: seed + place });
    });
    results.push(result);
    onResult?.(place, result);
  }
  return results;
}

/** Reading may fail for one picture, by its address or its bytes; any other error ends everything. */
async function withoutLosingOthers(read) {
  let reading = true;
  try {
    const judge = await read();
    reading = false;
    return await judge();
  } catch (error) {
    if (error.code !== "bad_image" && !(reading && error.code === "network")) throw error;
    return { texts: [], best: null, error };
  }
}

/** A list of texts for each picture. */
function givenTexts(texts, count) {
  if (texts === undefined || texts === null) return Array.from({ length: count }, () => []);
  if (!Array.isArray(texts) || texts.length !== count) {
    const found = Array.isArray(texts) ? `a list of ${texts.length}` : describe(texts);
    throw new ObscuraError("bad_input", `texts has an entry for each of the ${count} pictures; this is ${found}.`);
  }
  return texts.map((entry) => {
    const list = Array.isArray(entry) ? entry : [entry ?? ""];
    const wrong = list.find((text) => typeof text !== "string");
    if (wrong === undefined) return list.filter((text) => text.trim() !== "");
    throw new ObscuraError("bad_input", `Each entry of texts is a text, a list of texts or null, not ${describe(wrong)}.`);
  });
}
