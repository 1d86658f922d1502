// What api.mjs asks of the library, and run.mjs of the command line.

import { fileURLToPath } from "node:url";

const path = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** Tiny models with random weights: what they say is nonsense, and the same nonsense everywhere. */
export const CAPTIONER = path("tests/golden/blip-all/model");
export const ENCODER = path("tests/golden/clip-quick/model");
export const PICTURE = path("tests/pictures/landscape.png");
export const PHOTO = path("tests/pictures/photo.jpg");
export const LABELS = ["a cat", "two dogs", "a red house", "the sea"];
export const TEXTS = ["a cat", "two dogs"];
export const QUESTION = "what is it?";
