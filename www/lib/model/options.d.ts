import type { FilterResult } from "./results.js";

/** What every call takes. A call aborted while it waits never runs; a running one stops at its next token. */
export interface CallOptions {
  signal?: AbortSignal;
}

export interface DecodeOptions extends CallOptions {
  /**
   * What becomes of grey with 16 bits, such as depth maps and X-rays. The reference cuts it off at 255,
   * so that most of it is white; "scale" keeps the upper eight bits, which is what a person sees.
   * Default "clip".
   */
  grey16?: "clip" | "scale";
}

export interface TokenOptions extends CallOptions {
  /**
   * Called with each piece of text as it is found, and its token's id: appended to one another, the
   * pieces are the text. In beam search all come at the end, when the best text is known.
   */
  onToken?(text: string, id: number): void;
}

/**
 * How a text is generated. An option that a call does not have is refused with `bad_input`. What is left out is the
 * model's own, by its generation_config.json (`model.info.generation`), or else the default that is named.
 */
export interface GenerationOptions extends TokenOptions {
  /** Default 20 (of a CoCa 30 with the start token); as many as the model has positions for. */
  maxNewTokens?: number;
  /** The text does not end before it has so many tokens, the start token and the prompt included. */
  minLength?: number;
  /**
   * No run of so many tokens comes twice, start token and prompt included: against texts that go round
   * in circles. Default 0: all are allowed.
   */
  noRepeatNgramSize?: number;
  /** Words that are not written, each as the tokens that the model's tokenizer makes of it. */
  badWords?: string[];
  /**
   * So many texts: the best, or with `doSample` the first, is the result, the others are its `alternatives`. Of a beam
   * search there are as many as beams; with `doSample` each is drawn anew. Default: all that a beam search finished.
   */
  numReturnSequences?: number;
  /** Default 1: greedy; of a CoCa 6. */
  numBeams?: number;
  /** Groups of equally many beams, of a CoCa alone: each searches by itself. Default 3, as open_clip's. */
  numBeamGroups?: number;
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
   * What a label's score is. `"softmax"` (or `"probability"`): its share of all labels, calibrated by the model's logit
   * scale; the shares of all sum to 1. `"sigmoid"`: its own probability, whatever the other labels, of which none or
   * several may fit; of SigLIP alone. `"cosine"`: how near label and picture are. The default is what the model was
   * trained for, `model.info.scores`.
   */
  scores?: "sigmoid" | "softmax" | "probability" | "cosine";
  /** Only so many of the best labels; their shares are those of all. */
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

export interface EmbedOptions extends CallOptions {
  /** Default `true`: vectors of length 1. */
  normalize?: boolean;
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

export interface AnswerOptions extends GenerationOptions {
  /** Rank these answers instead of writing one. */
  answers?: string[];
  /**
   * With `answers`: how many of them are ranked by the likelihood of the whole answer, those whose first
   * token is likeliest. The others are left out. Default 128, as in the paper.
   */
  candidates?: number;
}
