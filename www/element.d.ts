/**
 * The custom element `<obscura-caption>`: a picture with its description under it, made on the
 * visitor's device. Importing this module defines it.
 *
 * ```html
 * <script type="module" src="obscura/element.js"></script>
 * <obscura-caption src="photo.jpg" model="Salesforce/blip-image-captioning-base"></obscura-caption>
 * ```
 *
 * Attributes: `src`, the picture; `model`, as `load` takes it (the embedded model without it);
 * `device`, `dtype`, `prompt`, `crossorigin`; `loading="eager"` begins before the picture is in view;
 * `consent="given"` downloads the model without asking, for sites that have asked already.
 *
 * Slots: `ask`, the words on the button; `note`, what is said beside it. Parts for `::part()`:
 * `figure`, `image`, `caption`, `text`, `note`, `button`, `progress`. The attribute `state` shows
 * the state, and can be styled.
 */

import type { Generated, ObscuraError } from "./obscura.js";

export type CaptionState = "waiting" | "asking" | "loading" | "describing" | "done" | "failed";

export interface ObscuraCaptionEventMap {
  /** The description is complete. Bubbles. */
  captioned: CustomEvent<Generated>;
  /** There is none. Bubbles. */
  captionfailed: CustomEvent<ObscuraError>;
}

export class ObscuraCaption extends HTMLElement {
  /** The description, once it is complete. */
  readonly caption: Generated | null;
  readonly state: CaptionState;
  /** Describes the picture now; to call it is to agree to the download. What goes wrong is shown and told as an event. */
  describe(): Promise<void>;
  addEventListener<K extends keyof ObscuraCaptionEventMap>(
    type: K,
    listener: (this: ObscuraCaption, event: ObscuraCaptionEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "obscura-caption": ObscuraCaption;
  }
}
