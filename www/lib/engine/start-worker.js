// Starts workers wherever obscura's files lie. Browsers start a worker from a file of the page's own origin only; one
// of another origin, such as a CDN, starts from a Blob that imports the file. It stays under the page's origin.

/** Why a worker has failed, where the browser does not say. */
export const NOT_STARTED = "a file of obscura is missing, or the page's Content-Security-Policy does not allow workers (worker-src) or their files (script-src)";

const blobs = new Map(); // their addresses, by that of the file: each is made once

/**
 * Calls `start`, which starts one worker in the form that bundlers look for and rewrite,
 * `new Worker(new URL(…, import.meta.url), options)`. Only there is the address of the file to be had, so a
 * stand-in for `Worker` receives it; nothing else runs meanwhile.
 */
export function startWorker(start) {
  const { Worker } = globalThis;
  if (!Worker) return start(); // which says so
  globalThis.Worker = function (address, options) {
    return new Worker(startable(unbundled(String(address)), options?.type), options);
  };
  try {
    return start();
  } finally {
    globalThis.Worker = Worker;
  }
}

/** The file that fails aloud, where there is one: nothing was bundled if the files have their own names and places. */
function unbundled(address) {
  return address.replace(/(\/lib\/engine\/)bundled-(worker\.js)$/, "$1$2");
}

/** An address that a worker can be started from: the file's own, or that of a Blob. */
function startable(address, type) {
  const { origin, protocol } = URL.canParse(address) ? new URL(address) : {};
  if (!/^https?:$/.test(protocol) || origin === globalThis.location?.origin) return address;
  if (!blobs.has(address)) {
    const text = type === "module" ? imports(placesOf(address)) : `importScripts(${JSON.stringify(address)});`;
    blobs.set(address, URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  }
  return blobs.get(address);
}

/**
 * Where the file may be. CDNs that make one module of the package, as esm.sh and jsdelivr's `+esm` do, leave it where
 * it is in the package, while the module lies in the package's folder or in one below that.
 */
function placesOf(address) {
  const name = address.split("/").at(-1);
  if (address.endsWith(`/lib/engine/${name}`) || address.endsWith(`/lib/album/${name}`)) return [address];
  const inPackage = `lib/${name.startsWith("album") ? "album" : "engine"}/${name}`;
  return [address, new URL(inPackage, address).href, new URL(`../${inPackage}`, address).href];
}

/** Imports the first of these files that is there. A failure is thrown where the page hears of it. */
function imports([first, ...others]) {
  const attempt = (place) => `import(${JSON.stringify(place)})`;
  const next = others.map((place) => `.catch((error) => ${attempt(place)}.catch(() => { throw error; }))`);
  const failure = JSON.stringify(`${first} or a file that it imports could not be loaded`);
  return `const early = [];
self.onmessage = (event) => early.push(event);
${attempt(first)}${next.join("")}.then(
  () => early.forEach((event) => self.onmessage(event)),
  ({ message }) => setTimeout(() => { throw new Error(${failure} + " (" + message + ")"); }),
);`;
}
