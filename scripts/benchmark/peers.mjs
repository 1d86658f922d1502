// Who is measured, and what each can do. The first part of an id may stand for all that begin with it.

/** What is measured, by the model that it takes; a caption gives three times. */
export const WORKS = {
  clip: ["clip-image", "clip-text", "clip-labels", "clip-classify"],
  retrieval: ["blip-image"],
  caption: ["blip-caption", "blip-beam"],
  vqa: ["blip-answer"],
};

/** Metrics that a work's times are called by, beside its own name. */
export const METRICS_OF = { "blip-caption": ["blip-first-token", "blip-token", "blip-caption"] };

/** Measured by opening pages anew: loads from localhost, and from navigation to the first caption with the model cached. */
export const OPENINGS = ["clip-load", "blip-load", "blip-cold"];

const CLIP = WORKS.clip;
const ALL = Object.values(WORKS).flat();

const peer = (id, name, table, runner, options, works = ALL, more = {}) => ({ id, name, table, runner, options, works, ...more });

const obscura = (dtype, device = "cpu", library = "/obscura.js") => ({ dtype, device, library });

const ort = (dtype, threads, device = "wasm") => ({ dtype, threads, device });

export const PEERS = [
  peer("obscura-q8", "obscura, q8", "cpu", "obscura", obscura("q8")),
  peer("obscura-q4", "obscura, q4", "cpu", "obscura", obscura("q4")),
  peer("obscura-f32", "obscura, f32", "cpu", "obscura", obscura("f32")),
  peer("ort-f32", "onnxruntime-web, f32", "cpu", "ort", ort("f32", 1)),
  peer("ort-int8", "onnxruntime-web, int8", "cpu", "ort", ort("int8", 1)),
  peer("ort-q4", "onnxruntime-web, 4-bit", "cpu", "ort", ort("q4", 1)),
  peer("ort-f32-2t", "onnxruntime-web, f32, 2 threads", "cpu", "ort", ort("f32", 2)),
  peer("ort-int8-2t", "onnxruntime-web, int8, 2 threads", "cpu", "ort", ort("int8", 2)),
  peer("ort-q4-2t", "onnxruntime-web, 4-bit, 2 threads", "cpu", "ort", ort("q4", 2)),
  peer("obscura-webgpu-q8", "obscura, q8", "webgpu", "obscura", obscura("q8", "webgpu"), ALL, { slow: true }),
  peer("obscura-native-q8", "obscura, q8", "native", "obscura-native", { dtype: "q8" }),
  peer("obscura-native-f32", "obscura, f32", "native", "obscura-native", { dtype: "f32" }),
  peer("pytorch-f32", "PyTorch, f32, 2 threads", "native", "pytorch", { threads: 2 }),
  peer("pytorch-f32-1t", "PyTorch, f32, 1 thread", "native", "pytorch", { threads: 1 }),
];

/** With --against FOLDER: another build of www/, beside the one that is there. */
export const against = [
  peer("against-q8", "obscura, q8, the other build", "cpu", "obscura", obscura("q8", "cpu", "/against/obscura.js")),
  peer("against-webgpu-q8", "obscura, q8, the other build", "webgpu", "obscura", obscura("q8", "webgpu", "/against/obscura.js"), ALL, { slow: true }),
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
