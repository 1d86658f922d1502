// onnxruntime-web on the exports of scripts/benchmark/export.py, used as its documentation advises: weights by address,
// all graph optimizations, the cache as inputs and outputs (on WebGPU it stays there), the decoding loop in JavaScript.
// It gets the reference's pixels and ids, so that neither picture nor text costs it anything beside the network.

import { best, bestTokens, likeliest, timed, unit } from "./shared.js";

const DIST = "/bench/node_modules/onnxruntime-web/dist/";
const SUFFIX = { f32: "", int8: "_quantized", q4: "_q4" };
const BATCH = 50; // texts encoded at once, of similar lengths

/** @returns a runner: `run(work)` gives {times, result}. */
export async function open(model, { dtype, device, threads }, expected) {
  const onGpu = device === "webgpu";
  const ort = await import(`${DIST}ort.${onGpu ? "webgpu" : "wasm"}.bundle.min.mjs`);
  ort.env.wasm.wasmPaths = DIST;
  ort.env.wasm.numThreads = threads;
  const session = (folder, name, options) =>
    ort.InferenceSession.create(`/bench/models/${expected.folders[folder]}/onnx/${name}${SUFFIX[dtype]}.onnx`, {
      executionProviders: [onGpu ? "webgpu" : "wasm"],
      graphOptimizationLevel: "all",
      ...options,
    });
  const onDevice = onGpu ? { preferredOutputLocation: "gpu-buffer" } : {};
  const integers = (ids, dims) => new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), dims);
  const pixels = async (name, side) => new ort.Tensor("float32", new Float32Array(await (await fetch(`/bench/${name}.f32`)).arrayBuffer()), [1, 3, side, side]);
  const works = model === "clip" ? await clip() : model === "siglip" ? await siglip() : await blip();
  return { info: { ...ort.env.versions, threads }, run: (work) => works[work]() };

  /** A picture's vector, and those of texts whose ids are equally many. */
  async function encoders(family, side) {
    const [images, texts] = [await session(family, "vision_model"), await session(family, "text_model")];
    const picture = await pixels(family, side);
    const run = async (encoder, inputs) => Object.values(await encoder.run(inputs))[0].data; // the one output of each
    return {
      image: () => run(images, { pixel_values: picture }),
      embed: (rows) => run(texts, { input_ids: integers(rows.flat(), [rows.length, rows[0].length]) }),
    };
  }

  async function siglip() {
    const { image, embed } = await encoders("siglip", 256);
    return {
      "siglip-image": () => timed("siglip-image", async () => ({ vector: [...(await image())] })),
      "siglip-text": () => timed("siglip-text", async () => ({ vector: [...(await embed([expected.siglip.text.ids]))] })),
    };
  }

  async function clip() {
    const { image, embed: embedAlike } = await encoders("clip", 224);
    const { names, ids } = expected.clip.labels;
    const places = names.map((_, place) => place).sort((a, b) => ids[a].length - ids[b].length);
    let known;

    const embed = async (rows) => {
      const longest = Math.max(...rows.map((row) => row.length));
      return embedAlike(rows.map((row) => [...row, ...Array(longest - row.length).fill(0)]));
    };
    const embedLabels = async () => {
      const vectors = [];
      for (let start = 0; start < places.length; start += BATCH) {
        const batch = places.slice(start, start + BATCH);
        const found = await embed(batch.map((place) => ids[place]));
        const width = found.length / batch.length;
        batch.forEach((place, row) => (vectors[place] = unit(found.subarray(row * width, (row + 1) * width))));
      }
      return vectors;
    };
    return {
      "clip-image": () => timed("clip-image", async () => ({ vector: [...(await image())] })),
      "clip-text": () => timed("clip-text", async () => ({ vector: [...(await embed([expected.clip.text.ids]))] })),
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
  }

  async function blip() {
    const vision = await session("caption", "vision", { preferredOutputLocation: onGpu ? { states: "gpu-buffer" } : undefined });
    const picture = await pixels("blip", 384);
    if (model === "retrieval") {
      return { "blip-image": () => timed("blip-image", async () => {
        const { states, image_embeds } = await vision.run({ pixel_values: picture });
        const vector = [...image_embeds.data];
        states.dispose();
        return { vector };
      }) };
    }
    const contexts = await session("caption", "context", onDevice);
    const cached = Array.from({ length: 12 }, (_, layer) => ["key", "value"].map((kind) => `${kind}.${layer}`)).flat();
    const outputs = onGpu ? Object.fromEntries(cached.map((name) => [`present.${name}`, "gpu-buffer"])) : undefined;
    const decoder = await session("caption", "decoder", { preferredOutputLocation: outputs });
    const question = model === "vqa" ? await session("vqa", "question", onDevice) : null;
    const [start, stop] = [30522, 102];
    const dispose = (tensors) => Object.values(tensors).forEach((tensor) => tensor.dispose());

    const empty = () => Object.fromEntries(cached.map((name) => [`past.${name}`, new ort.Tensor("float32", new Float32Array(0), [1, 12, 0, 64])]));
    /** Logits after the last token of each text, and the cache with it in. */
    const next = async (last, past, context) => {
      const { logits, ...present } = await decoder.run({ input_ids: integers(last, [last.length, 1]), ...past, ...context });
      dispose(past);
      return { logits: logits.data, past: Object.fromEntries(cached.map((name) => [`past.${name}`, present[`present.${name}`]])) };
    };
    const see = async () => {
      const { states } = await vision.run({ pixel_values: picture });
      return states;
    };
    const attendTo = async (states) => {
      const context = await contexts.run({ states });
      states.dispose();
      return context;
    };
    const greedy = async (context, tokens, onToken = () => {}) => {
      const ids = [start];
      let [past, logits] = [empty()];
      while (ids.length <= tokens) {
        ({ logits, past } = await next([ids.at(-1)], past, context));
        if (ids.length < tokens) logits[stop] = -Infinity;
        ids.push(likeliest(logits));
        onToken();
      }
      dispose(past);
      dispose(context);
      return ids;
    };
    const beams = async (context, tokens) => {
      let [texts, past] = [[{ ids: [start], score: 0 }], empty()];
      for (let length = 1; length <= tokens; length++) {
        const found = await next(texts.map(({ ids }) => ids.at(-1)), past, context);
        const chosen = bestTokens(texts, found.logits, expected.beams, length < tokens ? stop : null);
        past = Object.fromEntries(Object.entries(found.past).map(([name, tensor]) => [name, rows(tensor, chosen.map(({ parent }) => parent))]));
        dispose(found.past);
        texts = chosen.map(({ parent, id, score }) => ({ ids: [...texts[parent].ids, id], score }));
      }
      dispose(past);
      return texts[0].ids;
    };
    const rows = (tensor, parents) => {
      const [, ...dims] = tensor.dims;
      const size = dims.reduce((product, count) => product * count, 1);
      const data = new Float32Array(parents.length * size);
      parents.forEach((parent, row) => data.set(tensor.data.subarray(parent * size, (parent + 1) * size), row * size));
      return new ort.Tensor("float32", data, [parents.length, ...dims]);
    };
    return {
      "blip-caption": async () => {
        const began = performance.now();
        const arrivals = [];
        const tokens = await greedy(await attendTo(await see()), expected.tokens, () => arrivals.push(performance.now() - began));
        const token = (arrivals.at(-1) - arrivals[0]) / (arrivals.length - 1);
        return { times: { "blip-first-token": arrivals[0], "blip-token": token, "blip-caption": performance.now() - began }, result: { tokens } };
      },
      "blip-beam": () => timed("blip-beam", async () => ({ tokens: await beams(await attendTo(await see()), expected.tokens) })),
      "blip-answer": () =>
        timed("blip-answer", async () => {
          const ids = expected.blip.question;
          const states = await see();
          const found = await question.run({ input_ids: integers(ids, [1, ids.length]), states });
          states.dispose();
          return { tokens: await greedy(await attendTo(found.question), expected.answerTokens) };
        }),
    };
  }
}
