import type { LoadOptions } from "./obscura.js";

/** A model as the visitor is asked about it; `bytes` where the size of the download is known. */
export interface AskedModel {
  name: string;
  bytes?: number;
}

export interface FillAltOptions {
  /** Where to look, now and whenever something is added. Default: the document. */
  root?: Document | ShadowRoot | Element;
  /** Which pictures, as a CSS selector. Default: those without an `alt`, and those marked `is-captioned`. */
  images?: string;
  /** Smaller ones, in CSS pixels of the shorter side, are decoration. Default 32. */
  minimumSize?: number;
  /** As `load` takes it, by name or address. Default: the embedded model. */
  model?: string;
  device?: LoadOptions["device"];
  dtype?: LoadOptions["dtype"];
  /** The words each description starts with. */
  prompt?: string;
  /** `"given"` downloads the model without asking, for sites that have asked already. Default `"ask"`. */
  consent?: "ask" | "given";
  /** Asks in the site's own way instead of in a banner. `signal` aborts when the answer is no longer needed. */
  ask?(model: AskedModel, signal: AbortSignal): boolean | Promise<boolean>;
  /** What becomes the `alt`, from the description. Default: the description. */
  write?(text: string, image: HTMLImageElement): string;
}

/**
 * Gives pictures that lack a description one, as their `alt`, when they come into view and after the
 * visitor has agreed to the download of the model. Pictures with `alt=""`, which marks decoration, are
 * left alone unless they are marked `is-captioned`; so is every picture that has a description.
 *
 * ```js
 * import { fillAlt } from "obscura/alt";
 * fillAlt({ model: "Salesforce/blip-image-captioning-base" });
 * ```
 *
 * A picture that got its description has the attribute `is-captioned="done"` and dispatches
 * `captioned`, with the description as `detail`; one that failed dispatches `captionfailed`, with the
 * error. Both events bubble.
 */
export function fillAlt(options?: FillAltOptions): {
  /** Describes no more pictures, and takes the question away. */
  stop(): void;
};
