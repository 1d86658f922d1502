import type { LabelSet } from "../labels/label-set.js";
import type { PictureSource } from "../pictures/picture.js";
import type { Model } from "./model.js";
import type { CaptionOptions, ClassifyOptions } from "./options.js";
import type { Generated, LabelScore } from "./results.js";

export interface CompareOptions extends ClassifyOptions, Omit<CaptionOptions, "topK" | "attention"> {
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
