// Numbers and lists in words.

export { megabytes } from "./pace.js";

export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

export function duration(milliseconds) {
  return milliseconds < 1000 ? `${Math.ceil(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** "1 picture", "3 pictures". */
export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** The different texts between separators, without what is empty. */
export function splitTexts(value, separator) {
  return [...new Set(value.split(separator).map((text) => text.trim()))].filter(Boolean);
}

export function gigabytes(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${Math.round(bytes / 1e6)} MB`;
}
