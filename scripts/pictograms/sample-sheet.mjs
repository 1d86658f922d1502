// The page of scripts/pictograms/sample-sheet, on standard output: each picture with the model's caption, and its
// answer to the picture's first question.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const COUNT = 24;
const [model, folder] = process.argv.slice(2);
const lines = (name) => readFileSync(join(folder, name), "utf8").trim().split("\n").map((line) => JSON.parse(line));
const obscura = (...words) => {
  const printed = execFileSync(process.env.OBSCURA, [...words, "--json"], { encoding: "utf8" });
  return printed.trim().split("\n").map((line) => JSON.parse(line));
};
const escaped = (text) => text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);

const pictures = lines("captions.jsonl").slice(0, COUNT);
const questions = lines("questions.jsonl");
const captions = obscura("caption", model, ...pictures.map((picture) => join(folder, picture.image)));

const cards = pictures.map((picture, place) => {
  const { question, answer } = questions.find((one) => one.image === picture.image);
  const [said] = obscura("answer", model, join(folder, picture.image), "--question", question);
  const verdict = said.text === answer ? "right" : `wrong: ${escaped(answer)}`;
  return `<figure>
    <img src="${pathToFileURL(join(folder, picture.image))}" alt="">
    <figcaption><b>${escaped(captions[place].text)}</b><br>
      ${escaped(question)} <i>${escaped(said.text)}</i> <small>(${verdict})</small></figcaption>
  </figure>`;
});
console.log(`<!doctype html><meta charset="utf-8"><style>
  body { margin: 16px; display: grid; grid-template-columns: repeat(6, 1fr); gap: 16px; font: 14px/1.35 sans-serif; }
  figure { margin: 0; }
  img { width: 100%; image-rendering: pixelated; border: 1px solid #ccc; }
  small { color: #666; }
</style>${cards.join("\n")}`);
