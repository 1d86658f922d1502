// Alt text for a folder: CapFilt over one's own pictures, in a table to review, edit and export.

import { download, element, make, onChosen, onPick, onSubmit, showError } from "./elements.js";
import { asCsv, asHtml, asJsonl, readTexts } from "./exchange.js";
import { chooseFolder } from "./folder.js";
import { main } from "./model.js";
import { pathOf, picturesAmong } from "../lib/pictures/picture-files.js";
import { beginCounting } from "./privacy.js";
import { counted, percent } from "./words.js";
import { perform } from "./work.js";

const SEED = 1;
const REASONS = {
  best: "kept",
  matches: "fits, but another fits better",
  unlikely: "dropped, too unlikely",
  duplicate: "dropped, the same words again",
};
const EXPORTS = {
  csv: ["alt-text.csv", "text/csv", asCsv],
  jsonl: ["alt-text.jsonl", "application/jsonl", asJsonl],
  html: ["alt-text.html", "text/html", asHtml],
};

let rows = []; // {file, path, line, given, generated, final: the elements}

export async function addToAltText(files) {
  const chosen = await picturesAmong(files);
  const texts = files.find(({ name }) => /\.(csv|jsonl?)$/i.test(name));
  if (chosen.length > 0) {
    beginCounting();
    const known = new Set(rows.map(({ path }) => path));
    for (const file of chosen) if (!known.has(pathOf(file))) addRow(file);
  }
  if (texts) await addTexts(texts);
  show();
}

function addRow(file) {
  const path = pathOf(file);
  const image = make("img", { src: URL.createObjectURL(file), alt: "", width: 72, height: 72, loading: "lazy" });
  const given = make("textarea", { rows: 2, "aria-label": `The text you have for ${path}` });
  const generated = make("td", { className: "scored" });
  const verdict = make("p", { className: "quiet" });
  const final = make("textarea", { rows: 2, "aria-label": `Alt text for ${path}` });
  const name = make("th", { scope: "row" }, image, make("span", { textContent: path }));
  const line = make("tr", {}, name, make("td", {}, given), generated, make("td", {}, final, verdict));
  element("alttext-rows").append(line);
  rows.push({ file, path, line, given, generated, final, verdict, probability: null });
}

/** Texts from a file, by the pictures' names or paths. */
async function addTexts(file) {
  try {
    const texts = readTexts(file.name, await file.text());
    const lacking = [];
    for (const [name, text] of texts) {
      const row = rows.find(({ path }) => path === name || path.endsWith(`/${name}`));
      if (row) row.given.value = text;
      else lacking.push(name);
    }
    const missing = lacking.length > 0 ? ` There is no picture for ${counted(lacking.length, "line")}, ${lacking[0]} for one.` : "";
    element("alttext-status").textContent = `${counted(texts.size - lacking.length, "text")} added.${missing}`;
  } catch (error) {
    showError("alttext-error", error);
  }
}

/** Asks for texts, row by row: what has been found by a stop stays. */
async function write() {
  const threshold = Number(element("alttext-threshold").value);
  const bar = element("alttext-progress");
  bar.max = rows.length;
  bar.value = 0;
  const images = rows.map(({ file }) => file);
  const texts = rows.map(({ given }) => (given.value.trim() ? [given.value.trim()] : []));
  await perform("filter", { place: "alttext", doing: `0 of ${rows.length}` }, async (signal, say) => {
    let done = 0;
    const onResult = (place, result) => {
      showResult(rows[place], result);
      bar.value = done += 1;
      say(`${done} of ${rows.length}`);
    };
    const results = await main.model.filter(images, texts, { threshold, seed: SEED, onResult, signal });
    const kept = results.filter(({ best }) => best).length;
    return `Texts for ${kept} of ${counted(rows.length, "picture")} were kept.`;
  });
}

function showResult(row, { texts, best, error }) {
  if (error) return row.generated.replaceChildren(make("p", { className: "dropped", textContent: error.message }));
  row.generated.replaceChildren(...texts.map(({ text, generated, probability, kept, reason }) => {
    const origin = generated ? "generated" : "yours";
    const words = `${origin}, ${percent(probability)}: ${REASONS[reason]}`;
    return make("p", { className: kept ? "kept" : "dropped" }, text, make("br"), make("span", { className: "quiet", textContent: words }));
  }));
  const chosen = texts.find(({ text, kept }) => kept && text === best);
  row.final.value = best ?? "";
  row.probability = chosen?.probability ?? null;
  row.verdict.textContent = chosen ? `Score ${percent(chosen.probability)}` : "Nothing was good enough: write one, or leave it empty.";
}

/** What is exported: [{file, text, given, generated, probability}], as edited. */
function reviewed() {
  return rows.map(({ path, given, final, probability }) => ({ file: path, text: final.value.trim(), given: given.value.trim(), probability }));
}

/** A BLIP that writes and judges: a CoCa matches by similarity, which is no verdict. */
const isFilter = () => main.model?.info.family === "blip" && main.can("caption") && main.can("match");

function show() {
  element("alttext-area").hidden = rows.length === 0;
  element("alttext-exports").hidden = rows.length === 0;
  element("alttext-button").disabled = rows.length === 0 || !isFilter();
}

export function startAltText() {
  element("alttext-folder").addEventListener("click", () => {
    chooseFolder("alttext-folder-files", addToAltText).catch((error) => showError("alttext-error", error));
  });
  onChosen("alttext-folder-files", addToAltText);
  onPick("alttext-pick", "alttext-files", addToAltText);
  onPick("alttext-texts-pick", "alttext-texts", addToAltText);
  onSubmit("alttext-form", write);
  for (const made of document.querySelectorAll("[data-export]")) {
    const [name, type, write] = EXPORTS[made.dataset.export];
    made.addEventListener("click", () => download(name, new Blob([write(reviewed())], { type })));
  }
  main.addEventListener("change", show);
}
