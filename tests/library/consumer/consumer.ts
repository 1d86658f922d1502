// What somebody writes in TypeScript; compiled under --strict, never run. A line marked as an error
// has to be one.

import { cache, compare, decode, labelSet, load, ObscuraError, openAlbum, openLabels, sampleFrames, type DecodedPicture, type Generated, type LoadOptions, type Model, type TextMatch } from "obscura";
import { fillAlt } from "obscura/alt";
import { ObscuraCaption } from "obscura/element";
import { load as loadInNode } from "obscura/node";
import { canRegisterTools, registerTools, tools, type FunctionTool, type Tools } from "obscura/tools";

const options: LoadOptions = {
  device: "auto",
  dtype: "q8",
  tasks: ["caption", "embed-text"],
  progress: (event) => {
    if (event.status === "progress_total") console.log(event.loaded / event.total, Object.keys(event.files));
    else if (event.status === "warning") console.warn(event.message);
  },
};

export async function everyCall(file: File, image: HTMLImageElement): Promise<void> {
  const model: Model = await load("Salesforce/blip-image-captioning-base", options);
  const family: "clip" | "chinese_clip" | "siglip" | "blip" | "coca" = model.info.family;
  const caption: Generated = await model.caption(file, { prompt: "a", numBeams: 3, onToken: (text: string, id: number) => console.log(text, id) });
  const labels = await model.classify(image, ["a cat", "a dog"], { template: "a photo of a {}" });
  const vector: Float32Array = await model.embed("a cat");
  const vectors: Float32Array[] = await model.embed([file, "a cat"], { normalize: false });
  const matches: TextMatch[] = await model.match(file, ["a cat"]);
  const written = await model.answer([file, file], "is it night?");
  const ranked = await model.answer(file, "is it night?", { answers: ["yes", "no"] });
  const probability: number | null = matches[0]!.probability;
  console.log(family, caption.tokens[0], labels[0]?.score, vector.length, vectors.length, written.text, ranked[0]?.text, probability);

  // @ts-expect-error an unknown option
  await model.caption(file, { numBeam: 3 });
  // @ts-expect-error not a device
  await load(undefined, { device: "gpu" });
  // @ts-expect-error a number is no picture
  await model.caption(1);
  await model.dispose();
}

export async function manyPictures(clip: Model, blip: Model, files: File[]): Promise<void> {
  const labels = await clip.embedLabels(labelSet("imagenet"), { template: "a photo of a {}." });
  const again = await openLabels(labels.toBlob());
  const picture: DecodedPicture = await decode(files[0]!);
  const [best] = await clip.classify(picture, again, { scores: "cosine", topK: 1 });
  const both = await compare({ clip, blip }, picture, { labels: ["a cat", "a dog"], numBeams: 3 });
  const filtered = await blip.filter(files, null, { threshold: 0.6, onResult: (place, { best }) => console.log(place, best) });
  console.log(best?.label, both.caption.text, both.labels[0]?.score, filtered[0]?.texts[0]?.reason);
  // @ts-expect-error not a label set
  await labelSet("animals");
}

export async function whereItLooked(blip: Model, clip: Model, video: HTMLVideoElement): Promise<void> {
  const frames: ImageBitmap[] = await sampleFrames(video, 4);
  const { attention, text } = await blip.caption(frames[0]!, { attention: true });
  const [match] = await blip.match(frames[0]!, [text], { attention: true });
  const vector: Float32Array = await blip.embed({ frames });
  const { states, width, ids } = await clip.embedTokens(text, { layer: -2, norm: false, pad: true });
  console.log(attention.rows, attention.tokens[0]?.map.length, match?.attention.map.length, vector.length, states.length / width, ids);
  // @ts-expect-error there only if it was asked for
  console.log((await blip.caption(frames[0]!)).attention.rows);
}

export async function album(model: Model, files: Map<string, File>): Promise<string | undefined> {
  const opened = await openAlbum("holidays", model, { picture: (key) => files.get(key) ?? null });
  for (const [name, file] of files) await opened.add(name, file);
  const [best] = await opened.search("a dog on a beach", { limit: 5, rerank: 0 });
  const { vectors, keys }: { vectors: Blob; keys: Blob } = await opened.export();
  await opened.import({ vectors, keys });
  await opened.close();
  return best?.key;
}

export async function elements(): Promise<void> {
  const element = document.querySelector("obscura-caption");
  element?.addEventListener("captioned", (event) => console.log(event.detail.text));
  element?.addEventListener("captionfailed", ({ detail }) => console.log(detail instanceof ObscuraError && detail.code));
  await element?.describe();
  console.log(element instanceof ObscuraCaption && element.caption?.text);
  const { stop } = fillAlt({ images: "main img", minimumSize: 64, ask: ({ name, bytes }) => confirm(`${name} ${bytes}?`), write: (text, image) => `${text} ${image.src}` });
  stop();
  // @ts-expect-error only these two
  fillAlt({ consent: "maybe" });
}

export async function inNode(): Promise<string> {
  const model = await loadInNode("models/blip.gguf", { device: "cpu" });
  const kept = await cache.list();
  console.log(kept.map(({ id, bytes }) => `${id} ${bytes}`));
  return (await model.caption("photo.jpg")).text;
}

export async function agents(model: Model, files: Map<string, File>): Promise<string> {
  const mine: Tools = tools(model, { open: (name) => files.get(name ?? "") ?? null, album: await openAlbum("holidays", model) });
  const definitions: FunctionTool[] = mine;
  const result = await mine.call("caption", '{"path": "beach.jpg"}', { signal: AbortSignal.timeout(1000) });
  if (canRegisterTools()) await registerTools(mine, { signal: new AbortController().signal });
  // @ts-expect-error not a list of tools
  await registerTools([]);
  return `${definitions[0]?.function.name} ${result.text}`;
}
