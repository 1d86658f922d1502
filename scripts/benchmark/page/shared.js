// What several runners do alike.

const LABELS = 5; // the best so many are compared

/** What `work` gives, and how long it took. */
export async function timed(name, work) {
  const began = performance.now();
  const result = await work();
  return { times: { [name]: performance.now() - began }, result };
}

/** A vector brought to length one. */
export function unit(vector) {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return vector.map((value) => value / length);
}

/** The names of the vectors nearest to the picture's. */
export function best(image, vectors, names) {
  const scores = vectors.map((vector, place) => {
    let sum = 0;
    for (let at = 0; at < vector.length; at++) sum += vector[at] * image[at];
    return [sum, names[place]];
  });
  return scores.sort(([a], [b]) => b - a).slice(0, LABELS).map(([, name]) => name);
}

/** The place of the largest number. */
export function likeliest(logits) {
  let place = 0;
  for (let at = 1; at < logits.length; at++) if (logits[at] > logits[place]) place = at;
  return place;
}

/**
 * One step of a beam search over texts of equal length.
 * @param {{score: number}[]} texts
 * @param {Float32Array} logits [texts, vocabulary]
 * @param {number | null} banned a token that may not come yet
 * @returns {{parent: number, id: number, score: number}[]} the best `beams`, best first
 */
export function bestTokens(texts, logits, beams, banned) {
  const vocabulary = logits.length / texts.length;
  const chosen = [];
  texts.forEach(({ score }, parent) => {
    const row = logits.subarray(parent * vocabulary, (parent + 1) * vocabulary);
    const largest = row[likeliest(row)];
    let sum = 0;
    for (let id = 0; id < vocabulary; id++) sum += Math.exp(row[id] - largest);
    const base = score - largest - Math.log(sum);
    for (let id = 0; id < vocabulary; id++) {
      if (id === banned || (chosen.length === beams && base + row[id] <= chosen.at(-1).score)) continue;
      chosen.push({ parent, id, score: base + row[id] });
      chosen.sort((a, b) => b.score - a.score).splice(beams);
    }
  });
  return chosen;
}
