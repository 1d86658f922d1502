// Which files are pictures: the page's rule against the cases that hold the command line's, too.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { isLeftOut, isPicture, namesPicture, picturesAmong } from "../../../www/lib/pictures/picture-files.js";

const cases = JSON.parse(await readFile(new URL("../../golden/picture-files.json", import.meta.url)));

test("the page takes the files that the command line takes", () => {
  assert.ok(cases.length > 30);
  for (const [path, start, expected] of cases) {
    const parts = path.split("/");
    const taken = !parts.some(isLeftOut) && isPicture(parts.at(-1), start);
    assert.equal(taken, expected, path);
  }
});

test("chosen files are looked into, and keep their order", async () => {
  const files = cases.map(([path, start]) => {
    const bytes = Uint8Array.from(start, (byte) => byte.charCodeAt(0));
    return Object.assign(new File([bytes], path.split("/").at(-1)), { path });
  });
  const expected = cases.filter(([, , taken]) => taken).map(([path]) => path);
  assert.deepEqual((await picturesAmong(files)).map(({ path }) => path), expected);
});

test("a text that names a picture file is told from one that says something", () => {
  const names = ["photo.webp", "./photo.jpg", "C:\\Pictures\\beach day.JPEG", "my photos/1.avif", " a.png ", "https://x.org/a.jpg?width=3#top", "data:image/png;base64,AAAA", "blob:https://x.org/1-2-3"];
  for (const name of names) assert.ok(namesPicture(name), name);
  const texts = ["a photo of a dog", "png", ".png", "from .jpg to .png", "the end.", "v1.2", "a.jpg is a file", "", "photo.webp\nand more", "https://x.org/?picture=a.jpg"];
  for (const text of texts) assert.ok(!namesPicture(text), text);
});
