// An album of one's own pictures: indexed here, kept across visits, searched by words or by a picture,
// exported and deleted. Each model has an index of its own, for their vectors do not compare.

import { openAlbum } from "../lib/album/album.js";
import { announce, button, download, element, hideError, make, onChosen, onPick, onSubmit, showError } from "./elements.js";
import { chooseFolder } from "./folder.js";
import { main } from "./model.js";
import { pathOf, picturesAmong } from "../lib/pictures/picture-files.js";
import { currentPicture, openPictures } from "./pictures.js";
import { dropThumbnail, dropThumbnails, findThumbnail, keepThumbnail, shrink } from "./thumbnails.js";
import { counted, percent } from "./words.js";
import { perform } from "./work.js";

const SHOWN = 20;
const RERANKED = 16;
const MIN_SCORE = { sigmoid: 0.05, softmax: 0.9 }; // SigLIP's own probability, and the share against a null query: docs/search.md

let album = null; // of the loaded model
let name = "";
let turn = Promise.resolve(); // opening and closing wait for one another
const originals = new Map(); // key -> File, of this visit

/** The index is opened when this section is first shown: another tab may have it open meanwhile. */
export function openSearch() {
  turn = turn.then(() => (album || !main.can("embed") ? null : openIndex()));
  return turn;
}

async function openIndex() {
  try {
    name = `page-${main.title}-${main.model.info.dtype}`.replace(/[^\w.-]+/g, "_");
    album = await openAlbum(name, main.model, { picture: pictureOf });
    hideError("search-error");
  } catch (error) {
    showError("search-error", error);
  }
  showSize();
}

/** The loaded model has gone, and its index with it. */
function closeIndex() {
  turn = turn.then(async () => {
    const before = album;
    album = null;
    element("search-result").replaceChildren();
    element("search-words-found").textContent = "";
    element("search-all").hidden = true;
    await before?.close();
    showSize();
  });
}

/** What is looked at again for the order of the best: the file itself, else its small copy. */
const pictureOf = async (key) => originals.get(key) ?? (await findThumbnail(name, key)) ?? null;

function showSize() {
  element("search-keeping").hidden = !album || album.size === 0;
  element("search-size").textContent = !album ? "" : album.size === 0
    ? `Nothing is indexed with ${main.title} yet.`
    : `${counted(album.size, "picture")} indexed with ${main.title}, kept in this browser.`;
}

// --- indexing --------------------------------------------------------------------------------

export async function addToAlbum(files) {
  const chosen = await picturesAmong(files);
  await turn;
  if (!album || chosen.length === 0) return;
  const bar = element("search-progress");
  let failed = 0;
  await perform("index", { place: "search", doing: "Indexing…" }, async (signal, say) => {
    bar.max = chosen.length;
    const known = new Set(await album.keys());
    for (const [place, file] of chosen.entries()) {
      bar.value = place;
      say(`${place} of ${chosen.length}`);
      if (!(await addOne(file, known, signal))) failed += 1;
    }
    bar.value = chosen.length;
    return `${counted(chosen.length - failed, "picture")} indexed.`;
  });
  if (failed > 0) element("search-status").textContent += ` ${counted(failed, "file")} could not be read.`;
  showSize();
}

/** False where the picture cannot be read: the others go on. */
async function addOne(file, known, signal) {
  const key = pathOf(file);
  originals.set(key, file);
  if (known.has(key)) return true;
  try {
    await album.add(key, file, { signal });
    await keepThumbnail(name, key, await shrink(file));
    return true;
  } catch (error) {
    if (error.code === "bad_image" || error.name === "InvalidStateError") return false;
    throw error;
  }
}

// --- searching -------------------------------------------------------------------------------

async function search(wanted, words, showsAll = false) {
  if (!album || album.size === 0) return showError("search-error", new Error("Nothing is indexed yet: choose a folder or some pictures first."));
  await perform("search", { place: "search", doing: "Searching…" }, async (signal) => {
    const reranks = typeof wanted === "string" && main.can("match");
    const minScore = reranks && !showsAll ? MIN_SCORE[main.model.info.scores] : undefined;
    const found = await album.search(wanted, { limit: SHOWN, rerank: reranks ? RERANKED : 0, minScore, signal });
    await showFound(found);
    element("search-all").hidden = minScore === undefined || found.length >= Math.min(SHOWN, album.size);
    element("search-all").onclick = () => search(wanted, words, true);
    const isReranked = found.some(({ probability }) => probability !== undefined && probability !== null);
    const how = isReranked ? ", the best in the order of how well they match" : "";
    element("search-words-found").textContent = found.length === 0 ? `No picture fits ${words}.` : `${counted(found.length, "picture")} for ${words}${how}.`;
    return element("search-words-found").textContent;
  });
}

async function showFound(found) {
  for (const image of element("search-result").querySelectorAll("img")) URL.revokeObjectURL(image.src);
  const lines = await Promise.all(found.map(async ({ key, similarity, probability }) => {
    const picture = await pictureOf(key);
    const image = make("img", { alt: "", loading: "lazy", ...(picture && { src: URL.createObjectURL(picture) }) });
    const number = typeof probability === "number" ? percent(probability) : similarity.toFixed(3);
    const open = make("button", { type: "button", className: "found", "aria-label": `Open ${key}` }, image);
    open.addEventListener("click", () => openFound(key, picture));
    const drop = button("Delete", () => remove(key), { className: "link", "aria-label": `Delete ${key} from the index` });
    return make("li", {}, open, make("span", { className: "file", textContent: key }), make("span", { className: "quiet", textContent: number }), drop);
  }));
  element("search-result").replaceChildren(...lines);
}

async function openFound(key, picture) {
  if (!picture) return;
  location.hash = "#caption";
  await openPictures([picture instanceof File ? picture : new File([picture], key.split("/").pop(), { type: picture.type })]);
}

async function remove(key) {
  await album.delete(key);
  await dropThumbnail(name, key);
  originals.delete(key);
  for (const line of element("search-result").children) if (line.querySelector(".file").textContent === key) line.remove();
  announce(`${key} was deleted from the index.`);
  showSize();
  element("search-words").focus();
}

async function exportAlbum() {
  const { vectors, keys } = await album.export();
  download(`${name}.npy`, vectors);
  download(`${name}.json`, keys);
  announce("Two files were saved: the vectors, and the names of the pictures.");
}

async function clear() {
  await album.clear();
  await dropThumbnails(name);
  originals.clear();
  element("search-result").replaceChildren();
  element("search-words-found").textContent = "";
  element("search-progress").value = 0;
  announce("The index was deleted.");
  showSize();
  element("search-folder").focus();
}

export function startSearch() {
  const explained = (act) => () => act().catch((error) => showError("search-error", error));
  element("search-folder").addEventListener("click", explained(() => chooseFolder("search-folder-files", addToAlbum)));
  onChosen("search-folder-files", addToAlbum);
  onPick("search-pick", "search-files", addToAlbum);
  onSubmit("search-form", () => {
    const words = element("search-words").value.trim();
    if (words) search(words, `“${words}”`);
    else element("search-words").focus();
  });
  element("search-like").addEventListener("click", () => search(currentPicture().file, `pictures like ${currentPicture().name}`));
  element("search-export").addEventListener("click", explained(exportAlbum));
  element("search-clear").addEventListener("click", explained(clear));
  main.addEventListener("change", () => {
    closeIndex();
    if (document.documentElement.dataset.section === "search") openSearch();
  });
}
