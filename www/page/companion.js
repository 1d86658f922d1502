// The second model that Compare needs, beside the loaded one. The small CLIP that comes with the page is fetched
// when the section is opened, for the embedded BLIP to be compared with; any other can be chosen.

import { element, hideError, onPick, onSubmit, showError } from "./elements.js";
import { beside, companion, describeModel, main } from "./model.js";

const SUGGESTED = { clip: "openai/clip-vit-base-patch32", blip: "Salesforce/blip-image-captioning-base" };

/** Which of the two a model can be: a SigLIP compares as a CLIP does. */
const roleOf = ({ info }) => (info.family === "blip" ? "blip" : "clip");

let isDeclined = false; // the one that comes with the page: it was cancelled, or failed

/** {clip, blip}, the models' slots, or null while one of them is missing. */
export function pair() {
  const loaded = [main, companion].filter(({ model }) => model);
  const found = Object.fromEntries(loaded.map((slot) => [roleOf(slot.model), slot]));
  return found.clip && found.blip ? found : null;
}

/** Fetches the small one, for the embedded one, unless another was asked for. */
export async function openBeside() {
  if (!main.entry || !main.model || isDeclined || companion.phase !== "none") return;
  const entry = await beside();
  if (!entry || !main.entry || companion.phase !== "none") return showOther(true);
  isDeclined = true; // until it is there
  await open(entry.url, entry.id, entry);
  isDeclined = companion.phase !== "ready";
}

/** On the same device and in the same format as was chosen for the first model. */
function open(source, title, entry = null) {
  const address = entry ? new URL(source).pathname : source; // of this site: no other host is allowed for it
  return companion.open(address, { title, entry, device: element("model-device").value, dtype: element("model-dtype").value });
}

function showOther(isOpen) {
  element("companion-other").open ||= isOpen;
}

export function showCompanion() {
  const other = main.model && roleOf(main.model) === "clip" ? "blip" : "clip";
  const field = element("companion-source");
  if (Object.values(SUGGESTED).includes(field.value)) field.value = SUGGESTED[other];
  element("companion-status").textContent = words(other);
  const isLoading = companion.phase === "loading";
  element("companion-loading").hidden = !isLoading;
  if (isLoading) {
    element("companion-progress").removeAttribute("value");
    element("companion-bytes").textContent = "Starting…";
  }
  if (companion.phase === "failed") showError("companion-error", companion.error);
  else hideError("companion-error");
  if (main.model && !pair() && !isLoading && (!main.entry || isDeclined)) showOther(true);
}

function words(other) {
  const { model, phase, title } = companion;
  if (phase === "loading") return companion.entry ? "A small CLIP is fetched from this site." : `Loading ${title} beside ${main.title}.`;
  if (!main.model) return "Load a model first.";
  if (pair()) return `${main.title}, and beside it ${title}: ${describeModel(model.info)}.`;
  return model ? `Both are of one family: load a ${other.toUpperCase()} beside ${main.title}.` : `A ${other.toUpperCase()} is missing beside ${main.title}.`;
}

/** `changed` is called when there is another pair, or none. */
export function startCompanion(changed) {
  onSubmit("companion-form", () => {
    const source = element("companion-source").value.trim();
    if (source) open(source, source);
    else element("companion-source").focus();
  });
  onPick("companion-pick", "companion-file", (files) => {
    if (files.length > 0) open(files.length === 1 ? files[0] : files, files[0].name);
  });
  element("companion-stop").addEventListener("click", () => {
    companion.cancel();
    element("compare-heading").focus(); // the button is gone
  });
  companion.addEventListener("change", changed);
  companion.addEventListener("progress", ({ detail: { percent, words: said } }) => {
    element("companion-progress").value = percent;
    element("companion-bytes").textContent = said;
  });
  main.addEventListener("change", changed);
  showCompanion();
}
