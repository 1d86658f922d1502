// Private by construction: the service worker (../sw.js) gives the models' worker a security policy with
// the hosts that it may contact, and tells of every request that leaves this device's browser for the
// network. The page counts them from the moment when a picture is opened: there should be none.

import { hasRelaxedSimd } from "../lib/engine/simd.js";
import { element, make } from "./elements.js";
import { counted } from "./words.js";

const PATIENCE_MS = 4000; // for a first visit's service worker; models load without it, too
/** The hub keeps its large files on machines of other names. */
const HUB_HOSTS = ["https://huggingface.co", "https://*.huggingface.co", "https://*.hf.co"];

/** What sections fetch only when they are used, and should find there. */
const LATER = ["lib/album/album-worker.js", "lib/album/folder.js"];
/** What the next visit has that the first one has not: threads, which take a page that the service worker isolates. */
const THREADS = ["lib/engine/thread.js", "pkg/obscura_wasm_threads.js", "pkg/obscura_wasm_threads_bg.wasm"];

const requests = []; // since the picture was opened
let openedAt = Infinity; // in milliseconds, as Date.now()

/** The service worker once it has this page in its care; null where there is none. */
export const guard = startGuard();

async function startGuard() {
  if (!navigator.serviceWorker || !isSecureContext) return null;
  navigator.serviceWorker.addEventListener("message", ({ data }) => data.type === "request" && note(data.url, data.at));
  try {
    await navigator.serviceWorker.register(new URL("../sw.js", import.meta.url));
    return await Promise.race([inCare(), new Promise((late) => setTimeout(late, PATIENCE_MS, null))]);
  } catch {
    return null; // a browser that allows none, such as some private windows
  }
}

async function inCare() {
  const { active } = await navigator.serviceWorker.ready;
  if (!navigator.serviceWorker.controller) {
    const taken = new Promise((done) => navigator.serviceWorker.addEventListener("controllerchange", done, { once: true }));
    active.postMessage({ type: "claim" }); // after a reload past the cache nobody does so by himself
    await taken;
  }
  return navigator.serviceWorker.controller;
}

/** Sends a message and waits until it was heeded. */
async function tell(message) {
  const worker = await guard;
  if (!worker) return;
  const { port1, port2 } = new MessageChannel();
  const heeded = new Promise((done) => (port1.onmessage = done));
  worker.postMessage(message, [port2]);
  await Promise.race([heeded, new Promise((late) => setTimeout(late, PATIENCE_MS))]);
}

/** The next worker may contact the page's own site and these hosts, nothing else. */
export function allowHosts(hosts) {
  return tell({ type: "allow", hosts });
}

/**
 * What the page consists of is kept, so that the next visit needs no network; with what its models need for
 * threads, where they compute on the CPU.
 */
export async function keepPage(onCpu) {
  const own = new URL("..", import.meta.url).href;
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
  const later = LATER.map((file) => own + file);
  const threads = onCpu && hasRelaxedSimd() ? THREADS.map((file) => own + file) : [];
  await tell({ type: "keep", urls: [own, ...later, ...loaded.filter((url) => url.startsWith(own))], spare: threads });
}

/** The hosts that a model's source leads to, as a security policy writes them. */
export function hostsOf(source, hubHost) {
  if (typeof source !== "string") return [];
  const isAddress = /^https?:/i.test(source);
  if (!isAddress && /^\.{0,2}\/|\/$|\.(gguf|safetensors|bin|pth|pt)$/i.test(source)) return []; // on this site
  const { origin, protocol, hostname } = new URL(isAddress ? source : (hubHost ?? HUB_HOSTS[0]));
  if (HUB_HOSTS[0] === origin) return HUB_HOSTS;
  const isHere = hostname === "localhost" || hostname === "127.0.0.1";
  return isHere ? [`${protocol}//${hostname}:*`] : [origin, `${protocol}//*.${hostname}`];
}

/** From now on requests count, and the page makes none for what is kept. */
export function beginCounting() {
  openedAt = Date.now();
  tell({ type: "quiet" });
  requests.length = 0;
  show();
}

/** Word of a request may come late: one from before the picture, such as the sample's own, does not count. */
function note(url, at) {
  if (at < openedAt) return;
  requests.push(url);
  show();
}

// Without a service worker the page's own requests are all that can be seen.
guard.then((worker) => {
  if (worker) return show();
  const startedAt = ({ startTime }) => Date.now() - (performance.now() - startTime);
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (/^https?:/.test(entry.name)) note(entry.name, startedAt(entry));
  }).observe({ type: "resource" });
  show();
});

function show() {
  const isOpen = openedAt < Infinity;
  element("privacy").dataset.count = isOpen ? requests.length : "";
  element("privacy-short").textContent = isOpen ? counted(requests.length, "request") : "Private";
  element("privacy-words").textContent = isOpen
    ? `${counted(requests.length, "request")} since the picture was opened.`
    : "Open a picture, and the requests since then are counted here.";
  const hosts = new Map();
  for (const url of requests) hosts.set(new URL(url).host, (hosts.get(new URL(url).host) ?? 0) + 1);
  const lines = [...hosts].map(([host, count]) => make("li", { textContent: `${host}: ${counted(count, "request")}` }));
  element("privacy-hosts").replaceChildren(...lines);
}
