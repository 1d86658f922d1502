// The models that are kept where no file of a private file system can be written: in the Cache API, one cache an
// entry. It takes whole files only, so an entry is collected as Blobs, which the browser may hold on
// disk, and put there when its load ends; what a closed tab had is lost.

const PREFIX = "obscura:";
const FILES = ["model.gguf", "journal", "meta.json"];

/** In browsers: what Deno keeps in a thread the program does not see, so nobody could clear it. */
export const isAvailable = () => Boolean(globalThis.caches && globalThis.navigator?.locks && !globalThis.Deno);

/** What `Entry` of cache.js is, over the Cache API. */
export class CachedEntry {
  meta = null;
  stores = { model: new BlobStore(), journal: new BytesStore() };
  #id;
  #release;

  /** null where there is no Cache API. */
  static async open(id, release, parseMeta) {
    if (!isAvailable()) return null;
    const entry = new CachedEntry(id, release);
    const [model, journal, meta] = await Promise.all(FILES.map((name) => readFile(id, name)));
    if (model && journal && meta) {
      entry.meta = parseMeta(new Uint8Array(await meta.arrayBuffer()));
      if (entry.meta) entry.stores = { model: new BlobStore(model), journal: new BytesStore(new Uint8Array(await journal.arrayBuffer())) };
    }
    return entry;
  }

  constructor(id, release) {
    this.#id = id;
    this.#release = release;
  }

  journal() {
    return this.stores.journal.bytes;
  }

  reset() {
    for (const store of Object.values(this.stores)) store.truncate(0);
    this.meta = null;
  }

  save(meta) {
    this.meta = meta;
  }

  get bytes() {
    return this.stores.model.size() + this.stores.journal.size();
  }

  /** Keeps what has been collected. Where there is no room for it the entry goes, and what to say of it comes back. */
  async close() {
    if (!this.meta || this.stores.model.size() === 0) return this.remove();
    try {
      const contents = [this.stores.model.blob, this.stores.journal.bytes, JSON.stringify(this.meta)];
      const kept = await caches.open(PREFIX + this.#id);
      for (const [index, name] of FILES.entries()) await kept.put(addressOf(this.#id, name), new Response(contents[index]));
    } catch (error) {
      await caches.delete(PREFIX + this.#id).catch(() => {});
      return `The model is not kept for the next time: ${error.message}`;
    } finally {
      this.#release();
    }
  }

  async remove() {
    await caches.delete(PREFIX + this.#id);
    this.#release();
  }
}

/** A file that is appended to, and now and then mended in the middle. */
class BlobStore {
  constructor(blob = new Blob()) {
    this.blob = blob;
  }

  size() {
    return this.blob.size;
  }

  async read(offset, length) {
    return new Uint8Array(await this.blob.slice(offset, offset + length).arrayBuffer());
  }

  write(offset, bytes) {
    const gap = new Uint8Array(Math.max(0, offset - this.blob.size));
    this.blob = new Blob([this.blob.slice(0, offset), gap, bytes, this.blob.slice(offset + bytes.length)]);
  }

  truncate(size) {
    this.blob = this.blob.slice(0, size);
  }

  flush() {}
}

/** A small file, whole in memory. */
class BytesStore {
  constructor(bytes = new Uint8Array()) {
    this.bytes = bytes;
  }

  size() {
    return this.bytes.length;
  }

  read(offset, length) {
    return this.bytes.slice(offset, offset + length);
  }

  write(offset, bytes) {
    const grown = new Uint8Array(Math.max(this.bytes.length, offset + bytes.length));
    grown.set(this.bytes);
    grown.set(bytes, offset);
    this.bytes = grown;
  }

  truncate(size) {
    this.bytes = this.bytes.slice(0, size);
  }

  flush() {}
}

/** [id, model, journal, meta] of every entry, as Blobs or null. */
export async function cachedEntries() {
  if (!isAvailable()) return [];
  const names = (await caches.keys().catch(() => [])).filter((name) => name.startsWith(PREFIX));
  return Promise.all(names.map(async (name) => {
    const id = name.slice(PREFIX.length);
    return [id, ...(await Promise.all(FILES.map((file) => readFile(id, file))))];
  }));
}

export const removeCached = (id) => (isAvailable() ? caches.delete(PREFIX + id).catch(() => false) : false);

async function readFile(id, name) {
  const kept = await caches.match(addressOf(id, name), { cacheName: PREFIX + id });
  return kept ? kept.blob() : null;
}

/** The Cache API knows files by addresses, of the web only; nothing is ever fetched from these. */
const addressOf = (id, name) => new URL(`/kept/${id}/${name}`, /^http/.test(location.origin) ? location.origin : "https://obscura.invalid");
