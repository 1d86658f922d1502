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
  /** An argument is unusable: no labels, an empty text, an unknown option, nothing that can be a model. */
  | "bad_input"
  /** The model has no head for the task; `model.info.tasks` lists those it has. */
  | "unsupported_task"
  /** The requested device does not exist here. */
  | "no_device"
  /** The model or the call does not fit into memory. */
  | "out_of_memory"
  /** A download failed: no connection, no such file, no permission, or it broke off too often. */
  | "network"
  /** A file is not the one that `sha256` promises. */
  | "integrity"
  /** The GPU went away, or the engine crashed, in the middle of the work. The model's next call loads it again. */
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
  | VideoFrame
  | DecodedPicture; // what decode() gave

/**
 * A picture as pixels, upright and without transparency, as every model sees it. It is decoded no more,
 * whatever it is given to; each call's worker gets a copy of the pixels.
 */
export class DecodedPicture {
  private constructor();
  readonly width: number;
  readonly height: number;
  /** Something to draw. */
  toImageData(): ImageData;
}

/**
 * Labels with the sentences that they are put into, and, if `isEncoded`, their vectors in the space of
 * one model, so that to classify a picture takes one encoding of it and one product.
 */
export class LabelSet {
  constructor(set: { name?: string; labels: string[]; templates?: string[]; ids?: string[] });
  readonly name: string;
  readonly labels: readonly string[];
  /** Sentences with `{}` for the label. None: the default one. */
  readonly templates: readonly string[];
  /** What data sets call the labels, in their order; may be empty. */
  readonly ids: readonly string[];
  readonly isEncoded: boolean;
  /** The vectors as a file for `openLabels`, in safetensors format. Only for a set that is encoded. */
  toBlob(): Blob;
}

/**
 * A model:
 * - a name on the hub, such as `"Salesforce/blip-image-captioning-base"`, or the address of its page there;
 * - the address of one file (`.gguf`, `.safetensors`, `.bin`, `.pth`), or of a folder in Hugging Face
 *   layout. A folder's relative address begins with `./` or ends with `/`, else it is a name on the hub;
 * - a `File` or `Blob`, or the files of a folder in Hugging Face layout, in any order;
 * - a file's or a folder's handle (`showDirectoryPicker()`);
 * - a file's bytes, which are copied.
 *
 * Such a folder has `config.json`, `preprocessor_config.json`, `tokenizer.json` or the vocabulary
 * files, and `model.safetensors` or `pytorch_model.bin`, whole or in parts with an index. For what was
 * dropped onto a page see `droppedFiles`.
 */
export type ModelSource =
  | string
  | URL
  | Blob
  | Iterable<File>
  | FileSystemFileHandle
  | FileSystemDirectoryHandle
  | ArrayBuffer
  | ArrayBufferView;

interface NamedEvent {
  /** The model as it was asked for, or the embedded model's id. */
  name: string;
}

interface CountedEvent extends NamedEvent {
  /** Bytes so far, what was kept from an earlier load included. */
  loaded: number;
  total: number;
  /** 0 to 100. */
  progress: number;
}

/** One step of one file: `initiate`, `download`, then `progress` (about ten a second at most), `done`. */
export interface FileProgressEvent extends CountedEvent {
  status: "initiate" | "download" | "progress" | "done";
  file: string;
}

/** All files together, about ten a second at most, from the moment when the sum is known; it never falls. */
export interface TotalProgressEvent extends CountedEvent {
  status: "progress_total";
  files: Record<string, { loaded: number; total: number }>;
}

/** The last event: the model can be used. */
export interface ReadyEvent extends CountedEvent {
  status: "ready";
  file: string;
}

/**
 * Something to tell people: `warning`, the load goes on, but the model is not kept, or is loaded from
 * its start again; `waiting`, another tab is loading the same model, which is then read from the cache.
 */
export interface NoticeEvent extends NamedEvent {
  status: "warning" | "waiting";
  message: string;
}

export type ProgressEvent = FileProgressEvent | TotalProgressEvent | ReadyEvent | NoticeEvent;

/** Where names of models lead. */
export interface Hub {
  /** Default `https://huggingface.co`. */
  host?: string;
  /** Default `{host}/{id}/resolve/{revision}/{file}`. */
  template?: string;
  /** An access token, for gated and private models. It is sent to `host` and nowhere else. */
  token?: string;
}

export interface LoadOptions {
  /** `auto` is WebGPU on a real GPU, else the CPU. */
  device?: "auto" | "webgpu" | "cpu";
  /**
   * How the weights are held. Weights of another format are converted while they arrive. `auto`
   * keeps quantized weights as they are and chooses by size for all others.
   */
  dtype?: "auto" | "q4" | "q8" | "f16" | "f32";
  /**
   * How many threads compute on the CPU, at most: as many as there are cores, up to 8, by default. More than
   * one takes a page (not a worker) that is isolated from other sites, by the headers
   * `Cross-Origin-Opener-Policy: same-origin` and `Cross-Origin-Embedder-Policy: require-corp`, and a
   * browser with relaxed SIMD; elsewhere it is one.
   */
  threads?: number;
  /**
   * What the model is wanted for. Only the weights that this needs are fetched, where the server can
   * send parts of files; all other tasks are refused. Default: everything that it can do.
   */
  tasks?: (Task | "embed-image" | "embed-text")[];
  /**
   * Default `true`: the weights, converted, are kept in the browser's private file system, or in the
   * Cache API where there is none. The next
   * load asks the server at most whether they are still current, goes on where a broken one stopped,
   * and works offline. `false` neither reads nor writes them. Files without a name, and `.gguf` files
   * from the disk, are not kept.
   */
  cache?: boolean;
  /** Branch, tag or commit of a model on the hub. Default `"main"`. A commit is never revalidated. */
  revision?: string;
  hub?: Hub;
  /**
   * The file's SHA-256 in hexadecimal, or those of several files by their names. Checked while the
   * bytes stream past; with another one there is no model but the error `integrity`.
   */
  sha256?: string | Record<string, string>;
  /** Stops the load at any moment. What has been kept by then is where the next load goes on. */
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
  /** Adds where the model looked for each token. */
  attention?: boolean;
}

/** A token and where the model looked for it. */
export interface TokenMap {
  id: number;
  /** Its text: those of all tokens, one after the other, are the whole text. */
  text: string;
  /** One number a patch, row by row, none negative. */
  map: Float32Array;
}

/**
 * Where the decoder looked: for each generated token ([SEP] included) the share of the attention that
 * each patch of the picture had when the token was chosen. It is the cross-attention of one layer, two
 * thirds of the way up, averaged over heads. The picture was squashed to a square, so rows and columns
 * spread over its whole height and width.
 */
export interface CaptionAttention {
  rows: number;
  columns: number;
  tokens: TokenMap[];
}

/**
 * What in the picture makes a text match: Grad-CAM as ALBEF and BLIP localise, the same layer's
 * cross-attention times its gradient (of the matching head's "yes") where that is positive.
 */
export interface MatchAttention {
  rows: number;
  columns: number;
  /** The mean over the text's tokens, row by row. */
  map: Float32Array;
  /** The text's tokens, without [CLS] and [SEP]. */
  tokens: TokenMap[];
}

export interface Generated {
  text: string;
  /** The reference's ids: [DEC] and the prompt first, [SEP] last where it was reached. */
  tokens: number[];
  /** The reference's sequence score for beams, else the mean log-probability of the new tokens. */
  score: number;
  /** With beams: the other texts that the search finished, best first, at most one for each beam. */
  alternatives?: Generated[];
}

/** How far the labels of a set are encoded. */
export interface LabelProgress {
  loaded: number;
  total: number;
}

export interface TemplateOptions extends CallOptions {
  /** A sentence with `{}` for the label, such as `a photo of a {}`. */
  template?: string;
  /** Several of them, whose embeddings are averaged. Templates given here replace a label set's own. */
  templates?: string[];
  /**
   * Called while labels are encoded that were not before. Aborted, the work goes on from there at the
   * next call with the same labels and templates.
   */
  progress?(event: LabelProgress): void;
}

export interface ClassifyOptions extends TemplateOptions {
  /**
   * What a label's score is. `"probability"`, the default: its share of all labels, calibrated by the
   * model's logit scale. `"cosine"`: how near label and picture are, whatever the other labels.
   */
  scores?: "probability" | "cosine";
  /** Only so many of the best labels; their probabilities are those among all. */
  topK?: number;
}

export interface FilterOptions extends CallOptions {
  /** Texts of at least this matching probability are kept. Default 0.5, the paper's. */
  threshold?: number;
  /** Decides, with the picture's place, what is written. Default 1. */
  seed?: number;
  /** Called after each picture with its place in the list. */
  onResult?(place: number, result: FilterResult): void;
}

/** A text about a picture, and what became of it. */
export interface FilteredText {
  text: string;
  /** Whether the model wrote it. */
  generated: boolean;
  /** That it describes the picture, by the matching head. */
  probability: number;
  kept: boolean;
  /**
   * `best`: kept, and the likeliest of those; `matches`: kept, but another is better; `unlikely`: below
   * the threshold; `duplicate`: the same words as an earlier text.
   */
  reason: "best" | "matches" | "unlikely" | "duplicate";
}

export interface FilterResult {
  /** The given texts in their order, then the written one. */
  texts: FilteredText[];
  /** The text to use, or `null` where none was kept. */
  best: string | null;
  /** Why the picture could not be read; the others are done nevertheless. */
  error?: ObscuraError;
}

export interface EmbedOptions extends CallOptions {
  /** Default `true`: vectors of length 1. */
  normalize?: boolean;
}

/** Several pictures of one video, which get one vector. */
export interface Video {
  frames: PictureSource[];
}

export interface MatchOptions extends CallOptions {
  /** Adds what in the picture makes each text match. BLIP only. */
  attention?: boolean;
}

export interface TokenStatesOptions extends CallOptions {
  /**
   * After which layer, as `hidden_states` are counted in Python: -1 (the default) is the last, -2 the
   * one before it, 0 is before the first.
   */
  layer?: number;
  /** Default `true`: with the encoder's final norm. SDXL takes layer -2 without it. */
  norm?: boolean;
  /**
   * Fills up the text to the encoder's full length, 77 tokens: `true` with the end token, as Stable
   * Diffusion 1 does; a number with that token (0 in open_clip and SDXL's second encoder).
   */
  pad?: boolean | number;
}

/** A text as a generator of pictures takes it. */
export interface TokenStates {
  ids: number[];
  /** As the vocabulary spells them. */
  tokens: string[];
  /** The place of the end token, whose state is pooled. */
  end: number;
  width: number;
  /** One state of `width` numbers a token, one after the other. */
  states: Float32Array;
  /**
   * The last layer's pooled vector in the space shared with pictures, not scaled: `text_embeds` of
   * `CLIPTextModelWithProjection`.
   */
  pooled: Float32Array;
}

export interface AnswerOptions extends GenerationOptions {
  /** Rank these answers instead of writing one. */
  answers?: string[];
  /**
   * With `answers`: how many of them are ranked by the likelihood of the whole answer, those whose first
   * token is likeliest. The others are left out. Default 128, as in the paper.
   */
  candidates?: number;
}

export interface LabelScore {
  label: string;
  /** A probability, 0 to 1, of which all labels' sum to 1; or a cosine, -1 to 1: see `scores`. */
  score: number;
}

export interface TextMatch {
  text: string;
  /** That the text describes the picture, 0 to 1; `null` where the model has no matching head. */
  probability: number | null;
  /** The cosine of the two embeddings. */
  similarity: number;
}

export interface RankedText extends TextMatch {
  /**
   * What BLIP's paper orders candidates by: the matching logit plus the similarity. Without a matching
   * head it is the similarity.
   */
  score: number;
}

/** What an album remembers of the model that its vectors come from. */
export interface ModelIdentity {
  family: "clip" | "blip";
  dtype: string;
  imageSize: number;
  /** What `probe` is the vector of: a fixed text, or a fixed picture where the model takes no texts. */
  probeOf: "text" | "picture";
  probe: number[];
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

  caption(image: PictureSource, options: CaptionOptions & { attention: true }): Promise<Generated & { attention: CaptionAttention }>;
  caption(image: PictureSource, options?: CaptionOptions): Promise<Generated>;

  /**
   * Best label first. The vectors of labels are remembered: the first call encodes them, later ones only
   * the picture. For many labels, give `labelSet("imagenet")`, or vectors from `embedLabels` or `openLabels`.
   */
  classify(
    image: PictureSource,
    labels: string[] | LabelSet | Promise<LabelSet>,
    options?: ClassifyOptions,
  ): Promise<LabelScore[]>;

  /** Encodes labels once; the result is for this model, and can be kept as a file. */
  embedLabels(labels: string[] | LabelSet | Promise<LabelSet>, options?: TemplateOptions): Promise<LabelSet>;

  /**
   * BLIP's CapFilt for pictures of one's own: writes a caption for each by nucleus sampling, judges it and
   * the given texts by the matching head, and says which to keep. `texts` has an entry for each picture.
   * One after another; a picture that cannot be read has an `error` in its result.
   */
  filter(
    images: PictureSource[],
    texts?: (string | string[] | null | undefined)[] | null,
    options?: FilterOptions,
  ): Promise<FilterResult[]>;

  /** Decodes a picture in this model's worker; see the function `decode`. */
  decode(image: PictureSource, options?: CallOptions): Promise<DecodedPicture>;

  /**
   * A string is a text here: a picture's address is given as a `URL` object. A video's vector is the
   * mean of its frames' unit vectors, scaled to length 1. A list's texts are encoded together, which
   * takes less time than one after the other.
   */
  embed(input: Exclude<PictureSource, string> | string | Video, options?: EmbedOptions): Promise<Float32Array>;
  embed(inputs: (Exclude<PictureSource, string> | string | Video)[], options?: EmbedOptions): Promise<Float32Array[]>;

  /** The states of a text's tokens in CLIP's text encoder, which guide generators of pictures. */
  embedTokens(text: string, options?: TokenStatesOptions): Promise<TokenStates>;

  /** In the order given. */
  match(image: PictureSource, texts: string[], options: MatchOptions & { attention: true }): Promise<(TextMatch & { attention: MatchAttention })[]>;
  match(image: PictureSource, texts: string[], options?: MatchOptions): Promise<TextMatch[]>;

  /** Texts beside a picture, in the order given, each with the `score` to order them by. */
  rank(image: PictureSource, texts: string[], options?: CallOptions): Promise<RankedText[]>;

  /** What tells this model from others, whose vectors must not be compared with its own. */
  identity(options?: CallOptions): Promise<ModelIdentity>;

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
 * const model = await load("Salesforce/blip-image-captioning-base", {
 *   progress: ({ status, progress }) => status === "progress_total" && (bar.value = progress),
 * });
 * const { text } = await model.caption(file, { onToken: (piece) => (line.textContent += piece) });
 * await model.dispose();
 * ```
 */
export function load(source?: ModelSource | null, options?: LoadOptions): Promise<Model>;

/**
 * Decodes a picture once, so that it can be given to several calls and models. It needs no model: the
 * decoder runs in a worker of its own, which ends when it has had nothing to do for a while.
 */
export function decode(image: PictureSource, options?: CallOptions): Promise<DecodedPicture>;

/**
 * One of obscura's own label sets, fetched when it is first asked for: `"imagenet"` has the 1,000 class
 * names and the 80 templates of CLIP's paper.
 */
export function labelSet(name: "imagenet", options?: CallOptions): Promise<LabelSet>;

/** Opens a label set's file: JSON, a label in each line, or vectors that `obscura labels` or `toBlob` wrote. */
export function openLabels(
  source: string | URL | Blob | ArrayBuffer | ArrayBufferView,
  options?: CallOptions,
): Promise<LabelSet>;

export interface CompareOptions extends ClassifyOptions, Omit<CaptionOptions, "topK"> {
  /** What CLIP chooses among. */
  labels: string[] | LabelSet | Promise<LabelSet>;
}

/**
 * Two models on the same picture, at the same time, with one decoding of it: CLIP says which label fits,
 * BLIP what it sees. `topK` is the number of labels here. Where one fails, the other is stopped.
 */
export function compare(
  models: { clip: Model; blip: Model },
  image: PictureSource,
  options: CompareOptions,
): Promise<{ labels: LabelScore[]; caption: Generated }>;

/**
 * The files of a drop or a paste, those of dropped folders among them. Call it inside the event
 * handler, before anything is awaited: afterwards the browser has forgotten what was dropped.
 */
export function droppedFiles(transfer: DataTransfer): Promise<File[]>;

/**
 * Frames of a video, the first at its start and the others at equal distances, 8 by default: for
 * `answer(frames, question)` and `embed({ frames })`. A `<video>` is paused for it and put back to where
 * it was. The frames take memory until their `close()`. In a page only.
 */
export function sampleFrames(
  video: HTMLVideoElement | Blob | string | URL,
  count?: number,
  options?: { signal?: AbortSignal },
): Promise<ImageBitmap[]>;

/** A model that is kept in this browser, for this site. */
export interface KeptModel {
  id: string;
  /** As it was asked for. */
  source: string;
  /** As it was asked for. */
  dtype: string;
  /** On disk. */
  bytes: number;
  /** `false`: a load stopped in the middle, and the next one goes on from there. */
  complete: boolean;
  /** Milliseconds since 1970, as `Date.now()` counts. */
  lastUsed: number;
}

export const cache: {
  /** Last used first; empty where the browser can keep nothing. */
  list(): Promise<KeptModel[]>;
  /** Bytes in all. */
  size(): Promise<number>;
  /** Deletes one, or all. One that is being loaded at the moment is refused with `bad_input`. */
  clear(id?: string): Promise<void>;
};

export interface AlbumOptions {
  /**
   * The picture of a key, in any form, or `null` where it is gone. With it, and a BLIP that can match, a
   * text's best candidates are looked at again together with the text.
   */
  picture?(key: string): PictureSource | null | Promise<PictureSource | null>;
  /** The text of a key, or `null`: the same for albums of texts that are searched by pictures. */
  text?(key: string): string | null | Promise<string | null>;
  /** Default `true`. `false`: an album in memory, gone when it is closed. */
  persistent?: boolean;
}

export interface SearchOptions extends CallOptions {
  /** How many to find. Default 20. */
  limit?: number;
  /**
   * How many of the best to look at again and order anew, where the model and the album's options
   * allow it. Default 16; the paper has 128 and 256; 0 for none.
   */
  rerank?: number;
}

export interface FoundInAlbum {
  key: string;
  /** The cosine of the two vectors. */
  similarity: number;
  /** That text and picture belong together, 0 to 1; there only for what was looked at again. */
  probability?: number | null;
}

export interface AlbumProgress {
  done: number;
  total: number;
}

/** Vectors of pictures or texts under keys of your own, in this browser, for this site. */
export interface Album {
  readonly name: string;
  /** `false` where the browser has no private file system: the album is then in memory. */
  readonly persistent: boolean;
  /** How many vectors there were when the last call ended. */
  readonly size: number;

  /**
   * Adds a picture, a text (a string), or a vector, and resolves when it is on disk. A key that is there
   * already gets the new one. Additions that wait together are written together.
   */
  add(key: string, input: Exclude<PictureSource, string> | string | Float32Array, options?: CallOptions): Promise<void>;

  /** Resolves with how many of the keys there were. */
  delete(key: string | string[]): Promise<number>;

  /** Nearest first; what was looked at again comes before everything else, best first. */
  search(
    query: string | Exclude<PictureSource, string> | Float32Array,
    options?: SearchOptions,
  ): Promise<FoundInAlbum[]>;

  /** In the order of adding. */
  keys(): Promise<string[]>;

  /** The vectors as an `.npy` file of float32, `[size, width]`, and their keys as a JSON list, in the same order. */
  export(options?: { progress?(progress: AlbumProgress): void; signal?: AbortSignal }): Promise<{ vectors: Blob; keys: Blob }>;

  /** Adds what an export, or NumPy, has written; float16 and float64 are read, too. Resolves with how many there were. */
  import(
    files: { vectors: Blob; keys: Blob },
    options?: { progress?(progress: AlbumProgress): void; signal?: AbortSignal },
  ): Promise<number>;

  /** Deletes everything in it. */
  clear(): Promise<void>;

  /** Lets go of the album's file and worker. The model stays. */
  close(): Promise<void>;
}

/**
 * Opens the album of that name, a new one if there is none. Vectors come from `model`; an album
 * refuses every other one, and one dtype's album another dtype's, with `bad_input`. Without a model an album holds
 * and finds vectors that you bring. It is open in one tab at a time.
 *
 * ```js
 * const album = await openAlbum("holidays", model, { picture: (key) => files.get(key) });
 * for (const [name, file] of files) await album.add(name, file);
 * const [best] = await album.search("a dog on a beach"); // {key, similarity, probability}
 * ```
 */
export function openAlbum(name: string, model?: Model | null, options?: AlbumOptions): Promise<Album>;

/** Deletes the album of that name, with all that is in it. One that is open is refused with `bad_input`. */
export function deleteAlbum(name: string): Promise<void>;
