interface NamedEvent {
  /** The model as it was asked for, or the embedded model's id. */
  name: string;
}

interface CountedEvent extends NamedEvent {
  /** Bytes so far, what was kept from an earlier load included. */
  loaded: number;
  total: number;
  /** 0 to 100. */
  progress: number;
}

/** One step of one file: `initiate`, `download`, then `progress` (about ten a second at most), `done`. */
export interface FileProgressEvent extends CountedEvent {
  status: "initiate" | "download" | "progress" | "done";
  file: string;
}

/** All files together, about ten a second at most, from the moment when the sum is known; it never falls. */
export interface TotalProgressEvent extends CountedEvent {
  status: "progress_total";
  files: Record<string, { loaded: number; total: number }>;
}

/** The last event: the model can be used. */
export interface ReadyEvent extends CountedEvent {
  status: "ready";
  file: string;
}

/**
 * Something to tell people: `warning`, the load goes on, but the model is not kept, or is loaded from
 * its start again; `waiting`, another tab is loading the same model, which is then read from the cache.
 */
export interface NoticeEvent extends NamedEvent {
  status: "warning" | "waiting";
  message: string;
}

export type ProgressEvent = FileProgressEvent | TotalProgressEvent | ReadyEvent | NoticeEvent;
