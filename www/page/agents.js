// The switch that lets the browser's own agent use the loaded model, where the browser has one. Off until somebody
// turns it on, and off again with the page.

import { element, showError } from "./elements.js";
import { main } from "./model.js";
import { currentPicture, pictures } from "./pictures.js";
import { beginCounting } from "./privacy.js";

const hasAgent = () => Boolean(document.modelContext ?? navigator.modelContext);

let agents = null; // the two functions, fetched only where there is an agent
let offered = null; // the AbortController of what is registered

/** By name, or the one that is shown. */
function open(name) {
  beginCounting();
  const picture = name === undefined ? currentPicture() : pictures.find((one) => one.name === name);
  return picture?.file;
}

/** Offers what the loaded model can do, in place of what was offered before. */
async function offer() {
  offered?.abort();
  offered = null;
  if (!element("agents-switch").checked || main.phase !== "ready") return;
  const { signal } = (offered = new AbortController());
  try {
    await agents.registerTools(agents.tools(main.model, { open }), { signal });
  } catch (error) {
    element("agents-switch").checked = false;
    showError("agents-error", error);
  }
}

export async function startAgents() {
  if (!hasAgent()) return;
  const [{ canRegisterTools, registerTools }, { tools }] = await Promise.all([import("../lib/agents/register.js"), import("../lib/agents/tools.js")]);
  if (!canRegisterTools()) return;
  agents = { registerTools, tools };
  element("agents").hidden = false;
  element("agents-switch").addEventListener("change", offer);
  main.addEventListener("change", offer);
}
