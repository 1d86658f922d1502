// Whether a peer computed what the reference did: nobody is timed on other work.

const DIFFERENT = 0.8; // a cosine below this is neither a number format's error nor another way to resize
const LEAST = 0.5; // of the best labels as many stay the same, whatever a number format's error ...
const COARSE = ["q4"]; // ... but one of 4 bits, where labels are as close to one another as with random weights

/**
 * {cosine} | {tokens: [equal, all]} | {labels: [equal, all]}, and `wrong` where it is something else; null without a reference.
 * @param {string} [dtype] the number format of the weights
 */
export function check(work, result, expected, dtype) {
  const reference = referenceOf(work, result, expected);
  if (!reference) return null;
  if (result.vector) {
    const similarity = cosine(result.vector, reference);
    return { cosine: similarity, wrong: !(similarity > DIFFERENT) };
  }
  const found = result.tokens ?? result.best ?? result.labels.map(({ label }) => label);
  // Tokens follow from those before them: what counts is how many are right in a row.
  const first = found.findIndex((one, place) => one !== reference[place]);
  const equal = result.tokens ? (first < 0 ? found.length : first) : found.filter((one) => reference.includes(one)).length;
  const agreement = [Math.min(equal, reference.length), reference.length];
  const wrong = found.length !== reference.length || (!result.tokens && !COARSE.includes(dtype) && equal < LEAST * reference.length);
  return { [result.tokens ? "tokens" : "labels"]: agreement, wrong };
}

function referenceOf(work, result, { clip, siglip, blip, texts }) {
  if (!clip) return null;
  const references = {
    "clip-image": clip.image,
    "clip-labels": clip.labels.best,
    "clip-classify": clip.labels.best,
    "siglip-image": siglip?.image,
    "blip-image": blip.image,
    "blip-caption": blip.caption,
    "blip-beam": blip.beam,
    "blip-answer": blip.answer,
  };
  // A peer that remembers texts gets another number in each round; the reference has the first round's.
  const isFirst = (text, pattern) => text === undefined || text === pattern.replace("{label}", "{}").replace("{number}", texts.first);
  if (result.best ?? result.labels) return isFirst(result.template, texts.template) ? references[work] : null;
  if (work === "clip-text") return isFirst(result.text, texts.text) ? clip.text.vector : null;
  if (work === "siglip-text") return isFirst(result.text, texts.text) ? siglip?.text.vector : null;
  return references[work];
}

function cosine(a, b) {
  const dot = (x, y) => x.reduce((sum, value, place) => sum + value * y[place], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
