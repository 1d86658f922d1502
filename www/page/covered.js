// Where CLIP finds a label. It looks at no place in particular, so the picture is covered, one place after another:
// where that takes most of the likeness away, there the label was (Zeiler and Fergus, arXiv 1311.2901).

const QUICK_MS = 300; // for one look: then there are many
const SLOW_MS = 1500; // then there are none
const [MANY, FEW] = [6, 4]; // places in a row and in a column

/** How many places in a row a picture is covered at, for a model that takes so long for a look; 0: none. */
export function placesFor(milliseconds) {
  if (milliseconds < QUICK_MS) return MANY;
  return milliseconds < SLOW_MS ? FEW : 0;
}

/** {rows, columns, map}: how much less the picture is like the text with each place covered, 0 at least. */
export async function coveredMap(clip, bitmap, text, places, signal) {
  const [whole, ...covered] = await clip.embed([...(await coveredPictures(bitmap, clip.info.imageSize, places))], { signal });
  const words = await clip.embed({ text }, { signal });
  const likeness = (vector) => vector.reduce((sum, value, place) => sum + value * words[place], 0);
  const map = covered.map((vector) => Math.max(0, likeness(whole) - likeness(vector)));
  return { rows: places, columns: places, map };
}

/** The picture, and then with a patch over each place, a third of its width and height with many of them. */
async function coveredPictures(bitmap, side, places) {
  const scale = Math.min(1, side / Math.min(bitmap.width, bitmap.height));
  const [width, height] = [Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale))];
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  const draw = () => context.drawImage(bitmap, 0, 0, width, height);
  const read = () => context.getImageData(0, 0, width, height);
  draw();
  const pictures = [read()];
  context.fillStyle = meanColour(pictures[0]);
  for (let place = 0; place < places * places; place++) {
    if (place % places === 0) await new Promise((next) => setTimeout(next)); // the page goes on
    const [across, down] = [((place % places) - 0.5) / places, (Math.floor(place / places) - 0.5) / places];
    draw();
    context.fillRect(across * width, down * height, (2 * width) / places, (2 * height) / places);
    pictures.push(read());
  }
  return pictures;
}

function meanColour({ data }) {
  const sums = [0, 0, 0];
  for (let at = 0; at < data.length; at += 4) for (let channel = 0; channel < 3; channel++) sums[channel] += data[at + channel];
  return `rgb(${sums.map((sum) => Math.round((4 * sum) / data.length)).join(" ")})`;
}
