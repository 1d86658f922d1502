// The one error class of the JavaScript side, shared by the page's thread and the worker.

/** @type {readonly string[]} every value that `error.code` can have. */
export const ERROR_CODES = Object.freeze([
  "bad_image",
  "bad_weights",
  "bad_input",
  "unsupported_task",
  "no_device",
  "out_of_memory",
  "network",
  "integrity",
  "device_lost",
  "aborted",
]);

/** An error with a stable `code` for programs and a message that tells people what to do. */
export class ObscuraError extends Error {
  /** @type {"ObscuraError"} */
  name = "ObscuraError";

  constructor(code, message, options) {
    super(message, options);
    this.code = code;
  }
}
