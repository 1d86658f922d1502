// Whether a peer computed what the reference did: nobody is timed on other work.

const DIFFERENT = 0.8; // a cosine below this is neither a number format's error nor another way to resize

/** {cosine} | {tokens: [equal, all]} | {labels: [equal, all]}, and `wrong` where it is something else; null without a reference. */
export function check(work, result, expected) {
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
  return { [result.tokens ? "tokens" : "labels"]: agreement, wrong: found.length !== reference.length };
}

function referenceOf(work, result, { clip, blip }) {
  if (!clip) return null;
  const references = {
    "clip-image": clip.image,
    "clip-labels": clip.labels.best,
    "clip-classify": clip.labels.best,
    "blip-image": blip.image,
    "blip-caption": blip.caption,
    "blip-beam": blip.beam,
    "blip-answer": blip.answer,
  };
  if (work === "clip-text") return result.text === undefined || result.text === clip.text.text ? clip.text.vector : null;
  return references[work];
}

function cosine(a, b) {
  const dot = (x, y) => x.reduce((sum, value, place) => sum + value * y[place], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
