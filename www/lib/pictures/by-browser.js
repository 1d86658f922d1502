// The browser's own decoder, for what obscura's does not read: other formats (AVIF, HEIC, ...), and the
// rarer forms of its own. Its pixels may differ from browser to browser, so whoever wants to know hears
// of it. Works on a page and in a worker; not in Node.js.

/**
 * "note": pictures were decoded by the browser; `event.detail` is {format?, message}.
 * The bridge passes on what workers note.
 */
export const notes = new EventTarget();

export const note = (detail) => notes.dispatchEvent(new CustomEvent("note", { detail }));

/** {rgba, width, height}, or null where this browser does not read it either. */
export async function decodeByBrowser(blob) {
  if (!globalThis.createImageBitmap) return null;
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    return { rgba: context.getImageData(0, 0, width, height).data.buffer, width, height };
  } catch {
    return null;
  } finally {
    bitmap?.close();
  }
}

/** What is said of such a picture. */
export const wordsOn = (name) =>
  `${name || "The picture"} was decoded by the browser, as obscura does not read its form: the pixels may differ from browser to browser.`;
