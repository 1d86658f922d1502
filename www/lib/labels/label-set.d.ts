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
 * One of obscura's own label sets, fetched when it is first asked for: `"imagenet"` has the 1,000 class
 * names and the 80 templates of CLIP's paper.
 */
export function labelSet(name: "imagenet", options?: { signal?: AbortSignal }): Promise<LabelSet>;

/** Opens a label set's file: JSON, a label in each line, or vectors that `obscura labels` or `toBlob` wrote. */
export function openLabels(
  source: string | URL | Blob | ArrayBuffer | ArrayBufferView,
  options?: { signal?: AbortSignal },
): Promise<LabelSet>;
