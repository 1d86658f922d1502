// The options of every call: what there is, and of what kind. Anything else is refused: a misspelt option
// would be missed silently.

import { checkOneOf, checkTexts } from "../errors/checks.js";
import { describe } from "../errors/describe.js";
import { ObscuraError } from "../errors/error.js";

export const DEVICES = ["auto", "webgpu", "cpu"];
export const DTYPES = ["auto", "q4", "q8", "f16", "f32"];
export const PRECISIONS = ["fast", "exact"];

export const TASKS = ["caption", "classify", "embed", "embed-image", "embed-text", "match", "answer"];
const LENGTHS = ["maxNewTokens", "minLength", "numBeams", "numBeamGroups", "lengthPenalty", "earlyStopping", "noRepeatNgramSize", "numReturnSequences"];
const SAMPLING = ["doSample", "temperature", "topK", "topP", "repetitionPenalty", "seed"];
const KINDS = {
  prompt: "string",
  template: "string",
  normalize: "boolean",
  attention: "boolean",
  norm: "boolean",
  earlyStopping: "boolean",
  doSample: "boolean",
  onToken: "function",
  onResult: "function",
  progress: "function",
  cache: "boolean",
  revision: "string",
};
const NUMBERS = ["threshold", "candidates"];
export const SCORES = ["sigmoid", "softmax", "cosine", "probability"]; // the last is another word for softmax
export const GREY16 = ["clip", "scale"];
const TEMPLATES = ["template", "templates"];
const CAPTION_OPTIONS = ["prompt", "badWords", ...LENGTHS, ...SAMPLING, "onToken", "signal"];

/** What each call takes. */
export const CALL_OPTIONS = {
  load: ["device", "dtype", "precision", "threads", "tasks", "revision", "hub", "adapters", "base", "cache", "sha256", "signal", "progress"],
  compare: ["labels", ...TEMPLATES, "scores", "progress", ...CAPTION_OPTIONS], // topK among the last
  caption: [...CAPTION_OPTIONS, "attention"],
  classify: [...TEMPLATES, "scores", "topK", "progress", "signal"],
  embedLabels: [...TEMPLATES, "progress", "signal"],
  filter: ["threshold", "seed", "onResult", "signal"],
  decode: ["grey16", "signal"],
  embed: ["normalize", "signal"],
  embedTokens: ["layer", "norm", "pad", "signal"],
  match: ["attention", "signal"],
  rank: ["signal"],
  identity: ["signal"],
  gauge: ["signal"],
  answer: ["answers", "candidates", "badWords", ...LENGTHS, ...SAMPLING, "onToken", "signal"],
};

/** The options that are given: each is known and of its kind. `null` is as good as nothing. */
export function checkOptions(method, options) {
  if (options === undefined || options === null) return {};
  if (typeof options !== "object" || Array.isArray(options)) {
    throw new ObscuraError("bad_input", `The options of ${method}() are an object, not ${describe(options)}.`);
  }
  const known = CALL_OPTIONS[method];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new ObscuraError("bad_input", `${method}() has no option '${unknown}'. It has ${known.join(", ")}.`);
  }
  const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== null);
  for (const [name, value] of given) checkKind(name, value);
  return Object.fromEntries(given);
}

function checkKind(name, value) {
  if (["templates", "answers", "tasks", "badWords"].includes(name)) return checkTexts(name, value);
  const refuse = (kind) => {
    throw new ObscuraError("bad_input", `${name} is ${kind}, not ${describe(value)}.`);
  };
  if (name === "layer" && !Number.isInteger(value)) refuse("a whole number");
  if (name === "threads" && !(Number.isInteger(value) && value > 0)) refuse("a whole number, at least 1");
  if (name === "pad" && typeof value !== "boolean" && !Number.isInteger(value)) refuse("true, false or a token's number");
  if (name === "adapters" && !Array.isArray(value)) refuse("a list of adapters, each as a model is given");
  if (name === "hub" && typeof value !== "object") refuse("an object {host, template, token}");
  if (name === "signal" && !(value instanceof AbortSignal)) refuse("an AbortController's signal");
  if (name === "scores") return checkOneOf(name, value, SCORES);
  if (name === "grey16") return checkOneOf(name, value, GREY16);
  if (LENGTHS.concat(SAMPLING, NUMBERS).includes(name) && !(name in KINDS) && !Number.isFinite(value)) refuse("a finite number");
  if (name in KINDS && typeof value !== KINDS[name]) refuse(`a ${KINDS[name]}`);
}
