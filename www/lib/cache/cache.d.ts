/** A model that is kept in this browser, for this site. */
export interface KeptModel {
  id: string;
  /** As it was asked for. */
  source: string;
  /** As it was asked for. */
  dtype: string;
  /** On disk. */
  bytes: number;
  /** `false`: a load stopped in the middle, and the next one goes on from there. */
  complete: boolean;
  /** Milliseconds since 1970, as `Date.now()` counts. */
  lastUsed: number;
}

export const cache: {
  /** Last used first; empty where the browser can keep nothing. */
  list(): Promise<KeptModel[]>;
  /** Bytes in all. */
  size(): Promise<number>;
  /** Deletes one, or all. One that is being loaded at the moment is refused with `bad_input`. */
  clear(id?: string): Promise<void>;
};
