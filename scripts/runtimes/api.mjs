// The library's calls, one after the other, in whatever runtime this is run by: what each gave goes to
// a file, which run.mjs compares with the command line.
//
//   RUNTIME api.mjs DEVICE RESULT-FILE

import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { cache, decode, deleteAlbum, labelSet, load, openAlbum, sampleFrames } from "../../www/node.js";
import { CAPTIONER, ENCODER, LABELS, PHOTO, PICTURE, QUESTION, TEXTS } from "./given.mjs";

const [device, file] = process.argv.slice(2);
const found = { errors: {} };
const warnings = [];
const options = { device, dtype: "f32", progress: ({ status, message }) => status === "warning" && warnings.push(message) };

const model = await load(CAPTIONER, options);
found.device = model.info.device;
found.adapter = model.info.adapter;
const streamed = [];
found.caption = await model.caption(PICTURE, { onToken: (text) => streamed.push(text) });
found.streamed = streamed.join("");
found.fromBytes = (await model.caption(await readFile(PICTURE))).text;
found.fromBlob = (await model.caption(new Blob([await readFile(PICTURE)]))).text;
found.classify = await model.classify(PICTURE, LABELS);
found.match = await model.match(PICTURE, TEXTS);
found.answer = await model.answer(PICTURE, QUESTION);
const decoded = await decode(PICTURE);
found.fromDecoded = (await model.caption(decoded)).text;
found.pixels = decoded.toImageData().data.length === 4 * decoded.width * decoded.height;
found.filter = (await model.filter([PICTURE], TEXTS.slice(0, 1), { seed: 1 })).length;

const clip = await load(ENCODER, options);
const vectors = await clip.embed([{ picture: PICTURE }, TEXTS[0]]);
found.embed = vectors.map((vector) => [...vector]);
found.states = (await clip.embedTokens(TEXTS[0])).ids;
found.labelSet = (await labelSet("imagenet")).labels.length;

const album = await openAlbum("runtime", clip);
found.persistent = album.persistent;
await album.add(PICTURE, { picture: PICTURE });
await album.add(PHOTO, new URL(`file://${PHOTO}`));
found.search = await album.search(TEXTS[0]);
found.exported = (await album.export()).vectors.size;
await album.close();
await deleteAlbum("runtime");

await failing("nothing there", load("./no-such-model.gguf"));
await failing("no model", load(fileURLToPath(import.meta.url)));
await failing("no source", load(7));
await failing("no picture", model.caption("no-such-picture.png"));
await failing("no address", model.caption("http://"));
await failing("nothing to see", model.caption({}));
await failing("a name as a text", clip.embed("photo.webp"));
await failing("no such task", clip.caption(PICTURE));
await failing("no such option", model.caption(PICTURE, { beams: 3 }));
await failing("no video", sampleFrames("video.webm"));
await failing("damaged", model.caption(new Uint8Array([1, 2, 3])));
const stop = new AbortController();
await failing("aborted", model.caption(PICTURE, { signal: stop.signal, onToken: () => stop.abort() }));
found.goesOn = (await model.caption(PICTURE)).text;
if (device === "cpu") await failing("no GPU", load(CAPTIONER, { device: "webgpu" }), { mayWork: true });

await Promise.all([model.dispose(), clip.dispose()]);
await failing("disposed of", model.caption(PICTURE));
found.kept = [await cache.list(), await cache.size()];
await cache.clear();
found.warnings = warnings;
await writeFile(file, JSON.stringify(found));

async function failing(what, promise, { mayWork = false } = {}) {
  const error = await promise.then((value) => (mayWork && value.dispose?.(), null), (error) => error);
  if (error || !mayWork) found.errors[what] = { code: error?.code, message: error?.message };
}
