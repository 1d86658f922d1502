// Two models, one call: CLIP chooses among labels and BLIP writes, about the same picture. One of them is
// the loaded model; the other, of the other family, is loaded beside it.

import { compare } from "../lib/model/compare.js";
import { showBars } from "./bars.js";
import { element, hideError, onPick, onSubmit, showError } from "./elements.js";
import { companion, describeModel, main } from "./model.js";
import { currentPicture, events } from "./pictures.js";
import { percent, splitTexts } from "./words.js";
import { perform } from "./work.js";

const SUGGESTED = { clip: "openai/clip-vit-base-patch32", blip: "Salesforce/blip-image-captioning-base" };

/** Which of the two a model can be: a SigLIP compares as a CLIP does. */
const roleOf = ({ info }) => (info.family === "blip" ? "blip" : "clip");

const roles = () => [main, companion].filter(({ model }) => model).map(({ model }) => roleOf(model));

/** {clip, blip}, or null while one of them is missing. */
function pair() {
  const found = Object.fromEntries([main, companion].filter(({ model }) => model).map(({ model }) => [roleOf(model), model]));
  return found.clip && found.blip ? found : null;
}

function show() {
  const other = main.model && roleOf(main.model) === "clip" ? "blip" : "clip";
  const field = element("companion-source");
  if (Object.values(SUGGESTED).includes(field.value)) field.value = SUGGESTED[other];
  const words = main.model ? [`Loaded: ${main.title} (${main.model.info.family.toUpperCase()}).`] : ["Load a model first."];
  if (companion.model) words.push(`Beside it: ${companion.title}: ${describeModel(companion.model.info)}.`);
  if (main.model && !pair()) words.push(roles().length === 2 ? `Both are of one family: load a ${other.toUpperCase()} instead.` : `A ${other.toUpperCase()} is missing.`);
  element("companion-status").textContent = words.join(" ");
  element("companion-stop").disabled = companion.phase !== "loading";
  element("compare-button").disabled = !pair() || !currentPicture();
  if (companion.phase === "loading") element("companion-progress").removeAttribute("value");
  else Object.assign(element("companion-progress"), { value: companion.model ? 100 : 0 });
  element("companion-bytes").textContent = companion.phase === "loading" ? "Starting…" : "";
  if (companion.phase === "failed") showError("companion-error", companion.error);
  else hideError("companion-error");
}

/** On the same device and in the same format as was chosen for the first model. */
function openCompanion(source, title) {
  return companion.open(source, { title, device: element("model-device").value, dtype: element("model-dtype").value });
}

async function run() {
  const models = pair();
  const picture = currentPicture();
  const labels = splitTexts(element("compare-labels").value, /[,\n]/);
  await perform("compare", { place: "picture", doing: "Both are looking…" }, async (signal) => {
    const { labels: chosen, caption } = await compare(models, picture.file, { labels, signal });
    const bars = (scores) => scores.map(({ label, score }) => ({ text: label, share: score, number: percent(score) }));
    showBars("compare-labels-result", bars(chosen));
    element("compare-caption").textContent = caption.text;
    const ofBlip = models.blip.info.tasks.includes("classify") ? await models.blip.classify(picture.file, labels, { signal }) : [];
    showBars("compare-blip-result", bars(ofBlip));
    return `CLIP chooses ${chosen[0].label}, ${percent(chosen[0].score)}. BLIP says: ${caption.text}`;
  });
}

function forget() {
  for (const id of ["compare-labels-result", "compare-caption", "compare-blip-result"]) element(id).replaceChildren();
  show();
}

export function startCompare() {
  onSubmit("compare-form", run);
  onSubmit("companion-form", () => {
    const source = element("companion-source").value.trim();
    if (source) openCompanion(source, source);
    else element("companion-source").focus();
  });
  onPick("companion-pick", "companion-file", (files) => {
    if (files.length > 0) openCompanion(files.length === 1 ? files[0] : files, files[0].name);
  });
  element("companion-stop").addEventListener("click", () => companion.cancel());
  companion.addEventListener("change", show);
  companion.addEventListener("progress", ({ detail: { percent: value, words } }) => {
    element("companion-progress").value = value;
    element("companion-bytes").textContent = words;
  });
  main.addEventListener("change", forget);
  events.addEventListener("change", forget);
  show();
}
