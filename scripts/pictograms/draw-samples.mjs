// Draws the page's sample pictures, www/samples, out of openly licensed drawings, and the page's icons in
// www/icons. Their pairs of things are ones that the embedded model was never shown together.
//
//   scripts/pictograms/fetch && node scripts/pictograms/draw-samples.mjs [packages]      (default target/train/packages)
//
// Needs tests/browser/node_modules and Chromium, which renders the SVG.

import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const { chromium } = createRequire(join(ROOT, "tests/browser/"))("playwright-core");
const packages = process.argv[2] ?? join(ROOT, "target/train/packages");
const SIZE = 384;

// name, background, [package, icon, left, top, the longer side] in shares of the picture
const SCENES = [
  ["three-dogs", "#ffe05c", ["noto", "dog", 0.04, 0.36, 0.28], ["noto", "dog", 0.36, 0.35, 0.28], ["noto", "dog", 0.68, 0.37, 0.28]],
  ["house-bicycle", "#8fd08a", ["noto", "house", 0.06, 0.28, 0.38], ["noto", "bicycle", 0.53, 0.36, 0.42]],
  ["airplane-tree", "#7db4f5", ["fluent-emoji-flat", "airplane", 0.3, 0.06, 0.38], ["fluent-emoji-flat", "deciduous-tree", 0.29, 0.52, 0.42]],
  ["apple-horse", "#fafafa", ["noto", "red-apple", 0.08, 0.36, 0.34], ["noto", "horse", 0.52, 0.28, 0.42]],
  ["sun-umbrella", "#2f9150", ["fluent-emoji-flat", "sun", 0.3, 0.06, 0.38], ["fluent-emoji-flat", "umbrella", 0.31, 0.54, 0.4]],
  ["banana-dogs", "#4f8fe8", ["noto", "banana", 0.32, 0.06, 0.36], ["noto", "dog", 0.1, 0.58, 0.34], ["noto", "dog", 0.56, 0.57, 0.34]],
];

const icons = {};
for (const name of ["noto", "fluent-emoji-flat"]) icons[name] = JSON.parse(await readFile(join(packages, name, "icons.json"), "utf8"));

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage();
for (const [name, background, ...things] of SCENES) {
  const drawings = things.map(([set, icon, ...place]) => {
    const { body, width = icons[set].width, height = icons[set].height } = icons[set].icons[icon];
    return { body, box: `0 0 ${width ?? 16} ${height ?? 16}`, place };
  });
  const bytes = await page.evaluate(draw, { background, drawings, size: SIZE });
  await writeFile(join(ROOT, "www/samples", `${name}.webp`), Buffer.from(bytes));
  console.log(`${name}.webp: ${bytes.length} bytes`);
}
const svg = await readFile(join(ROOT, "www/icons/icon.svg"), "utf8");
for (const size of [192, 512]) {
  await page.setViewportSize({ width: size, height: size });
  await page.setContent(`<style>body{margin:0}svg{display:block;width:${size}px}</style>${svg}`);
  await page.screenshot({ path: join(ROOT, `www/icons/icon-${size}.png`), omitBackground: true });
}
await browser.close();

/** Runs in the browser: each drawing is cut to what is visible, then put in its place. */
async function draw({ background, drawings, size }) {
  const parts = drawings.map(({ body, box, place: [left, top, extent] }, number) => {
    const unique = body.replace(/(id="|url\(#|href="#)/g, `$1d${number}-`); // gradients must not get mixed up
    document.body.innerHTML = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box}" width="512" height="512"><g>${unique}</g></svg>`;
    const { x, y, width, height } = document.querySelector("g").getBBox();
    const scale = (extent * size) / Math.max(width, height);
    return `<g transform="translate(${left * size} ${top * size}) scale(${scale}) translate(${-x} ${-y})">${unique}</g>`;
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${size}" height="${size}"><rect width="100%" height="100%" fill="${background}"/>${parts.join("")}</svg>`;
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = new OffscreenCanvas(size, size);
  canvas.getContext("2d").drawImage(image, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/webp", quality: 0.9 });
  return [...new Uint8Array(await blob.arrayBuffer())];
}
