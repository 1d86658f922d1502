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

export const PEERS = [
  peer("obscura-q8", "obscura, q8", "cpu", "obscura", obscura("q8")),
  peer("obscura-q4", "obscura, q4", "cpu", "obscura", obscura("q4")),
  peer("obscura-f32", "obscura, f32", "cpu", "obscura", obscura("f32")),
  peer("obscura-webgpu-q8", "obscura, q8", "webgpu", "obscura", obscura("q8", "webgpu"), ALL, { slow: true }),
  peer("obscura-native-q8", "obscura, q8", "native", "obscura-native", { dtype: "q8" }),
  peer("obscura-native-f32", "obscura, f32", "native", "obscura-native", { dtype: "f32" }),
];

/** With --against FOLDER: another build of www/, beside the one that is there. */
export const against = [
  peer("against-q8", "obscura, q8, the other build", "cpu", "obscura", obscura("q8", "cpu", "/against/obscura.js")),
  peer("against-webgpu-q8", "obscura, q8, the other build", "webgpu", "obscura", obscura("q8", "webgpu", "/against/obscura.js"), ALL, { slow: true }),
];

/** Peers whose id is one of `names` or begins with one, up to a hyphen. */
export function choosePeers(peers, names) {
  const chosen = (name) => peers.filter(({ id }) => id === name || id.startsWith(`${name}-`));
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
