// What several calls ask of what they are given; a refusal names what was wrong.

import { describe } from "./describe.js";
import { ObscuraError } from "./error.js";

export function checkOneOf(name, value, allowed) {
  if (allowed.includes(value)) return;
  throw new ObscuraError("bad_input", `${name} is one of ${allowed.join(", ")}, not ${describe(value)}.`);
}

export function checkTexts(name, texts) {
  const isList = Array.isArray(texts) && texts.length > 0;
  const wrong = isList ? texts.find((text) => typeof text !== "string") : texts;
  if (isList && wrong === undefined) return;
  throw new ObscuraError("bad_input", `${name} is a list of at least one text, not ${describe(isList ? [wrong] : texts)}.`);
}
