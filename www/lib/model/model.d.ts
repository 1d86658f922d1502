import type { LabelSet } from "../labels/label-set.js";
import type { DecodedPicture } from "../pictures/decoded.js";
import type { PictureSource } from "../pictures/picture.js";
import type { AnswerOptions, CallOptions, CaptionOptions, ClassifyOptions, DecodeOptions, EmbedOptions, FilterOptions, GenerationOptions, MatchOptions, TemplateOptions, TokenStatesOptions } from "./options.js";
import type { CaptionAttention, FilterResult, Gauge, Generated, LabelScore, MatchAttention, ModelIdentity, RankedAnswer, RankedText, TextMatch, TokenStates } from "./results.js";

/** The last two are of one encoder alone. */
export type Task = "caption" | "classify" | "embed" | "match" | "answer" | "embed-image" | "embed-text";

export interface ModelInfo {
  readonly family: "clip" | "chinese_clip" | "siglip" | "blip" | "coca";
  readonly tasks: readonly Task[];
  readonly device: "webgpu" | "cpu";
  /** The GPU's name, where the browser tells. */
  readonly adapter: string | null;
  /** The format of most weights. */
  readonly dtype: string;
  /** `fast` where layers with such weights take 8 bits here: `LoadOptions.precision`. */
  readonly precision: "fast" | "exact";
  readonly parameters: number;
  /** What the weights take in memory. */
  readonly bytes: number;
  /** Width and height, in pixels, of what the model looks at; `null` for a text encoder alone. */
  readonly imageSize: number | null;
  /** What `classify` gives unless asked otherwise: what the model was trained for; `null` where it cannot classify. */
  readonly scores: "sigmoid" | "softmax" | null;
  /**
   * Whether vectors are those of the space that texts and pictures share. False for an encoder that was saved without its
   * projection: they are its pooled states.
   */
  readonly projected: boolean;
  /**
   * What the checkpoint's generation_config.json says about texts that are written, where it says something: it is what
   * counts where a call leaves an option out. `maxLength` is `maxNewTokens` with the start token and the prompt.
   */
  readonly generation?: Partial<Pick<GenerationOptions, "maxNewTokens" | "minLength" | "numBeams" | "lengthPenalty" | "doSample" | "temperature" | "topK" | "topP" | "repetitionPenalty" | "noRepeatNgramSize" | "numReturnSequences">> & {
    maxLength?: number;
    earlyStopping?: boolean | "never";
    badWordsIds?: number[][];
  };
}

/** Several pictures of one video, which get one vector. */
export interface Video {
  frames: PictureSource[];
}

/** What gets a vector. A string is a text, and so is `text`, whatever it looks like; `picture` may be an address or path. */
export type EmbedInput = string | { text: string } | { picture: PictureSource } | Exclude<PictureSource, string> | Video;

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
  decode(image: PictureSource, options?: DecodeOptions): Promise<DecodedPicture>;

  /**
   * A string is a text here, and one that ends like a picture's address or path, such as `"photo.webp"`, is the
   * error `bad_input`: say `{ picture: "photo.webp" }`, or `{ text: "photo.webp" }` if the words are meant. A
   * video's vector is the mean of its frames' unit vectors, scaled to length 1. A list's texts are encoded
   * together, which takes less time than one after the other.
   */
  embed(input: EmbedInput, options?: EmbedOptions): Promise<Float32Array>;
  embed(inputs: EmbedInput[], options?: EmbedOptions): Promise<Float32Array[]>;

  /** The states of a text's tokens in CLIP's text encoder, which guide generators of pictures. */
  embedTokens(text: string, options?: TokenStatesOptions): Promise<TokenStates>;

  /** In the order given. */
  match(image: PictureSource, texts: string[], options: MatchOptions & { attention: true }): Promise<(TextMatch & { attention: MatchAttention })[]>;
  match(image: PictureSource, texts: string[], options?: MatchOptions): Promise<TextMatch[]>;

  /** Texts beside a picture, in the order given, each with the `score` to order them by. */
  rank(image: PictureSource, texts: string[], options?: CallOptions): Promise<RankedText[]>;

  /** What tells this model from others, whose vectors must not be compared with its own. */
  identity(options?: CallOptions): Promise<ModelIdentity>;

  /** How similarities of texts and pictures are read as probabilities, as an album's `minScore` does. */
  gauge(options?: CallOptions): Promise<Gauge>;

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
