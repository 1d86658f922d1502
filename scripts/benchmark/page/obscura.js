// obscura through its public module, as a page uses it: its model in a worker, the picture decoded once.

import { timed } from "./shared.js";

const PICTURE = "/bench/picture.png";

/** Makes the next load a first one. */
export async function forget({ library }) {
  const { cache } = await import(library);
  await cache.clear();
}

/** @returns a runner: `run(work)` gives {times, result}. */
export async function open(model, { dtype, device, threads, library }, expected) {
  const { load, decode, labelSet } = await import(library);
  const { texts } = expected;
  const tasks = { retrieval: ["embed-image"] }[model];
  const address = new URL(`/bench/models/${expected.folders[model]}/`, location).href;
  // A build to compare with may have no threads, and refuse the option.
  const withoutThreads = (error) => (error.code === "bad_input" ? load(address, { dtype, device, tasks }) : Promise.reject(error));
  const loaded = await load(address, { dtype, device, threads, tasks }).catch(withoutThreads);
  const picture = await decode(await (await fetch(PICTURE)).blob());
  const { labels: names } = await labelSet("imagenet");
  const labels = names.slice(0, expected.labels);
  // Texts that were encoded before are remembered, so that each round needs new ones.
  const next = { text: texts.first, template: texts.first };
  let encoded;

  const exactly = (tokens) => ({ minLength: tokens, maxNewTokens: tokens });
  const image = (name) => timed(name, async () => ({ vector: [...(await loaded.embed(picture))] }));
  const text = (name) => {
    const text = texts.text.replace("{number}", next.text++);
    return timed(name, async () => ({ text, vector: [...(await loaded.embed(text))] }));
  };
  const best = async ({ template, vectors }) => {
    const found = await loaded.classify(picture, vectors, { topK: 5 });
    return { template, best: found.map(({ label }) => label) };
  };
  const works = {
    "clip-image": () => image("clip-image"),
    "siglip-image": () => image("siglip-image"),
    "blip-image": () => image("blip-image"),
    "clip-text": () => text("clip-text"),
    "siglip-text": () => text("siglip-text"),
    "clip-labels": () => {
      const template = texts.template.replace("{label}", "{}").replace("{number}", next.template++);
      return timed("clip-labels", async () => {
        encoded = { template, vectors: await loaded.embedLabels(labels, { template }) };
        return best(encoded);
      });
    },
    "clip-classify": async () => {
      if (!encoded) await works["clip-labels"]();
      return timed("clip-classify", () => best(encoded));
    },
    "blip-caption": async () => {
      const began = performance.now();
      const arrivals = [];
      const onToken = (_, id) => id !== undefined && arrivals.push(performance.now() - began);
      const { tokens } = await loaded.caption(picture, { ...exactly(expected.tokens), onToken });
      const whole = performance.now() - began;
      const token = (arrivals.at(-1) - arrivals[0]) / (arrivals.length - 1);
      return { times: { "blip-first-token": arrivals[0], "blip-token": token, "blip-caption": whole }, result: { tokens } };
    },
    "blip-beam": () =>
      timed("blip-beam", async () => {
        const { tokens } = await loaded.caption(picture, { ...exactly(expected.tokens), numBeams: expected.beams });
        return { tokens };
      }),
    "blip-answer": () =>
      timed("blip-answer", async () => {
        const { tokens } = await loaded.answer(picture, texts.question, exactly(expected.answerTokens));
        return { tokens };
      }),
  };
  return { info: loaded.info, run: (work) => works[work]() };
}
