// registerTools(): the tools of a model for the browser's own agent, where the browser has one (WebMCP).

import SCHEMAS from "./tool-schemas.js";

/** Where pages tell their tools; earlier drafts, which browsers still have, put it on the navigator. */
const modelContext = () => globalThis.document?.modelContext ?? globalThis.navigator?.modelContext;

/** See tools.d.ts. */
export function canRegisterTools() {
  return typeof modelContext()?.registerTool === "function";
}

/** See tools.d.ts. */
export async function registerTools(tools, { signal } = {}) {
  if (!canRegisterTools()) return false;
  const context = modelContext();
  for (const { function: { name, description, parameters } } of tools) {
    if (signal?.aborted) return false;
    const { title } = SCHEMAS.find((schema) => schema.name === name) ?? {};
    const execute = (given) => tools.call(name, given, { signal }).catch(told);
    const tool = { name, title, description, inputSchema: parameters, annotations: { readOnlyHint: true }, execute };
    const registered = await context.registerTool(tool, { signal });
    signal?.addEventListener("abort", () => unregister(context, registered, name), { once: true });
  }
  return true;
}

/** A refusal is for the agent to read; browsers hide the words of an error. */
function told(error) {
  return { error: error.message };
}

/** Drafts before the signal had a function for it. */
function unregister(context, registered, name) {
  if (typeof registered?.unregister === "function") registered.unregister();
  else if (typeof context.unregisterTool === "function") context.unregisterTool(name);
}
