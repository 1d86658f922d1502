// What a server's refusal means and what to do about it.

import { ObscuraError } from "../errors/error.js";

/** An answer other than 200 and 206 as an error; `retriable` and `retryAfterMs` say whether and when to ask again. */
export function explainStatus(response, name, { begun, maxRetryAfterMs }) {
  const { status } = response;
  const error = new ObscuraError("network", `${name}: ${describe(response)}`);
  error.status = status;
  const denied = status === 401 || status === 403;
  error.retriable = status === 408 || status === 425 || status === 429 || status >= 500 || (denied && begun);
  const wanted = retryAfter(response.headers.get("Retry-After"));
  if (wanted !== null) {
    error.retryAfterMs = wanted;
    if (wanted > maxRetryAfterMs) {
      error.retriable = false;
      error.message += ` It wants to be left alone for ${Math.ceil(wanted / 1000)} seconds.`;
    }
  }
  return error;
}

function describe(response) {
  const answered = `the server answered ${response.status}${response.statusText ? ` ${response.statusText}` : ""}`;
  const code = response.headers.get("X-Error-Code");
  switch (response.status) {
    case 401:
    case 403: {
      const which = code === "GatedRepo" ? "The model is gated: accept its terms on its page first" : "The model is private or gated, or does not exist";
      return `${answered}. ${which}. If you have access, pass your access token: load(id, { hub: { token } }).`;
    }
    case 429:
      return `${answered}: too many requests. Wait a little and try again.`;
    default:
      return response.status >= 500 ? `${answered}: it has trouble of its own. Try again later.` : `${answered}.`;
  }
}

/** Milliseconds, from seconds or a date; null without the header. */
function retryAfter(value) {
  if (!value) return null;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : null;
}

/** A request without an answer. Browsers do not say why: no connection, no such host, or no CORS headers. */
export function unreachable(url, name, cause, { begun, patience }) {
  const { origin } = new URL(url);
  const { location } = globalThis; // in Deno that of a file
  const foreign = location && location.protocol !== "file:" && location.origin !== origin;
  const offline = globalThis.navigator?.onLine === false;
  const hint = offline
    ? "This device is offline: connect it, or load a model that has been loaded here before."
    : foreign && !begun
      ? `Check the address and the connection. ${origin} must also allow this page by CORS headers (Access-Control-Allow-Origin).`
      : "Check the address and the connection, then try again.";
  const error = new ObscuraError("network", `${name} could not be fetched (${cause.cause?.code ?? cause.message}). ${hint}`, { cause });
  return Object.assign(error, { retriable: true, patience: offline ? 0 : patience });
}
