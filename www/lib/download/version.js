// Which version of a file an answer is of, by ETag, date and length, and that two are not the same.

import { ObscuraError } from "../errors/error.js";

/** The file is not the one whose first part was read: what was made of that part is worthless. */
export class ChangedError extends ObscuraError {
  constructor(name) {
    super("network", `${name} changed on the server while it was being read. Load it again.`);
    this.changed = true;
  }
}

/** What an answer tells: {size, etag, modified}, each null where it does not. */
export function versionOf(headers, size) {
  return { size, etag: headers.get("ETag"), modified: headers.get("Last-Modified") };
}

/** Whether nothing contradicts that both are the same; lengths of compressed answers say nothing. */
export function isSameVersion(known, found, ignoreSize = false) {
  const plain = (etag) => etag.replace(/^W\//, "");
  if (known.etag && found.etag) {
    if (plain(known.etag) !== plain(found.etag)) return false;
  } else if (known.modified && found.modified && known.modified !== found.modified) return false;
  const bothSized = Number.isFinite(known.size ?? Number.NaN) && Number.isFinite(found.size ?? Number.NaN);
  return ignoreSize || !bothSized || known.size === found.size;
}

/** The file's whole length, or null where the answer does not tell. */
export function lengthOf(headers, start, range) {
  if (range && range[2] !== "*") return Number(range[2]);
  const length = headers.get("Content-Length");
  if (headers.has("Content-Encoding") || !/^\d+$/.test(length ?? "")) return null;
  return start + Number(length);
}

