// The question of fillAlt(), at the bottom of the page: may a model be downloaded to describe the
// pictures that have no description? It takes no focus, and "Not now" holds until the tab is closed.

import { sizeInWords } from "./consent.js";

const REFUSED = "obscura-refused"; // in sessionStorage
const STYLE = `
  :host { all: initial; position: fixed; inset: auto 0 0 0; z-index: 2147483647; font: 16px/1.5 system-ui, sans-serif; color-scheme: light dark }
  section { display: flex; flex-wrap: wrap; gap: 0.5em 1em; align-items: center; padding: 0.75em 1em;
    background: light-dark(#fff, #1c1c1c); color: light-dark(#1c1c1c, #f2f2f2); border-top: 2px solid currentcolor }
  p { flex: 1 1 20em; margin: 0 }
  button { font: inherit; min-height: 2.75em; padding: 0.3em 1em; cursor: pointer }
`;

/** Resolves with the answer; `signal` takes the question away, then it never resolves. */
export function askInBanner({ name, bytes }, signal) {
  if (wasRefused()) return Promise.resolve(false);
  return new Promise((answered) => {
    const size = sizeInWords(bytes);
    const text = document.createElement("p");
    text.textContent =
      "Some pictures on this page have no description. They can be described on this device: a model " +
      `(${[name, size].filter(Boolean).join(", ")}) is downloaded once, the pictures go nowhere.`;
    const banner = show([text, button("Describe pictures", () => answer(true)), button("Not now", () => answer(false))]);
    signal?.addEventListener("abort", () => banner.remove());
    const answer = (agreed) => {
      banner.remove();
      if (!agreed) rememberRefusal();
      answered(agreed);
    };
  });
}

function show(content) {
  const banner = document.createElement("obscura-question");
  const root = banner.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  const section = document.createElement("section");
  section.lang = "en";
  section.setAttribute("aria-label", "Descriptions of pictures");
  section.append(...content);
  root.append(section);
  document.body.append(banner);
  return banner;
}

function button(label, act) {
  const node = document.createElement("button");
  node.type = "button";
  node.textContent = label;
  node.addEventListener("click", act);
  return node;
}

function wasRefused() {
  try {
    return sessionStorage.getItem(REFUSED) !== null;
  } catch {
    return false;
  }
}

function rememberRefusal() {
  try {
    sessionStorage.setItem(REFUSED, "1");
  } catch {
    // It is asked again on the next page.
  }
}
