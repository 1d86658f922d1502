// Where the model looked: a map of weights over the picture's patches, drawn over the picture on the
// stage as light and shade, and said in words for those who do not see it.

import { element } from "./elements.js";

const SHADE = [13, 12, 9]; // what was not looked at lies in the dark
const DARKEST = 0.82; // of opacity

/** `map` has one weight for each of rows x columns patches, row by row. */
export function showHeat(heat) {
  const canvas = element("heat");
  fitToPicture(canvas);
  shade(canvas, heat);
  canvas.hidden = false;
}

/** Draws the picture with its map over it on a canvas of its own, `width` pixels wide at most. */
export function drawHeat(canvas, bitmap, heat, width = 480) {
  const scale = Math.min(1, width / bitmap.width);
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  shade(canvas, heat);
}

function shade(canvas, { rows, columns, map }) {
  const small = new OffscreenCanvas(columns, rows);
  const pixels = new ImageData(columns, rows);
  const [least, most] = extremes(map);
  for (const [place, weight] of map.entries()) {
    const share = most > least ? (weight - least) / (most - least) : 0;
    pixels.data.set([...SHADE, Math.round(255 * DARKEST * (1 - share))], 4 * place);
  }
  small.getContext("2d").putImageData(pixels, 0, 0);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width, canvas.height); // enlarged smoothly
}

export function hideHeat() {
  element("heat").hidden = true;
}

/** The canvas lies over what the picture covers of its box. */
function fitToPicture(canvas) {
  const image = element("picture");
  const style = getComputedStyle(image);
  const room = [image.clientWidth - 2 * Number.parseFloat(style.paddingLeft), image.clientHeight - 2 * Number.parseFloat(style.paddingTop)];
  const scale = Math.min(room[0] / image.naturalWidth, room[1] / image.naturalHeight);
  canvas.width = Math.round(image.naturalWidth * scale);
  canvas.height = Math.round(image.naturalHeight * scale);
}

function extremes(map) {
  return map.reduce(([least, most], weight) => [Math.min(least, weight), Math.max(most, weight)], [Infinity, -Infinity]);
}

/** "at the upper left", from where the largest weights lie. */
export function placeOf({ rows, columns, map }) {
  const [least, most] = extremes(map);
  let [sum, across, down] = [0, 0, 0];
  for (const [place, weight] of map.entries()) {
    const share = most > least ? ((weight - least) / (most - least)) ** 2 : 1;
    sum += share;
    across += share * (((place % columns) + 0.5) / columns);
    down += share * ((Math.floor(place / columns) + 0.5) / rows);
  }
  const third = (value, names) => names[Math.min(2, Math.floor((value / sum) * 3))];
  const [height, width] = [third(down, ["upper", "", "lower"]), third(across, ["left", "", "right"])];
  if (!height && !width) return "at the middle";
  return `at the ${[height || "middle", width].filter(Boolean).join(" ") || "middle"}`;
}

/** The mean of several maps of the same size. */
export function meanOf(maps) {
  return maps[0].map((_, place) => maps.reduce((sum, map) => sum + map[place], 0) / maps.length);
}
