// transformers.js on the same exports, used as its documentation does. It knows CLIP and SigLIP, and no BLIP. It prepares picture and
// texts itself; that is what its users get.

import { best, timed, unit } from "./shared.js";

const LIBRARY = "/bench/node_modules/@huggingface/transformers/dist/transformers.min.js";
const DIST = "/bench/node_modules/@huggingface/transformers/node_modules/onnxruntime-web/dist/";
const NAMES = { f32: "fp32", int8: "q8", q4: "q4" };
const BATCH = 50; // texts encoded at once, of similar lengths

/** @returns a runner: `run(work)` gives {times, result}. */
export async function open(model, { dtype, threads }, expected) {
  const { AutoProcessor, AutoTokenizer, RawImage, env, ...classes } = await import(LIBRARY);
  const isSiglip = model === "siglip";
  const [Vision, Text] = isSiglip
    ? [classes.SiglipVisionModel, classes.SiglipTextModel]
    : [classes.CLIPVisionModelWithProjection, classes.CLIPTextModelWithProjection];
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = "/bench/models/";
  env.useBrowserCache = false;
  Object.assign(env.backends.onnx.wasm, { wasmPaths: DIST, numThreads: threads });
  const name = expected.folders[model];
  const options = { device: "wasm", dtype: NAMES[dtype] };
  const [processor, tokenizer, vision, text] = [
    await AutoProcessor.from_pretrained(name),
    await AutoTokenizer.from_pretrained(name),
    await Vision.from_pretrained(name, options),
    await Text.from_pretrained(name, options),
  ];
  const picture = await RawImage.read("/bench/picture.png");
  const { names } = expected.clip.labels;
  const { texts } = expected;
  let number = texts.first;
  let known;

  const padding = isSiglip ? "max_length" : true;
  const vectors = (output) => (output.pooler_output ?? output.image_embeds ?? output.text_embeds).data;
  const image = async () => vectors(await vision(await processor(picture)));
  const embed = async (rows) => vectors(await text(tokenizer(rows, { padding, truncation: true, ...(isSiglip && { max_length: 64 }) })));
  const embedLabels = async () => {
    const sentences = names.map((label) => texts.template.replace("{label}", label).replace("{number}", texts.first));
    const places = names.map((_, place) => place).sort((a, b) => expected.clip.labels.ids[a].length - expected.clip.labels.ids[b].length);
    const vectors = [];
    for (let start = 0; start < places.length; start += BATCH) {
      const batch = places.slice(start, start + BATCH);
      const found = await embed(batch.map((place) => sentences[place]));
      const width = found.length / batch.length;
      batch.forEach((place, row) => (vectors[place] = unit(found.subarray(row * width, (row + 1) * width))));
    }
    return vectors;
  };
  const encodePicture = (work) => timed(work, async () => ({ vector: [...(await image())] }));
  const encodeText = (work) => {
    const sentence = texts.text.replace("{number}", number++);
    return timed(work, async () => ({ text: sentence, vector: [...(await embed([sentence]))] }));
  };
  const works = {
    "clip-image": () => encodePicture("clip-image"),
    "clip-text": () => encodeText("clip-text"),
    "siglip-image": () => encodePicture("siglip-image"),
    "siglip-text": () => encodeText("siglip-text"),
    "clip-labels": () =>
      timed("clip-labels", async () => {
        known = await embedLabels();
        return { best: best(await image(), known, names) };
      }),
    "clip-classify": async () => {
      known ??= await embedLabels();
      return timed("clip-classify", async () => ({ best: best(await image(), known, names) }));
    },
  };
  return { info: { version: env.version }, run: (work) => works[work]() };
}
