// What addresses of models look like, on a hub, whose host and scheme can be chosen, and elsewhere.

import { ObscuraError } from "../errors/error.js";

const HUB = { host: "https://huggingface.co", template: "{host}/{id}/resolve/{revision}/{file}" };
export const HUB_ID = /^[\w-][\w.-]*\/[\w-][\w.-]*$/;
/** Folders of a repository that are models of their own: a pipeline's encoders, and what sentence-transformers has. */
const PART = /^((text|image)_encoder(_[23])?|\w+_CLIPModel)$/;
/** Sites, and browser extensions, whose files have addresses, too. */
export const SITE = /^(https?|[a-z-]+-extension):/;

/** The settings of a hub, complete. */
export function checkHub(hub = {}) {
  const { host = HUB.host, template = HUB.template, token, ...unknown } = hub;
  const stranger = Object.keys(unknown)[0];
  if (stranger !== undefined) throw new ObscuraError("bad_input", `hub has no setting '${stranger}'. It has host, template, token.`);
  for (const [name, value] of Object.entries({ host, template, token: token ?? "" })) {
    if (typeof value !== "string") throw new ObscuraError("bad_input", `hub.${name} is a text.`);
  }
  if (!URL.canParse(host)) throw new ObscuraError("bad_input", `hub.host is an address such as ${HUB.host}, not '${host}'.`);
  if (!template.includes("{id}") || !template.includes("{file}")) {
    throw new ObscuraError("bad_input", `hub.template needs {id} and {file}, as in ${HUB.template}.`);
  }
  return { host: host.replace(/\/+$/, ""), template, token: token || undefined };
}

/**
 * A path without the folder of a part at its end, and that, if it has one: ["owner/name", "text_encoder_2/"]. `kept` is how
 * many of its segments are no part's; without it all but the last.
 */
export function splitPart(path, kept) {
  const segments = path.replace(/\/$/, "").split("/");
  const count = kept ?? segments.length - 1;
  if (segments.length <= count || !PART.test(segments.at(-1))) return [path];
  return [segments.slice(0, count).join("/"), `${segments.slice(count).join("/")}/`];
}

/** A model's page on the hub, as copied from the browser's address bar: {id, revision} or {address} of a file. */
export function parseHubPage(address, host) {
  if (!address.startsWith(`${host}/`)) return null;
  const path = address.slice(host.length + 1).split(/[?#]/, 1)[0];
  const page = /^([^/]+\/[^/]+)(?:\/tree\/([^/]+))?(\/.+?)?\/?$/.exec(path);
  const [id, part] = page ? splitPart(page[1] + (page[3] ?? ""), 2) : [];
  if (page && HUB_ID.test(id)) return { id: part ? `${id}/${part}` : id, revision: page[2] && decodeURIComponent(page[2]) };
  if (/^[^/]+\/[^/]+\/blob\//.test(path)) return { address: `${host}/${path.replace("/blob/", "/resolve/")}` };
  return null;
}

/** Where a hub has that file; the root of the model's for an empty name. */
export function hubAddress({ host, template, id, revision }, file) {
  const parts = { host, id, revision: encodeURIComponent(revision), file: file.split("/").map(encodeURIComponent).join("/") };
  return template.replace(/\{(host|id|revision|file)\}/g, (_, name) => parts[name]);
}
