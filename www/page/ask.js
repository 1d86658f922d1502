// Questions about the picture, or about a video's frames: answered freely, or the best of given answers.

import { announce, button, element, make, onSubmit } from "./elements.js";
import { showBars } from "./bars.js";
import { main } from "./model.js";
import { currentPicture, events } from "./pictures.js";
import { percent, splitTexts } from "./words.js";
import { perform } from "./work.js";

const SUGGESTIONS = [
  "what is in the picture?",
  "how many things are there?",
  "how many dogs are there?",
  "what color is the background?",
  "is there a cat in the picture?",
];
const YES_OR_NO = /^(is|are|does|do|can|has|have|was|were)\b/i;

const history = []; // {picture, question, text, number}, the latest first

async function ask() {
  const picture = currentPicture();
  const question = element("question").value.trim();
  const answers = splitTexts(element("answers").value, /[,\n]/);
  const line = element("answer-text");
  element("answer-choices").replaceChildren();
  element("answer-score").textContent = "";
  await perform("answer", { place: "picture", doing: "Thinking about the question…" }, async (signal) => {
    line.replaceChildren();
    const subject = picture.frames ?? picture.file;
    if (answers.length > 0) return showRanked(picture, question, await main.model.answer(subject, question, { answers, signal }));
    const found = await main.model.answer(subject, question, { signal, onToken: (text) => line.append(text) });
    return showAnswer(picture, question, found.text, Math.exp(found.score));
  });
}

function showAnswer(picture, question, text, probability) {
  element("answer-text").textContent = text;
  const number = percent(probability);
  element("answer-score").textContent = `Mean probability of a word: ${number}.`;
  remember({ picture, question, text, number });
  return `Answer: ${text}`;
}

/** Scores are log-probabilities; their shares among the given answers are shown. */
function showRanked(picture, question, ranked) {
  const weights = ranked.map(({ score }) => Math.exp(score - ranked[0].score));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const bars = ranked.map(({ text }, place) => ({ text, share: weights[place] / sum, number: percent(weights[place] / sum) }));
  element("answer-text").textContent = bars[0].text;
  showBars("answer-choices", bars);
  remember({ picture, question, text: bars[0].text, number: bars[0].number });
  return `Answer: ${bars[0].text}`;
}

function remember(entry) {
  history.unshift(entry);
  history.length = Math.min(history.length, 50);
  const lines = history.map(({ picture, question, text, number }) => {
    const image = make("img", { src: picture.url, alt: "", width: 40, height: 40 });
    image.addEventListener("error", () => (image.hidden = true)); // the picture was removed
    const asked = button(question, () => fillIn(question), { className: "link", title: "Ask again" });
    return make("li", {}, image, make("span", {}, asked, make("br"), text, make("span", { className: "quiet", textContent: `  ${number}` })));
  });
  element("history").replaceChildren(...lines);
  element("history-area").hidden = false;
}

function fillIn(question) {
  element("question").value = question;
  if (!element("answer-button").disabled) return ask();
  element("question").focus();
  announce("The question was filled in.");
}

export function startAsk() {
  onSubmit("answer-form", ask);
  const suggestions = SUGGESTIONS.map((question) => make("li", {}, button(question, () => fillIn(question), { className: "chip" })));
  element("suggestions").replaceChildren(...suggestions);
  element("answers-yes-no").addEventListener("click", () => (element("answers").value = "yes, no"));
  element("question").addEventListener("input", ({ target }) => (element("answers-yes-no").hidden = !YES_OR_NO.test(target.value)));
  element("history-clear").addEventListener("click", () => {
    history.length = 0;
    element("history").replaceChildren();
    element("history-area").hidden = true;
    element("question").focus();
  });
  const forget = () => {
    element("answer-text").replaceChildren();
    element("answer-score").textContent = "";
    element("answer-choices").replaceChildren();
  };
  events.addEventListener("change", forget);
  main.addEventListener("change", forget);
}
