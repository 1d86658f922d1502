// What people call a model: an address, a name on a hub, files, a folder, or bytes. Here, on the page's
// thread, it becomes a plain object that can be sent to the worker, where source.js opens it.

import { ObscuraError } from "../errors/error.js";
import { platform } from "../platform/platform.js";
import { checkHub, HUB_ID, hubAddress, parseHubPage, SITE, splitPart } from "./addresses.js";
import { describeBytes, describeFiles, filesOfHandle } from "./chosen-files.js";

const MODEL_FILE = /\.(gguf|safetensors|bin|pth|pt|ckpt)$/i;
const COMMIT = /^[0-9a-f]{40}$/;

/**
 * A plain description of a model's source:
 * remote {kind: "remote", name, file?, part?, address | hub, token?, identity, immutable} or
 * local {kind: "local", name, file?, files: {[name]: Blob}, identity | null}.
 */
export async function describeSource(source, { revision, hub, base } = {}) {
  if (typeof source === "string" || source instanceof URL) return describeAddress(String(source).trim(), { revision, hub, base });
  if (revision) throw new ObscuraError("bad_input", "revision is for models on the hub: files and bytes have none.");
  if (source instanceof Blob) return describeFiles([source]);
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    return describeBytes(new Blob([source]));
  }
  if (source?.kind === "directory" || source?.kind === "file") return describeFiles(await filesOfHandle(source), source.name);
  if (source?.[Symbol.iterator]) return describeFiles([...source]);
  throw new ObscuraError("bad_input", `A model is ${platform.words.model}.`);
}

function describeAddress(address, { revision, hub, base }) {
  const settings = checkHub(hub);
  const page = parseHubPage(address, settings.host);
  if (page) address = page.id ?? page.address;
  const [id, partOfHub] = splitPart(address, 2);
  if (HUB_ID.test(id) && !MODEL_FILE.test(address)) {
    const wanted = revision ?? page?.revision ?? "main";
    const described = { id, revision: wanted, host: settings.host, template: settings.template };
    return {
      kind: "remote",
      name: address,
      part: partOfHub,
      hub: described,
      token: settings.token,
      identity: hubAddress(described, "") + (partOfHub ?? ""),
      immutable: COMMIT.test(wanted),
    };
  }
  if (revision) throw new ObscuraError("bad_input", `revision is for models on the hub: '${address}' is an address, which names its own.`);
  let url;
  try {
    url = new URL(address, base);
  } catch (error) {
    throw new ObscuraError("bad_input", `'${address}' is neither an address nor a hub id such as 'owner/name'.`, { cause: error });
  }
  const isHeldHere = /^(blob|data):$/.test(url.protocol);
  if (!isHeldHere && !SITE.test(url.href)) {
    throw new ObscuraError("bad_input", `'${address}' cannot be fetched: an address begins with https:// or http://.`);
  }
  url.hash = "";
  const file = MODEL_FILE.test(url.pathname) ? decodeURIComponent(url.pathname.split("/").pop()) : undefined;
  if (!file && !isHeldHere && !url.pathname.endsWith("/")) url.pathname += "/";
  const isOnHub = url.origin === new URL(settings.host).origin;
  const identity = isHeldHere ? null : url.href;
  const [whole, part] = file || isHeldHere ? [] : splitPart(url.pathname);
  if (part) url.pathname = `${whole}/`; // its texts lie beside it
  const immutable = isOnHub && /\/resolve\/[0-9a-f]{40}\//.test(url.pathname);
  return {
    kind: "remote",
    name: address,
    file: file ?? (isHeldHere ? "model.gguf" : undefined),
    part,
    address: url.href,
    token: isOnHub ? settings.token : undefined,
    identity,
    immutable,
  };
}
