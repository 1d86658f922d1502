// Records what the models that come with the page say about the pictures of tests/golden/pictograms,
// after one was trained anew: node scripts/pictograms/record-embedded.mjs, with target/release/obscura built.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = `${root}tests/golden/pictograms/`;
const run = (command, model, image, dtype, ...words) => {
  const options = ["--device", "cpu", "--json", "--dtype", dtype];
  const program = process.env.OBSCURA ?? `${root}target/release/obscura`;
  const printed = execFileSync(program, [command, `${root}www/models/${model}`, folder + image, ...words, ...options], { encoding: "utf8" });
  return JSON.parse(printed);
};
const say = (command, image, dtype, ...words) => run(command, "pictograms.gguf", image, dtype, ...words).text;
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

const texts = expected.flatMap(({ auto: { caption } }) => caption).concat("a dog", "a drawing of a horse", "two cats on a green ground");
const cosines = (image, dtype) => run("match", "pictograms-clip.gguf", image, dtype, ...texts).matches.map(({ similarity }) => similarity);
const pictures = questions.map(({ image }) => ({ image, auto: cosines(image, "auto"), f32: cosines(image, "f32") }));
writeFileSync(`${folder}beside.json`, `${JSON.stringify({ texts, pictures }, null, 1)}\n`);
