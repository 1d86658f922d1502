// The service worker: keeps the page, so that it opens without a network; says aloud which requests go
// to the network; and gives the models' worker a policy with the hosts that the page allows it. The
// policy has to come from here, for static hosts send no headers and a worker does not inherit its page's.
// So do the headers that isolate the page from other sites, without which browsers give no threads: a first
// visit does without.
//
// In:  {type: "claim"} | {type: "allow", hosts} | {type: "keep", urls, spare} | {type: "quiet"}, each with a port that
//      hears of the end; after "quiet", until a page is opened, what is kept is not asked for again, and
//      what can be spared is not fetched
// Out: {type: "request", url, at} to every page of this site; at: when it was made, in milliseconds as Date.now()

const CACHE = "obscura-page";
const PAGE_FILE = /(\/|\.(html|css|js|json|webmanifest|svg|png|webp|wasm|txt|bin))$/;
const SCOPE = self.registration.scope;

let isQuiet = false;
const allowed = new Map(); // a page's id -> the hosts that its next worker may contact

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("message", (event) => {
  event.waitUntil(heed(event.data, event.source?.id).finally(() => event.ports[0]?.postMessage("done")));
});

async function heed({ type, hosts, urls, spare }, page) {
  if (type === "claim") await self.clients.claim();
  if (type === "allow") allowed.set(page, hosts);
  if (type === "keep") {
    await keepMissing(urls);
    await keepMissing(spare, () => isQuiet);
  }
  if (type === "quiet") isQuiet = true;
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const at = Date.now();
  const url = new URL(request.url);
  if (!/^https?:$/.test(url.protocol)) return;
  if (request.method !== "GET" || !isPageFile(url) || request.headers.has("Range")) {
    return tellPages(request.url, at); // a model, or something of another site: none of our business but to say so
  }
  event.respondWith(answer(event, url, at));
});

function isPageFile({ href, pathname }) {
  return href.startsWith(SCOPE) && PAGE_FILE.test(pathname) && !pathname.endsWith("/pytorch_model.bin");
}

async function answer(event, url, at) {
  const response = await find(event, url, at);
  const isPage = event.request.mode === "navigate";
  const isWorker = /(worker|thread)\.js$/.test(url.pathname);
  if (response.status !== 200 || !(isPage || isWorker)) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  if (isPage) headers.set("Cross-Origin-Opener-Policy", "same-origin");
  else setPolicy(headers, url.pathname, allowed.get(event.clientId));
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/** The models' worker may contact these hosts, if the page has said any, and its threads none; nor may other workers. */
function setPolicy(headers, pathname, hosts) {
  const isThread = pathname.endsWith("/lib/engine/thread.js"); // contacts nobody, whatever the page has said
  if (!hosts && !isThread) return;
  const connect = ["'self'", ...(pathname.endsWith("/lib/engine/worker.js") ? hosts : [])].join(" ");
  headers.set("Content-Security-Policy", `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src ${connect}`);
}

/** From the network, as it is now; what was kept where there is none, or where nothing is to be asked for. */
async function find(event, url, at) {
  const { request } = event;
  const kept = await caches.open(CACHE);
  if (request.mode === "navigate") isQuiet = false;
  const known = isQuiet ? await kept.match(keyOf(url)) : null;
  if (known) return known;
  try {
    const response = await fetch(request);
    if (response.status === 200) event.waitUntil(keep(kept, url, response.clone()));
    tellPages(request.url, at);
    return response;
  } catch (error) {
    const last = await kept.match(keyOf(url));
    if (!last) throw error;
    return last;
  }
}

/** The query chooses a model; the file is the same. */
function keyOf(url) {
  return url.origin + url.pathname;
}

/** Writes a file only where it has changed: the engine has megabytes. */
async function keep(kept, url, response) {
  const before = await kept.match(keyOf(url));
  const version = (answer) => answer.headers.get("ETag") ?? answer.headers.get("Last-Modified");
  if (before && version(before) !== null && version(before) === version(response)) return response.body?.cancel();
  await kept.put(keyOf(url), response).catch(() => {}); // no room: then it is not kept
}

async function keepMissing(urls, isTooLate = () => false) {
  const kept = await caches.open(CACHE);
  for (const address of new Set(urls)) {
    const url = new URL(address);
    if (!isPageFile(url) || (await kept.match(keyOf(url)))) continue;
    if (isTooLate()) return;
    const response = await fetch(url).catch(() => null);
    if (response?.status === 200) await keep(kept, url, response);
  }
}

async function tellPages(url, at) {
  for (const page of await self.clients.matchAll({ type: "window" })) page.postMessage({ type: "request", url, at });
}
