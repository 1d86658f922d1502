// Records what the model that comes with the page says about the pictures of tests/golden/pictograms,
// after it was trained anew: node scripts/pictograms/record-embedded.mjs, with target/release/obscura built.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = `${root}tests/golden/pictograms/`;
const say = (command, image, dtype, ...words) => {
  const options = ["--device", "cpu", "--json", "--dtype", dtype, ...words];
  const model = `${root}www/models/pictograms.gguf`;
  const printed = execFileSync(`${root}target/release/obscura`, [command, model, folder + image, ...options], { encoding: "utf8" });
  return JSON.parse(printed).text;
};
const textsOf = (image, question, dtype) => ({
  caption: say("caption", image, dtype),
  answer: say("answer", image, dtype, "--question", question),
});
const questions = JSON.parse(readFileSync(`${folder}questions.json`, "utf8"));
const expected = questions.map(({ image, question }) => ({
  image,
  question,
  auto: textsOf(image, question, "auto"),
  f32: textsOf(image, question, "f32"),
}));
writeFileSync(`${folder}expected.json`, `${JSON.stringify(expected, null, 2)}\n`);
