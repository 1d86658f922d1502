// <obscura-caption src="photo.jpg" model="owner/name">: a picture with its description under it,
// written word by word on the visitor's device. Begins when the picture comes into view and the
// visitor has agreed to the download of the model. Attributes, events and parts: element.d.ts.

import { agree, agreement, describeModel, isAgreed, sizeInWords } from "./consent.js";
import { withSharedModel } from "./shared-model.js";

const ATTRIBUTES = ["src", "model", "device", "dtype", "prompt", "crossorigin", "loading", "consent"];
const NEAR = "200px"; // how far below the window is soon to be seen

const STYLE = `
  :host { display: block }
  :host([hidden]) { display: none }
  figure { margin: 0 }
  img { display: block; max-width: 100%; height: auto }
  figcaption { min-height: 1.5em; margin-block-start: 0.4em; line-height: 1.5 }
  button { font: inherit; margin-block-start: 0.4em; padding: 0.3em 0.8em; min-height: 2.75em; cursor: pointer }
  progress { inline-size: 100%; max-inline-size: 20em }
  p { margin: 0 } p + p { margin-block-start: 0.4em }
  [hidden] { display: none }
`;

/** Outside browsers, where pages are rendered on servers, there is nothing to extend. */
const Base = globalThis.HTMLElement ?? class {};

export class ObscuraCaption extends Base {
  static observedAttributes = ATTRIBUTES;

  #parts;
  #stop = null; // ends what is going on
  #caption = null;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    this.#parts = build(root);
    this.#parts.ask.addEventListener("click", () => {
      this.describe();
      this.#parts.text.focus(); // the button is about to vanish
    });
  }

  connectedCallback() {
    this.#restart();
  }

  disconnectedCallback() {
    this.#stop?.abort();
  }

  attributeChangedCallback(name, before, after) {
    if (this.isConnected && before !== after) this.#restart();
  }

  /** {text, tokens, score} once it is there. */
  get caption() {
    return this.#caption;
  }

  /** @returns {"waiting" | "asking" | "loading" | "describing" | "done" | "failed"} */
  get state() {
    return this.getAttribute("state") ?? "waiting";
  }

  /** Describes the picture now. To call it is to agree to the download. */
  async describe() {
    this.#stop?.abort();
    const { signal } = (this.#stop = new AbortController());
    try {
      const { name } = await describeModel(this.#attribute("model"));
      agree(name);
      await this.#run(signal);
    } catch (error) {
      this.#fail(error, signal);
    }
  }

  #attribute(name) {
    return this.getAttribute(name) || undefined;
  }

  #restart() {
    this.#stop?.abort();
    this.#stop = new AbortController();
    this.#caption = null;
    this.#show("waiting", "Not described yet.");
    const { image } = this.#parts;
    const source = this.#attribute("src");
    image.loading = this.getAttribute("loading") === "eager" ? "eager" : "lazy";
    if (this.hasAttribute("crossorigin")) image.crossOrigin = this.getAttribute("crossorigin");
    else image.removeAttribute("crossorigin");
    image.hidden = !source;
    if (!source) return;
    image.src = new URL(source, document.baseURI);
    this.#begin(this.#stop.signal);
  }

  /** Waits for its turn: in view, then agreed to. */
  async #begin(signal) {
    try {
      if (this.getAttribute("loading") !== "eager") await comesIntoView(this, signal);
      const { name, bytes } = await describeModel(this.#attribute("model"));
      if (this.getAttribute("consent") !== "given" && !(await isAgreed(name))) {
        if (signal.aborted) return;
        this.#ask(bytes);
        await agreement(name, signal);
      }
      if (!signal.aborted) await this.#run(signal);
    } catch (error) {
      this.#fail(error, signal);
    }
  }

  #ask(bytes) {
    const size = sizeInWords(bytes);
    this.#show("asking", "Not described yet.");
    this.#parts.note.hidden = this.#parts.ask.hidden = false;
    this.#parts.size.textContent = size ? `, ${size},` : "";
  }

  async #run(signal) {
    const { text, image, bar } = this.#parts;
    const [model, device, dtype, prompt] = ["model", "device", "dtype", "prompt"].map((name) => this.#attribute(name));
    const onProgress = ({ status, loaded, total }) => {
      if (signal.aborted || status !== "progress_total" || !(total > 0)) return;
      [bar.value, bar.max, bar.hidden] = [loaded, total, false];
    };
    image.loading = "eager";
    if (image.complete && image.naturalWidth === 0) image.src = image.src; // it failed: another try
    this.#show("loading", "The model is being loaded.");
    const caption = await withSharedModel({ model, device, dtype }, { signal, onProgress }, (shared) => {
      this.#show("describing", "");
      text.setAttribute("aria-busy", "true"); // read out as a whole, not word by word
      return shared.caption(image, { prompt, signal, onToken: (piece) => signal.aborted || text.append(piece) });
    });
    if (signal.aborted) return;
    this.#caption = caption;
    this.#show("done", caption.text);
    this.dispatchEvent(new CustomEvent("captioned", { bubbles: true, composed: true, detail: caption }));
  }

  #fail(error, signal) {
    if (signal.aborted) return;
    this.#show("failed", `This picture could not be described: ${error.message}`);
    this.#parts.ask.hidden = false;
    this.dispatchEvent(new CustomEvent("captionfailed", { bubbles: true, composed: true, detail: error }));
  }

  #show(state, message) {
    const { text, note, ask, bar } = this.#parts;
    this.setAttribute("state", state);
    text.removeAttribute("aria-busy");
    if (text.textContent !== message) text.textContent = message;
    note.hidden = ask.hidden = bar.hidden = true;
  }
}

/** The shadow tree; made of nodes and a constructed style sheet, which strict security policies allow. */
function build(root) {
  const make = (tag, attributes, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  const image = make("img", { part: "image", "aria-labelledby": "text" });
  const text = make("p", { id: "text", part: "text", role: "status", lang: "en", tabindex: "-1" });
  const size = make("span", {});
  const reason = ["A description can be written on this device; the model", size, " is downloaded once, the picture goes nowhere."];
  const note = make("p", { part: "note", id: "note" }, make("slot", { name: "note" }, ...reason));
  const ask = make("button", { part: "button", type: "button", "aria-describedby": "note" }, make("slot", { name: "ask" }, "Describe this picture"));
  const bar = make("progress", { part: "progress", "aria-label": "Loading the model" });
  root.append(make("figure", { part: "figure" }, image, make("figcaption", { part: "caption" }, text, note, ask, bar)));
  return { image, text, note, ask, bar, size };
}

function comesIntoView(element, signal) {
  return new Promise((seen) => {
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      seen();
    }, { rootMargin: NEAR });
    observer.observe(element);
    signal.addEventListener("abort", () => observer.disconnect());
  });
}
