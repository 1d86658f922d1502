/** How a call can fail. The message of the error says what to do. */
export type ErrorCode =
  /** The picture is unreadable, too large, empty, or of an unknown format. */
  | "bad_image"
  /** The model file is truncated, inconsistent, or lacks something. */
  | "bad_weights"
  /** An argument is unusable: no labels, an empty text, an unknown option, nothing that can be a model. */
  | "bad_input"
  /** The model has no head for the task; `model.info.tasks` lists those it has. */
  | "unsupported_task"
  /** The requested device does not exist here. */
  | "no_device"
  /** The model or the call does not fit into memory. */
  | "out_of_memory"
  /** A download failed: no connection, no such file, no permission, or it broke off too often. */
  | "network"
  /** A file is not the one that `sha256` promises. */
  | "integrity"
  /** The GPU went away, or the engine crashed, in the middle of the work. The model's next call loads it again. */
  | "device_lost"
  /** The call's `signal` was aborted, or the model disposed of. */
  | "aborted";

/** What every rejected promise of this module carries. */
export class ObscuraError extends Error {
  constructor(code: ErrorCode, message: string, options?: ErrorOptions);
  readonly name: "ObscuraError";
  readonly code: ErrorCode;
}
