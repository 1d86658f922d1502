// What is said where the engine could not be loaded.

import { platform } from "../platform/platform.js";

/** Why the engine is not there, and what to do. */
export function engineFailure({ name, message }) {
  const isForbidden = name === "CompileError" && /Content.Security.Policy|\bCSP\b/i.test(message);
  const advice = isForbidden ? "The page's Content-Security-Policy has to allow 'wasm-unsafe-eval' in script-src." : platform.words.noEngine;
  return `The engine in pkg/ could not be loaded: ${message.replace(/[\s.]+$/, "")}. ${advice}`;
}
