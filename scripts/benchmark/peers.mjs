// Who is measured, and what each can do. The first part of an id may stand for all that begin with it.

/** What is measured, by the model that it takes; a caption gives three times. */
export const WORKS = {
  clip: ["clip-image", "clip-text", "clip-labels", "clip-classify"],
  siglip: ["siglip-image", "siglip-text"],
  retrieval: ["blip-image"],
  caption: ["blip-caption", "blip-beam"],
  vqa: ["blip-answer"],
};

/** Metrics that a work's times are called by, beside its own name. */
export const METRICS_OF = { "blip-caption": ["blip-first-token", "blip-token", "blip-caption"] };

/** Works that take so long that they run only so often, without any to warm up. */
export const LONG = { "clip-labels": 2 };

/** Measured by opening pages anew: loads from localhost, and from navigation to the first caption with the model cached. */
export const OPENINGS = ["clip-load", "blip-load", "blip-cold"];

const ALL = Object.values(WORKS).flat();
const CLIP = [...WORKS.clip, ...WORKS.siglip]; // transformers.js has no BLIP
const PYTORCH = ALL.filter((work) => !WORKS.siglip.includes(work)); // which pytorch.py does not time
const CAPTION = ["blip-caption"]; // candle has neither beams nor answers for it
const ORT_WEBGPU = ALL.filter((work) => work !== "blip-beam"); // whose caches would have to come back from the GPU
const SLOW = { slow: true }; // measured once: tens of seconds here

const peer = (id, name, table, runner, options, works = ALL, more = {}) => ({ id, name, table, runner, options, works, ...more });

const obscura = (dtype, device = "cpu", library = "/obscura.js", threads = 1) => ({ dtype, device, library, threads });

const inThreads = (dtype, threads) => obscura(dtype, "cpu", "/obscura.js", threads);

const ort = (dtype, threads, device = "wasm") => ({ dtype, threads, device });

export const PEERS = [
  peer("obscura-q8", "obscura, q8", "cpu", "obscura", obscura("q8")),
  peer("obscura-q4", "obscura, q4", "cpu", "obscura", obscura("q4")),
  peer("obscura-f32", "obscura, f32", "cpu", "obscura", obscura("f32")),
  peer("obscura-q8-2t", "obscura, q8, 2 threads", "cpu", "obscura", inThreads("q8", 2)),
  peer("obscura-f32-2t", "obscura, f32, 2 threads", "cpu", "obscura", inThreads("f32", 2)),
  peer("ort-f32", "onnxruntime-web, f32", "cpu", "ort", ort("f32", 1)),
  peer("ort-int8", "onnxruntime-web, int8", "cpu", "ort", ort("int8", 1)),
  peer("ort-q4", "onnxruntime-web, 4-bit", "cpu", "ort", ort("q4", 1)),
  peer("ort-f32-2t", "onnxruntime-web, f32, 2 threads", "cpu", "ort", ort("f32", 2)),
  peer("ort-int8-2t", "onnxruntime-web, int8, 2 threads", "cpu", "ort", ort("int8", 2)),
  peer("ort-q4-2t", "onnxruntime-web, 4-bit, 2 threads", "cpu", "ort", ort("q4", 2)),
  peer("transformersjs-f32", "transformers.js, f32", "cpu", "transformersjs", { dtype: "f32", threads: 1 }, CLIP),
  peer("transformersjs-int8", "transformers.js, int8", "cpu", "transformersjs", { dtype: "int8", threads: 1 }, CLIP),
  peer("candle-f32", "candle, f32", "cpu", "candle", { dtype: "f32" }, CAPTION, SLOW),
  peer("candle-q8", "candle, Q8_0", "cpu", "candle", { dtype: "q8" }, CAPTION, SLOW),
  peer("candle-q4", "candle, Q4_0", "cpu", "candle", { dtype: "q4" }, CAPTION, SLOW),
  peer("obscura-webgpu-q8", "obscura, q8", "webgpu", "obscura", obscura("q8", "webgpu"), ALL, SLOW),
  peer("obscura-webgpu-f32", "obscura, f32", "webgpu", "obscura", obscura("f32", "webgpu"), ALL, SLOW),
  peer("ort-webgpu-f32", "onnxruntime-web, f32", "webgpu", "ort", ort("f32", 1, "webgpu"), ORT_WEBGPU, SLOW),
  peer("ort-webgpu-q4", "onnxruntime-web, 4-bit", "webgpu", "ort", ort("q4", 1, "webgpu"), ORT_WEBGPU, SLOW),
  peer("obscura-native-q8", "obscura, q8", "native", "obscura-native", { dtype: "q8" }),
  peer("obscura-native-f32", "obscura, f32", "native", "obscura-native", { dtype: "f32" }),
  peer("pytorch-f32", "PyTorch, f32, 2 threads", "native", "pytorch", { threads: 2 }, PYTORCH),
  peer("pytorch-f32-1t", "PyTorch, f32, 1 thread", "native", "pytorch", { threads: 1 }, PYTORCH),
];

/** With --against FOLDER: another build of www/, beside the one that is there. */
export const against = [
  peer("against-q8", "obscura, q8, the other build", "cpu", "obscura", obscura("q8", "cpu", "/against/obscura.js")),
  peer("against-webgpu-q8", "obscura, q8, the other build", "webgpu", "obscura", obscura("q8", "webgpu", "/against/obscura.js"), ALL, SLOW),
];

/** Peers whose id is one of `names` or begins with one, up to a hyphen. */
export function choosePeers(peers, names) {
  const chosen = (name) => {
    const exact = peers.filter(({ id }) => id === name);
    return exact.length > 0 ? exact : peers.filter(({ id }) => id.startsWith(`${name}-`));
  };
  for (const name of names) {
    if (chosen(name).length === 0) throw new Error(`no peer is called ${name}; there are ${peers.map(({ id }) => id).join(", ")}`);
  }
  return peers.filter((one) => names.some((name) => chosen(name).includes(one)));
}

/** Works that give one of `metrics`. */
export function chooseWorks(metrics) {
  const known = [...ALL, ...OPENINGS];
  return metrics.map((metric) => {
    const work = known.find((one) => one === metric || METRICS_OF[one]?.includes(metric));
    if (!work) throw new Error(`nothing is called ${metric}; there are ${[...known.flatMap((one) => METRICS_OF[one] ?? [one])].join(", ")}`);
    return work;
  });
}
