// A list of texts with a bar behind each that shows its share.

import { element, make } from "./elements.js";

/** `bars` are {text, share: 0 to 1, number, detail?}; what was there before changes in place, so that bars move. */
export function showBars(id, bars) {
  const list = element(id);
  const lines = new Map([...list.children].map((line) => [line.dataset.text, line]));
  list.replaceChildren(
    ...bars.map(({ text, share, number }) => {
      const line = lines.get(text) ?? make("li", {}, make("span"), make("span", { className: "number" }));
      line.dataset.text = text;
      line.style.setProperty("--share", `${100 * share}%`);
      line.firstChild.textContent = text;
      line.lastChild.textContent = number;
      return line;
    }),
  );
}
