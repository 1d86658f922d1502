// fillAlt(): gives the pictures of a page that lack a description one, as their `alt`, when they come
// into view and the visitor has agreed to the download of the model. Types: alt.d.ts.

import { askInBanner } from "./consent-banner.js";
import { agree, agreement, describeModel, isAgreed } from "./consent.js";
import { withSharedModel } from "./shared-model.js";

const MISSING = "img:not([alt]), img[is-captioned]"; // alt="" says that a picture is decoration
const DECORATION = "[aria-hidden=true], [role=presentation], [role=none]";
const NEAR = "200px";

/** See alt.d.ts. */
export function fillAlt(options = {}) {
  return new Filler(options);
}

class Filler {
  #options;
  #stop = new AbortController();
  #seen = new WeakSet(); // pictures that are watched, or done
  #inView;
  #added;
  #allowed = null; // a promise of the visitor's answer

  constructor({ root = document, images = MISSING, minimumSize = 32, consent = "ask", ask = askInBanner, write = (text) => text, ...choice }) {
    this.#options = { root, images, minimumSize, consent, ask, write, choice };
    this.#inView = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) if (isIntersecting) this.#reach(target);
    }, { rootMargin: NEAR });
    this.#added = new MutationObserver(() => this.#look());
    this.#added.observe(root, { childList: true, subtree: true });
    this.#look();
  }

  /** Describes no more pictures. */
  stop() {
    this.#stop.abort();
    this.#inView.disconnect();
    this.#added.disconnect();
  }

  #look() {
    const { root, images } = this.#options;
    for (const image of root.querySelectorAll(images)) {
      if (this.#seen.has(image) || image.alt || image.closest(DECORATION)) continue;
      this.#seen.add(image);
      this.#inView.observe(image);
    }
  }

  async #reach(image) {
    this.#inView.unobserve(image);
    try {
      await image.decode(); // its size is known then
      const { width, height } = image.getBoundingClientRect();
      if (Math.min(width, height) < this.#options.minimumSize) return;
      if (!(await (this.#allowed ??= this.#ask())) || this.#stop.signal.aborted) return;
      await this.#describe(image);
    } catch (error) {
      this.#fail(image, error);
    }
  }

  /** Whether the visitor agrees; without an answer it stays open. */
  async #ask() {
    const { consent, ask, choice } = this.#options;
    if (consent === "given") return true;
    const model = await describeModel(choice.model);
    if (await isAgreed(model.name)) return true;
    const { signal } = this.#stop;
    const answer = new AbortController(); // ends the asking when another button on this page was pressed
    const elsewhere = agreement(model.name, answer.signal).then(() => true);
    const here = Promise.resolve(ask(model, AbortSignal.any([signal, answer.signal])));
    const agreed = await Promise.race([elsewhere, here]);
    answer.abort();
    if (agreed) agree(model.name);
    return agreed;
  }

  async #describe(image) {
    const { choice, write } = this.#options;
    const { prompt, ...model } = choice;
    const { signal } = this.#stop;
    const caption = await withSharedModel(model, { signal }, (shared) => shared.caption(image, { prompt, signal }));
    if (image.alt) return; // somebody has written a better one meanwhile
    image.alt = write(caption.text, image);
    if (!/^en\b/i.test(image.closest("[lang]")?.lang ?? "")) image.lang = "en"; // so that it is pronounced as English
    image.setAttribute("is-captioned", "done");
    image.dispatchEvent(new CustomEvent("captioned", { bubbles: true, detail: caption }));
  }

  #fail(image, error) {
    if (this.#stop.signal.aborted) return;
    image.dispatchEvent(new CustomEvent("captionfailed", { bubbles: true, detail: error }));
  }
}
