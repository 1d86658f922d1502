// Alt texts as files: what is written is read back, whatever the texts hold. No browser is needed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { asCsv, asHtml, asJsonl, readTexts } from "../../../www/page/exchange.js";

const ENTRIES = [
  { file: "a b/dog.jpg", text: 'a "big" dog, running', given: "", probability: 0.91234 },
  { file: "cat.png", text: "two\nlines", given: "a cat", probability: null },
  { file: "naïve & co.webp", text: "<b>not bold</b>", given: "x", probability: 1 },
];
const TEXTS = new Map(ENTRIES.map(({ file, text }) => [file, text]));

test("a CSV file gives back what was written, quotes, commas and line breaks included", () => {
  assert.deepEqual(readTexts("texts.csv", asCsv(ENTRIES)), TEXTS);
  assert.match(asCsv(ENTRIES), /^file,text,given,probability\r\na b\/dog\.jpg,"a ""big"" dog, running",,0\.9123\r\n/);
});

test("a JSONL file gives back what was written", () => {
  assert.deepEqual(readTexts("texts.jsonl", asJsonl(ENTRIES)), TEXTS);
});

test("captions files of training are understood, and spreadsheets' CSV", () => {
  assert.deepEqual(readTexts("captions.jsonl", '{"image": "a.jpg", "captions": ["a dog", "dog"]}\n\n'), new Map([["a.jpg", "a dog"]]));
  assert.deepEqual(readTexts("captions.csv", "\ufeffimage,note,caption\na.jpg,1,a dog\n"), new Map([["a.jpg", "a dog"]]));
});

test("files that are something else are refused by their line", () => {
  assert.throws(() => readTexts("a.jsonl", '{"file": "a", "text": "b"}\nnot json'), /Line 2 is not JSON/);
  assert.throws(() => readTexts("a.jsonl", '{"file": "a"}'), /Line 1 lacks/);
  assert.throws(() => readTexts("a.csv", "name;text\na;b"), /names its columns/);
  assert.throws(() => readTexts("a.csv", ""), /names its columns/);
});

test("HTML is escaped, addresses are encoded", () => {
  const html = asHtml(ENTRIES);
  assert.ok(html.includes('<img src="a%20b/dog.jpg" alt="a &quot;big&quot; dog, running">'));
  assert.ok(html.includes('alt="&lt;b>not bold&lt;/b>"'));
  assert.ok(html.includes('src="na%C3%AFve%20%26%20co.webp"'));
});
