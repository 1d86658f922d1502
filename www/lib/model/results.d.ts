import type { ObscuraError } from "../errors/error.js";

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
  /**
   * The reference's sequence score for beams (a CoCa's search adds up logits: no log-probabilities), else the mean
   * log-probability of the new tokens.
   */
  score: number;
  /**
   * The other texts: with beams those that the search finished, best first, at most one for each beam; with `doSample`
   * and `numReturnSequences` those that were drawn besides.
   */
  alternatives?: Generated[];
}

export interface LabelScore {
  label: string;
  /** A share, 0 to 1, of which all labels' sum to 1; or the label's own probability, 0 to 1; or a cosine, -1 to 1: see `scores`. */
  score: number;
}

export interface TextMatch {
  text: string;
  /** That the text describes the picture, 0 to 1, by BLIP's matching head or SigLIP's sigmoid; `null` of other models. */
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

export interface RankedAnswer {
  text: string;
  score: number;
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

/**
 * The probability that a text and a picture belong together is `1 / (1 + exp(-(scale * (similarity - other) + bias)))`;
 * `other` is the picture's similarity with `null`, or 0 where there is none.
 */
export interface Gauge {
  scale: number;
  bias: number;
  /** The vector of texts that say nothing; of models that were not trained to judge a pair by itself. */
  null?: number[];
}

/** What an album remembers of the model that its vectors come from. */
export interface ModelIdentity {
  family: "clip" | "chinese_clip" | "siglip" | "blip" | "coca";
  dtype: string;
  imageSize: number;
  /** What `probe` is the vector of: a fixed text, or a fixed picture where the model takes no texts. */
  probeOf: "text" | "picture";
  probe: number[];
}
