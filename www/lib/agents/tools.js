// tools(): what a model can do, in the form that function calling takes, with the way to do it.

import { describe } from "../errors/describe.js";
import { ObscuraError } from "../errors/error.js";
import { checkArguments } from "./arguments.js";
import SCHEMAS from "./tool-schemas.js";

/** What each tool does with a model, a picture and its arguments; the results are those of the schemas. */
const ACTIONS = {
  async caption(model, picture, options) {
    const { text, score } = await model.caption(picture, options);
    return { text, score };
  },
  async answer(model, picture, { question, ...options }) {
    const found = await model.answer(picture, question, options);
    const best = Array.isArray(found) ? found[0] : found;
    return { text: best.text, score: best.score, ...(Array.isArray(found) && { answers: found }) };
  },
  async classify(model, picture, { labels, ...options }) {
    return { labels: await model.classify(picture, labels, options) };
  },
  async match(model, picture, { texts, ...options }) {
    return { matches: await model.match(picture, texts, options) };
  },
};

/** See tools.d.ts. */
export function tools(model, { open, album } = {}) {
  if (typeof model?.caption !== "function") {
    throw new ObscuraError("bad_input", `tools() takes a model that load() has opened, not ${describe(model)}.`);
  }
  const offered = SCHEMAS.filter(({ name, task }) => model.info.tasks.includes(task) && (name !== "search" || album));
  const definitions = offered.map(({ name, description, inputSchema }) => ({
    type: "function",
    function: { name, description, parameters: structuredClone(inputSchema) },
  }));

  async function call(name, given, { signal } = {}) {
    const tool = offered.find((one) => one.name === name);
    if (!tool) throw new ObscuraError("bad_input", `There is no tool '${name}'; there are ${offered.map((one) => one.name).join(", ")}.`);
    const parsed = typeof given === "string" ? parse(name, given) : (given ?? {});
    checkArguments(tool, parsed);
    const { path, data, ...rest } = parsed;
    if (name === "search") return search({ path, data, ...rest }, signal);
    return ACTIONS[name](model, await pictureOf(name, path, data), { ...rest, signal });
  }

  async function search({ text, path, data, limit }, signal) {
    if ([text, path, data].filter((one) => one !== undefined).length !== 1) {
      throw new ObscuraError("bad_input", "search: give a text, or a picture by its path or as data: one of the three");
    }
    const picture = text === undefined ? await pictureOf("search", path, data) : null;
    const isAddress = typeof picture === "string"; // which an album would take for a text
    const query = text ?? (isAddress ? await model.decode(picture, { signal }) : picture);
    return { found: await album.search(query, { limit, signal }) };
  }

  async function pictureOf(tool, path, data) {
    if (path !== undefined && data !== undefined) throw new ObscuraError("bad_input", `${tool}: the picture is given twice: take either path or data`);
    if (data !== undefined) return bytesOf(tool, data);
    const picture = await open?.(path);
    if (picture !== undefined && picture !== null) return picture;
    const asked = path === undefined ? "no picture is given: it needs a path or data" : `there is no picture '${path}'`;
    throw new ObscuraError("bad_image", `${tool}: ${asked}`);
  }

  return Object.assign(definitions, { call });
}

function parse(tool, text) {
  try {
    return text.trim() === "" ? {} : JSON.parse(text);
  } catch (error) {
    throw new ObscuraError("bad_input", `${tool}: the arguments are not JSON: ${error.message}`);
  }
}

/** A picture's bytes from base64, of a data: address, too. */
function bytesOf(tool, data) {
  try {
    return Uint8Array.from(atob(data.replace(/^data:[^,]*;base64,/, "")), (letter) => letter.charCodeAt(0));
  } catch {
    throw new ObscuraError("bad_image", `${tool}: data is not base64`);
  }
}
