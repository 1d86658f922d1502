// Two models on one picture: what CLIP chooses and how sure, what BLIP writes, answers and matches; for both where
// that lies in the picture, how long it took, and how large they are.

import { showBars } from "./bars.js";
import { openBeside, pair, showCompanion, startCompanion } from "./companion.js";
import { coveredMap, placesFor } from "./covered.js";
import { element, onSubmit } from "./elements.js";
import { drawHeat, meanOf, placeOf } from "./heat.js";
import { companion } from "./model.js";
import { currentPicture, events } from "./pictures.js";
import { duration, megabytes, percent, splitTexts } from "./words.js";
import { perform } from "./work.js";

const TEMPLATES = { drawings: "a drawing of a {}", photos: "a photo of a {}" }; // of the models that come with the page, and of others
const RESULTS = ["verdict", "labels-result", "caption", "answer", "blip-result", "clip-facts", "blip-facts"];

let compared = null; // the picture whose comparison is shown

/** Fetches what is missing; then compares a picture that is new. */
export async function compareNew() {
  openBeside();
  if (pair() && currentPicture() && currentPicture() !== compared && document.documentElement.dataset.work === "idle") await run();
}

async function run() {
  const { clip, blip } = pair();
  const picture = currentPicture();
  const labels = splitTexts(element("compare-labels").value, /[,\n]/);
  compared = picture;
  await perform("compare", { place: "picture", doing: "CLIP is looking…" }, async (signal, say) => {
    const decoded = await clip.model.decode(picture.file, { signal }); // once, for both
    const bitmap = await createImageBitmap(picture.file).catch(() => null); // to draw on, if the browser can read it
    const template = clip.entry ? TEMPLATES.drawings : TEMPLATES.photos;
    const sentences = labels.map((label) => template.replace("{}", label));
    const chosen = await choose(clip.model, decoded, { labels, template, signal });
    say("BLIP is writing…");
    const written = await write(blip.model, decoded, { labels, sentences, signal });
    element("compare-verdict").textContent = verdict(chosen, written);
    say("Looking where that is…");
    const sentence = template.replace("{}", chosen.label);
    if (bitmap) await showWhere(clip.model, bitmap, { ...chosen, sentence, signal });
    if (bitmap && written.heat) show("blip", bitmap, written.heat, written.about);
    return `CLIP chooses “${chosen.label}”, ${percent(chosen.share)}. ${written.text && `BLIP writes “${written.text}”.`}`;
  });
}

/** CLIP's part: {label, share, milliseconds}, of the best label. */
async function choose(clip, picture, { labels, template, signal }) {
  const [scores, milliseconds] = await timed(() => clip.classify(picture, labels, { templates: [template], signal }));
  showBars("compare-labels-result", scores.map(({ label, score }) => ({ text: label, share: score, number: percent(score) })));
  element("compare-clip-facts").textContent = `${sizeOf(clip)}. ${duration(milliseconds)} for the picture and ${labels.length} labels.`;
  return { label: scores[0].label, share: scores[0].score, milliseconds };
}

/** BLIP's part, as far as this one can: {text, heat, about}. */
async function write(blip, picture, { labels, sentences, signal }) {
  const can = (task) => blip.info.tasks.includes(task);
  const took = [];
  const found = { text: "", heat: null, about: "" };
  if (can("caption")) {
    const [caption, milliseconds] = await timed(() => blip.caption(picture, { attention: true, signal }));
    took.push(`${duration(milliseconds)} to write`);
    element("compare-caption").textContent = found.text = caption.text;
    const { rows, columns, tokens } = caption.attention;
    if (tokens.length > 0) Object.assign(found, { heat: { rows, columns, map: meanOf(tokens.map(({ map }) => map)) }, about: "the sentence" });
  }
  const question = element("compare-question").value.trim();
  if (can("answer") && question) {
    const [answer, milliseconds] = await timed(() => blip.answer(picture, question, { signal }));
    took.push(`${duration(milliseconds)} to answer`);
    element("compare-answer").textContent = `${question} ${answer.text}`;
  }
  if (can("match")) {
    const own = found.text ? [found.text] : []; // its own sentence among them: what a true one gets
    const [matches, milliseconds] = await timed(() => blip.match(picture, [...own, ...sentences], { attention: true, signal }));
    took.push(`${duration(milliseconds)} to match ${matches.length} sentences and say where`);
    Object.assign(found, showMatches(matches, [...own, ...labels]));
  }
  element("compare-blip-facts").textContent = `${sizeOf(blip)}. ${took.join(", ")}.`;
  return found;
}

/** How likely each sentence is, best first; returns where the best of them lies, if BLIP says. */
function showMatches(matches, labels) {
  const shareOf = ({ probability, similarity }) => probability ?? Math.max(0, similarity);
  const named = matches.map((match, place) => ({ ...match, label: labels[place], share: shareOf(match) }));
  named.sort((a, b) => b.share - a.share);
  showBars("compare-blip-result", named.map(({ label, share }) => ({ text: label, share, number: percent(share) })));
  const [{ attention, label }] = named;
  return attention ? { heat: attention, about: `“${label}”` } : {};
}

async function showWhere(clip, bitmap, { label, sentence, milliseconds, signal }) {
  const places = placesFor(milliseconds);
  if (places === 0) return;
  const heat = await coveredMap(clip, bitmap, sentence, places, signal);
  show("clip", bitmap, heat, `“${label}”, found by covering ${places * places} places`);
}

function show(role, bitmap, heat, about) {
  const canvas = element(`compare-${role}-heat`);
  drawHeat(canvas, bitmap, heat);
  canvas.setAttribute("aria-label", `Where ${role.toUpperCase()} finds it: ${placeOf(heat)}`);
  element(`compare-${role}-where`).textContent = `Lit: what speaks for ${about}.`;
  element(`compare-${role}-map`).hidden = false;
}

/** Whether they agree, in a sentence; nothing where BLIP has written nothing. */
function verdict({ label }, { text }) {
  if (!text) return "";
  const stem = label.toLowerCase().replace(/^an? /, "");
  return text.toLowerCase().includes(stem) ? `Both name “${label}”.` : `CLIP chooses “${label}”; BLIP does not name it.`;
}

const sizeOf = ({ info }) => `${(info.parameters / 1e6).toFixed(1)} million parameters, ${megabytes(info.bytes)}`;

async function timed(act) {
  const started = performance.now();
  return [await act(), performance.now() - started];
}

function forget() {
  compared = null;
  for (const id of RESULTS) element(`compare-${id}`).replaceChildren();
  for (const role of ["clip", "blip"]) element(`compare-${role}-map`).hidden = true;
  showPossible();
}

function showPossible() {
  element("compare-button").disabled = !pair() || !currentPicture();
}

export function startCompare() {
  onSubmit("compare-form", run);
  startCompanion(() => {
    showCompanion();
    forget();
    if (companion.phase === "ready" && document.documentElement.dataset.section === "compare") compareNew();
  });
  events.addEventListener("change", forget);
  forget();
}
