// candle's BLIP in WebAssembly (scripts/benchmark/candle), which captions greedily. It gets the reference's pixels.

const ADDRESS = "/bench/candle/pkg/benchmark_candle.js";
const FILES = { f32: "model.safetensors", q8: "q8_0.gguf", q4: "q4_0.gguf" };

/** @returns a runner: `run(work)` gives {times, result}. */
export async function open(model, { dtype }, expected) {
  const { default: start, Model } = await import(ADDRESS);
  await start();
  const bytes = async (address) => (await fetch(address)).arrayBuffer();
  const network = new Model(new Uint8Array(await bytes(`/bench/candle-model/${FILES[dtype]}`)), dtype !== "f32");
  const pixels = new Float32Array(await bytes("/bench/blip.f32"));
  const caption = async () => {
    const [began, arrivals, tokens] = [performance.now(), [], [30522]];
    network.see(pixels);
    while (tokens.length <= expected.tokens) {
      tokens.push(network.next(tokens.length >= expected.tokens));
      arrivals.push(performance.now() - began);
    }
    const token = (arrivals.at(-1) - arrivals[0]) / (arrivals.length - 1);
    return { times: { "blip-first-token": arrivals[0], "blip-token": token, "blip-caption": arrivals.at(-1) }, result: { tokens } };
  };
  return { info: {}, run: caption };
}
