// Writes tests/golden/pictograms/expected.json: what the shipped model says about the pictures there,
// as shipped and in single precision. To be run when the model has been trained anew, never to make
// a test pass: node scripts/record-embedded.mjs

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = `${root}tests/golden/pictograms/`;
const model = `${root}www/models/pictograms.gguf`;
const questions = JSON.parse(readFileSync(`${folder}questions.json`, "utf8")); // {picture: question}

function obscura(...words) {
  const printed = execFileSync(`${root}target/release/obscura`, [...words, "--json"], { encoding: "utf8" });
  return printed.trim().split("\n").map((line) => JSON.parse(line));
}

function say(dtype) {
  return Object.entries(questions).map(([image, question]) => {
    const picture = folder + image;
    const [{ text, tokens }] = obscura("caption", model, picture, "--dtype", dtype);
    const [{ text: answer }] = obscura("answer", model, picture, "--question", question, "--dtype", dtype);
    return { image, text, tokens, question, answer };
  });
}

writeFileSync(`${folder}expected.json`, `${JSON.stringify({ shipped: say("auto"), f32: say("f32") }, null, 2)}\n`);
