// Labels with bars that follow what is typed, and whole sentences matched with the picture.

import { showBars } from "./bars.js";
import { button, element, onSubmit } from "./elements.js";
import { hideHeat, placeOf, showHeat } from "./heat.js";
import { main } from "./model.js";
import { currentPicture, events } from "./pictures.js";
import { percent, splitTexts } from "./words.js";
import { perform } from "./work.js";

const PAUSE_MS = 350; // after the last key
const SHOWN = 10;

let sets = []; // {id, title, labels: string[] | a label set, fits(): boolean}
let timer = null;

/** Where the labels come from: what is typed, or a ready set. */
function chosenLabels() {
  const set = sets.find(({ id }) => id === element("label-set").value);
  return set?.labels ?? splitTexts(element("labels").value, /[,\n]/);
}

/** Runs at once if it can; otherwise nothing happens. */
export async function classify() {
  clearTimeout(timer);
  const picture = currentPicture();
  if (!picture || !main.can("classify")) return;
  const labels = await chosenLabels();
  if (Array.isArray(labels) && labels.length === 0) return showBars("classify-result", []);
  await perform("classify", { place: "picture", doing: "Comparing the labels…" }, async (signal) => {
    const template = element("template").value.trim();
    const options = { signal, ...(Array.isArray(labels) ? { ...(template && { template }) } : { topK: SHOWN }) };
    const scores = await main.model.classify(picture.file, labels, options);
    const bars = scores.slice(0, SHOWN).map(({ label, score }) => ({ text: label, share: score, number: percent(score) }));
    showBars("classify-result", bars);
    element("classify-more").textContent = scores.length > SHOWN ? `The best ${SHOWN} of ${scores.length}.` : "";
    return `Best label: ${bars[0].text}, ${bars[0].number}`;
  });
}

function classifySoon() {
  clearTimeout(timer);
  timer = setTimeout(classify, PAUSE_MS);
}

async function match() {
  const texts = splitTexts(element("texts").value, /\n/);
  const picture = currentPicture();
  await perform("match", { place: "picture", doing: "Comparing the sentences…" }, async (signal) => {
    const matches = await main.model.match(picture.file, texts, { signal, ...(main.can("caption") && { attention: true }) });
    const bars = matches.map(({ text, probability, similarity }) => {
      const isKnown = typeof probability === "number";
      const cosine = `similarity ${similarity.toFixed(3)}`;
      return { text, share: isKnown ? probability : Math.max(0, similarity), number: isKnown ? `${percent(probability)}, ${cosine}` : cosine };
    });
    showBars("match-result", bars);
    for (const [place, line] of [...element("match-result").children].entries()) addHeat(line, matches[place].attention);
    return bars.map(({ text, number }) => `${text}: ${number}`).join(". ");
  });
}

/** A button that shows which parts of the picture speak for the sentence. */
function addHeat(line, heat) {
  line.querySelector("button")?.remove();
  if (!heat) return;
  const made = button("Where?", () => showHeat(heat), { className: "small", "aria-label": `Where? ${placeOf(heat)}` });
  made.addEventListener("pointerenter", () => showHeat(heat));
  made.addEventListener("pointerleave", () => document.activeElement !== made && hideHeat());
  made.addEventListener("focus", () => showHeat(heat));
  made.addEventListener("blur", hideHeat);
  line.append(made);
}

/** `labels` may be a function that gives them, or a promise of them, once they are wanted. */
export function offerLabelSets(offered) {
  sets = offered.map((set) => {
    const { labels } = set;
    let known;
    return { ...set, get labels() { return (known ??= typeof labels === "function" ? labels() : labels); } };
  });
  showSets();
}

function showSets() {
  const select = element("label-set");
  const before = select.value;
  const usable = sets.filter(({ fits }) => fits());
  select.replaceChildren(new Option("Labels of my own", ""), ...usable.map(({ id, title }) => new Option(title, id)));
  select.value = usable.some(({ id }) => id === before) ? before : "";
  showOwn();
}

function showOwn() {
  const isOwn = element("label-set").value === "";
  element("labels-field").hidden = !isOwn;
  element("template-field").hidden = !isOwn && !Array.isArray(sets.find(({ id }) => id === element("label-set").value)?.labels);
}

export function startClassify() {
  onSubmit("classify-form", classify);
  onSubmit("match-form", match);
  for (const id of ["labels", "template"]) element(id).addEventListener("input", classifySoon);
  element("label-set").addEventListener("change", () => {
    showOwn();
    classify();
  });
  const forget = () => {
    hideHeat();
    for (const id of ["classify-result", "match-result", "classify-more"]) element(id).replaceChildren();
  };
  events.addEventListener("change", forget);
  main.addEventListener("change", () => {
    forget();
    showSets();
  });
}
