// Small copies of the indexed pictures, kept in IndexedDB: on a later visit the page may not read the
// folder any more, but it can still show what it finds, and look at it again.

const LONGEST = 384; // pixels, what BLIP sees
const DATABASE = "obscura-thumbnails";

let opened = null;

function database() {
  opened ??= new Promise((done, failed) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore("pictures");
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
  return opened;
}

async function run(mode, act) {
  const transaction = (await database()).transaction("pictures", mode);
  const request = act(transaction.objectStore("pictures"));
  return new Promise((done, failed) => {
    transaction.oncomplete = () => done(request.result);
    transaction.onabort = transaction.onerror = () => failed(transaction.error ?? request.error);
  });
}

// [album, key] is the key, so that one album's are a range.
const rangeOf = (album) => IDBKeyRange.bound([album], [album, []]);

export const keepThumbnail = (album, key, blob) => run("readwrite", (store) => store.put(blob, [album, key]));
export const findThumbnail = (album, key) => run("readonly", (store) => store.get([album, key]));
export const dropThumbnail = (album, key) => run("readwrite", (store) => store.delete([album, key]));
export const dropThumbnails = (album) => run("readwrite", (store) => store.delete(rangeOf(album)));

/** A small copy of a picture. */
export async function shrink(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/webp", quality: 0.85 });
}
