// fillAlt(): descriptions for the pictures of a page that have none. Types: alt.d.ts.

export { fillAlt } from "./lib/elements/fill-alt.js";
