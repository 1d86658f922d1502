import type { EmbedInput, Model } from "../model/model.js";
import type { CallOptions } from "../model/options.js";
import type { PictureSource } from "../pictures/picture.js";

export interface AlbumOptions {
  /**
   * The picture of a key, in any form, or `null` where it is gone. With it, and a BLIP that can match, a
   * text's best candidates are looked at again together with the text.
   */
  picture?(key: string): PictureSource | null | Promise<PictureSource | null>;
  /** The text of a key, or `null`: the same for albums of texts that are searched by pictures. */
  text?(key: string): string | null | Promise<string | null>;
  /** Default `true`. `false`: an album in memory, gone when it is closed. */
  persistent?: boolean;
}

export interface SearchOptions extends CallOptions {
  /** How many to find. Default 20. */
  limit?: number;
  /**
   * How many of the best to look at again and order anew, where the model and the album's options
   * allow it. Default 16; the paper has 128 and 256; 0 for none.
   */
  rerank?: number;
  /**
   * Leaves out what belongs to a text with less than this probability, 0 to 1, so that a search for what is not there
   * finds nothing. A SigLIP has probabilities of its own; else a picture has to be nearer to the text than to texts that
   * say nothing, and the score is the text's share among the two. For texts alone.
   */
  minScore?: number;
}

export interface FoundInAlbum {
  key: string;
  /** The cosine of the two vectors. */
  similarity: number;
  /** That text and picture belong together, 0 to 1; there only for what was looked at again, and with `minScore`. */
  probability?: number | null;
}

export interface AlbumProgress {
  done: number;
  total: number;
}

/** Vectors of pictures or texts under keys of your own, in this browser, for this site. */
export interface Album {
  readonly name: string;
  /** `false` where the browser has no private file system: the album is then in memory. */
  readonly persistent: boolean;
  /** How many vectors there were when the last call ended. */
  readonly size: number;

  /**
   * Adds a picture, a text (a string), or a vector, and resolves when it is on disk. A key that is there
   * already gets the new one. Additions that wait together are written together.
   */
  add(key: string, input: EmbedInput | Float32Array, options?: CallOptions): Promise<void>;

  /** Resolves with how many of the keys there were. */
  delete(key: string | string[]): Promise<number>;

  /** Nearest first; what was looked at again comes before everything else, best first. */
  search(
    query: string | Exclude<PictureSource, string> | Float32Array,
    options?: SearchOptions,
  ): Promise<FoundInAlbum[]>;

  /** In the order of adding. */
  keys(): Promise<string[]>;

  /** The vectors as an `.npy` file of float32, `[size, width]`, and their keys as a JSON list, in the same order. */
  export(options?: { progress?(progress: AlbumProgress): void; signal?: AbortSignal }): Promise<{ vectors: Blob; keys: Blob }>;

  /** Adds what an export, or NumPy, has written; float16 and float64 are read, too. Resolves with how many there were. */
  import(
    files: { vectors: Blob; keys: Blob },
    options?: { progress?(progress: AlbumProgress): void; signal?: AbortSignal },
  ): Promise<number>;

  /** Deletes everything in it. */
  clear(): Promise<void>;

  /** Lets go of the album's file and worker. The model stays. */
  close(): Promise<void>;
}

/**
 * Opens the album of that name, a new one if there is none. Vectors come from `model`; an album
 * refuses every other one, and one dtype's album another dtype's, with `bad_input`. But a text encoder alone may search
 * where its texts lie among the album's vectors: one for other languages, or the model's own. Without a model an album holds
 * and finds vectors that you bring. It is open in one tab at a time.
 *
 * ```js
 * const album = await openAlbum("holidays", model, { picture: (key) => files.get(key) });
 * for (const [name, file] of files) await album.add(name, file);
 * const [best] = await album.search("a dog on a beach"); // {key, similarity, probability}
 * ```
 */
export function openAlbum(name: string, model?: Model | null, options?: AlbumOptions): Promise<Album>;

/** Deletes the album of that name, with all that is in it. One that is open is refused with `bad_input`. */
export function deleteAlbum(name: string): Promise<void>;
