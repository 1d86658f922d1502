// Labels with bars that follow what is typed, and whole sentences matched with the picture.

import { labelSet } from "../lib/labels/label-set.js";
import { showBars } from "./bars.js";
import { button, element, onSubmit } from "./elements.js";
import { hideHeat, placeOf, showHeat } from "./heat.js";
import { main } from "./model.js";
import { currentPicture, events } from "./pictures.js";
import { percent, splitTexts } from "./words.js";
import { perform } from "./work.js";

const PAUSE_MS = 350; // after the last key
const SHOWN = 10;
const LIKELY = 0.5; // of a label's own probability, which SigLIP gives: none may fit
const TEMPLATES = { drawings: "a drawing of a {}", photos: "a photo of a {}" }; // of the embedded model, and of others

let timer = null;

/**
 * Ready sets of labels: those that fit the loaded model are offered. `read` gives {labels, templates}, or
 * without templates where the page's own one is taken.
 */
const SETS = [
  { id: "pictograms", title: "What the embedded model knows", fits: () => Boolean(main.entry), read: once(() => readSet("pictograms")) },
  {
    id: "imagenet",
    title: "ImageNet's 1,000 names",
    fits: () => ["clip", "siglip", "coca"].includes(main.model?.info.family),
    read: once(async () => ({ labels: (await labelSet("imagenet")).labels })),
  },
];

async function readSet(name) {
  return (await fetch(new URL(`../labels/${name}.json`, import.meta.url))).json();
}

/** The same promise for all; one that failed is made again. */
function once(act) {
  let made = null;
  return () => (made ??= act().catch((error) => ((made = null), Promise.reject(error))));
}

const chosenSet = () => SETS.find(({ id }) => id === element("label-set").value);

/** {labels, templates}: what is typed, or a ready set. */
async function chosenLabels() {
  const typed = element("template").value.trim();
  const own = typed ? [typed] : undefined;
  const set = await chosenSet()?.read();
  const { labels, templates = own } = set ?? { labels: splitTexts(element("labels").value, /[,\n]/) };
  return { labels: [...labels], templates };
}

/** Runs at once if it can; otherwise nothing happens. */
export async function classify() {
  clearTimeout(timer);
  const picture = currentPicture();
  if (!picture || !main.can("classify")) return;
  await perform("classify", { place: "picture", doing: "Comparing the labels…" }, async (signal, say) => {
    const { labels, templates } = await chosenLabels();
    if (labels.length === 0) return showBars("classify-result", []);
    const progress = ({ loaded, total }) => say(`${loaded} of ${total} labels are read…`); // the first time only
    const scores = await main.model.classify(picture.file, labels, { templates, progress, signal });
    const bars = scores.slice(0, SHOWN).map(({ label, score }) => ({ text: label, share: score, number: percent(score) }));
    showBars("classify-result", bars);
    element("classify-more").textContent = scores.length > SHOWN ? `The best ${SHOWN} of ${scores.length} labels.` : "";
    const fits = main.model.info.scores === "softmax" || scores[0].score >= LIKELY;
    return `${fits ? "Best label" : "No label fits well; the nearest"}: ${bars[0].text}, ${bars[0].number}`;
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
    const attention = main.model.info.family === "blip";
    const matches = await main.model.match(picture.file, texts, { signal, attention });
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

function showSets() {
  const select = element("label-set");
  const before = select.value;
  const usable = SETS.filter(({ fits }) => fits());
  for (const { read } of usable) read().catch(() => {}); // before a picture is open: afterwards nothing is requested
  select.replaceChildren(new Option("Labels of my own", ""), ...usable.map(({ id, title }) => new Option(title, id)));
  select.value = usable.some(({ id }) => id === before) ? before : "";
  showOwn();
}

function showOwn() {
  element("labels-field").hidden = element("label-set").value !== "";
  element("template-field").hidden = element("label-set").value === "pictograms"; // which has sentences of its own
}

/** Drawings and photographs are spoken of in different sentences; one that was typed stays. */
function adaptTemplate() {
  const field = element("template");
  if (Object.values(TEMPLATES).includes(field.value)) field.value = main.entry ? TEMPLATES.drawings : TEMPLATES.photos;
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
    adaptTemplate();
  });
}
