/**
 * CLIP and BLIP in the browser: captions, labels, answers and embeddings of pictures that stay on
 * the device. Every model runs in a worker of its own; the calls of one model run one after the
 * other, in the order in which they were made.
 */

/** How a call can fail. The message of the error says what to do. */
export type ErrorCode =
  /** The picture is unreadable, too large, empty, or of an unknown format. */
  | "bad_image"
  /** The model file is truncated, inconsistent, or lacks something. */
  | "bad_weights"
  /** An argument is unusable: no labels, an empty text, an unknown option, no such kind of model. */
  | "bad_input"
  /** The model has no head for the task; `model.info.tasks` lists those it has. */
  | "unsupported_task"
  /** The requested device does not exist here. */
  | "no_device"
  /** The model or the call does not fit into memory. */
  | "out_of_memory"
  /** A download failed or broke off. */
  | "network"
  /** A file is not the one that `sha256` promises. */
  | "integrity"
  /** The GPU went away, or the engine crashed, in the middle of the work: load the model again. */
  | "device_lost"
  /** The call's `signal` was aborted, or the model disposed of. */
  | "aborted";

/** What every rejected promise of this module carries. */
export class ObscuraError extends Error {
  constructor(code: ErrorCode, message: string, options?: ErrorOptions);
  readonly name: "ObscuraError";
  readonly code: ErrorCode;
}

export type Task = "caption" | "classify" | "embed" | "match" | "answer";

/**
 * A picture. Encoded pictures (PNG, JPEG, WebP, GIF, BMP) are decoded by obscura itself and give the
 * same pixels in every browser; other formats, such as AVIF, go through the browser's decoder. An
 * `<img>` is read from the cache by its address, and drawn where that is not possible. Buffers are
 * copied, never taken away from the caller. Canvases, video and bitmaps are read at the moment of
 * the call.
 */
export type PictureSource =
  | Blob // a File, too
  | ArrayBuffer
  | ArrayBufferView
  | string // an address
  | URL
  | ImageData
  | ImageBitmap
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement
  | VideoFrame;

/** A model: the address of a .gguf file, the file itself, or its bytes (which are copied). */
export type ModelSource = string | URL | Blob | ArrayBuffer | ArrayBufferView;

/**
 * One step of a load: `initiate`, `download` (the server has answered), `progress` (at most about
 * ten a second, and always a last one at 100), `done` (the file is complete), `ready`.
 */
export interface ProgressEvent {
  status: "initiate" | "download" | "progress" | "done" | "ready";
  /** The model as it was asked for, or the embedded model's id. */
  name: string;
  file: string;
  /** Bytes so far. */
  loaded: number;
  /** Bytes in all; 0 where the server does not say. */
  total: number;
  /** 0 to 100; stays 0 until `done` where `total` is not known. */
  progress: number;
}

export interface LoadOptions {
  /** `auto` is WebGPU on a real GPU, else the CPU. */
  device?: "auto" | "webgpu" | "cpu";
  /** How the weights are held; `auto` keeps the file's own format. */
  dtype?: "auto" | "q4" | "q8" | "f16" | "f32";
  /** `false` downloads again, past the browser's HTTP cache. Default `true`. */
  cache?: boolean;
  /** For hub models, which this version cannot load yet. */
  revision?: string;
  /**
   * The file's SHA-256 in hexadecimal. Nothing of the file is used before it is checked, so the
   * whole file is held in memory once more until then.
   */
  sha256?: string;
  /** Stops the load, the download included. */
  signal?: AbortSignal;
  progress?(event: ProgressEvent): void;
}

/** What every call takes. A call aborted while it waits never runs; a running one stops at its next token. */
export interface CallOptions {
  signal?: AbortSignal;
}

export interface TokenOptions extends CallOptions {
  /**
   * Called with each piece of text as it is found, and its token's id: appended to one another, the
   * pieces are the text. In beam search all come at the end, when the best text is known.
   */
  onToken?(text: string, id: number): void;
}

/** How a text is generated. An option that a call does not have is refused with `bad_input`. */
export interface GenerationOptions extends TokenOptions {
  /** Default 20. */
  maxNewTokens?: number;
  /** The text does not end before it has so many tokens, the start token and the prompt included. */
  minLength?: number;
  /** Default 1: greedy. */
  numBeams?: number;
  /** Exponent of the length in beam search: above 1 prefers longer texts. Default 1. */
  lengthPenalty?: number;
  /** Ends a beam search as soon as there are as many finished texts as beams. */
  earlyStopping?: boolean;
  /** Sample instead of taking the likeliest token. */
  doSample?: boolean;
  temperature?: number;
  topK?: number;
  topP?: number;
  repetitionPenalty?: number;
  /** Makes sampling repeatable. */
  seed?: number;
}

export interface CaptionOptions extends GenerationOptions {
  /** The words the caption starts with. */
  prompt?: string;
}

export interface Generated {
  text: string;
  /** The reference's ids: [DEC] and the prompt first, [SEP] last where it was reached. */
  tokens: number[];
  /** The reference's sequence score for beams, else the mean log-probability of the new tokens. */
  score: number;
}

export interface ClassifyOptions extends CallOptions {
  /** A sentence with `{}` for the label, such as `a photo of a {}`. */
  template?: string;
  /** Several of them, whose embeddings are averaged. */
  templates?: string[];
}

export interface EmbedOptions extends CallOptions {
  /** Default `true`: vectors of length 1. */
  normalize?: boolean;
}

export interface AnswerOptions extends GenerationOptions {
  /** Rank these answers instead of writing one. */
  answers?: string[];
}

export interface LabelScore {
  label: string;
  /** 0 to 1; they sum to 1. */
  score: number;
}

export interface TextMatch {
  text: string;
  /** That the text describes the picture, 0 to 1; `null` where the model has no matching head. */
  probability: number | null;
  /** The cosine of the two embeddings. */
  similarity: number;
}

export interface RankedAnswer {
  text: string;
  score: number;
}

export interface ModelInfo {
  readonly family: "clip" | "blip";
  readonly tasks: readonly Task[];
  readonly device: "webgpu" | "cpu";
  /** The GPU's name, where the browser tells. */
  readonly adapter: string | null;
  /** The format of most weights. */
  readonly dtype: string;
  readonly parameters: number;
  /** What the weights take in memory. */
  readonly bytes: number;
  /** Width and height, in pixels, of what the model looks at. */
  readonly imageSize: number;
}

export interface Model {
  readonly info: ModelInfo;

  caption(image: PictureSource, options?: CaptionOptions): Promise<Generated>;

  /** Best label first. */
  classify(image: PictureSource, labels: string[], options?: ClassifyOptions): Promise<LabelScore[]>;

  /** A string is a text here: a picture's address is given as a `URL` object. */
  embed(input: Exclude<PictureSource, string> | string, options?: EmbedOptions): Promise<Float32Array>;
  embed(inputs: (Exclude<PictureSource, string> | string)[], options?: EmbedOptions): Promise<Float32Array[]>;

  /** In the order given. */
  match(image: PictureSource, texts: string[], options?: CallOptions): Promise<TextMatch[]>;

  /** Best answer first where `answers` are given. Several pictures are the frames of one video. */
  answer(
    imageOrFrames: PictureSource | PictureSource[],
    question: string,
    options: AnswerOptions & { answers: string[] },
  ): Promise<RankedAnswer[]>;
  answer(
    imageOrFrames: PictureSource | PictureSource[],
    question: string,
    options?: AnswerOptions & { answers?: undefined },
  ): Promise<Generated>;

  /** Frees the model's memory, the GPU's too; calls still waiting or running reject with `aborted`. */
  dispose(): Promise<void>;
}

/**
 * Loads a model. Without a source it is the embedded one, where the site has one.
 *
 * ```js
 * const model = await load("blip-base-q8.gguf", { progress: (event) => console.log(event.progress) });
 * const { text } = await model.caption(file, { onToken: (piece) => (line.textContent += piece) });
 * await model.dispose();
 * ```
 */
export function load(source?: ModelSource | null, options?: LoadOptions): Promise<Model>;
