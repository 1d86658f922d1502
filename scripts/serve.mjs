// A static file server for www/, on this machine only: the right MIME types, byte ranges, compressed
// texts, extra folders mounted under a prefix, and nothing outside those folders.
//
//   node scripts/serve.mjs [--port N] [--isolate] [--mount /prefix=folder]... [folder]
//
// --isolate sends the COOP and COEP headers that browsers want before they allow shared memory. Without a
// folder it serves www/, without a port 8080.

import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";
import { pipeline } from "node:stream";
import { createGzip } from "node:zlib";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const MIME_TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".wasm": "application/wasm",
  ".gguf": "application/octet-stream",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".webp": "image/webp",
  ".gif": "image/gif",
  ".bmp": "image/bmp",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json; charset=utf-8",
};

/**
 * Starts the server and resolves with it once it listens.
 * @param {{root: string, port?: number, mounts?: Record<string, string>, isolate?: boolean}} options
 *   `port` 0 picks a free one; `mounts` maps a URL prefix such as "/models" to a folder.
 * @returns {Promise<{url: string, close: () => Promise<void>}>}
 */
export function serve({ root, port = 0, mounts = {}, isolate = false }) {
  const folders = Object.entries({ ...mounts, "": root })
    .map(([prefix, folder]) => [prefix.replace(/\/+$/, "") + "/", resolve(folder)])
    .sort(([a], [b]) => b.length - a.length);
  const server = createServer((request, response) => {
    answer(request, response, folders, isolate).catch((error) => {
      console.error(`${request.method} ${request.url}: ${error.message}`);
      if (response.headersSent) response.destroy();
      else refuse(response, 500, "The server could not read the file.");
    });
  });
  return new Promise((listening, failed) => {
    server.once("error", failed);
    server.listen(port, "127.0.0.1", () => {
      const url = `http://localhost:${server.address().port}/`;
      const close = () =>
        new Promise((done) => {
          server.close(done);
          server.closeAllConnections();
        });
      listening({ url, close });
    });
  });
}

async function answer(request, response, folders, isolate) {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return refuse(response, 405, "Only GET and HEAD are answered here.", { Allow: "GET, HEAD" });
  }
  const file = await findFile(request.url, folders);
  if (!file) return refuse(response, 404, "There is no such file.");
  if (file.moved) return refuse(response, 301, "Moved.", { Location: file.moved });

  const headers = {
    "Content-Type": MIME_TYPES[extname(file.path).toLowerCase()] ?? "application/octet-stream",
    "Cache-Control": "no-cache",
    "Last-Modified": file.modified.toUTCString(),
    "Accept-Ranges": "bytes",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
  };
  if (isolate) {
    headers["Cross-Origin-Opener-Policy"] = "same-origin";
    headers["Cross-Origin-Embedder-Policy"] = "require-corp";
  }
  if (Date.parse(request.headers["if-modified-since"]) >= Math.floor(file.modified / 1000) * 1000) {
    response.writeHead(304, headers);
    return response.end();
  }

  const range = parseRange(request.headers.range, file.size);
  if (range === "unsatisfiable") {
    const message = `The file has ${file.size} bytes.`;
    return refuse(response, 416, message, { "Content-Range": `bytes */${file.size}` });
  }
  if (isCompressed(request, file, headers)) {
    response.writeHead(200, { ...headers, "Content-Encoding": "gzip", Vary: "Accept-Encoding" });
    if (request.method === "HEAD") return response.end();
    return pipeline(createReadStream(file.path), createGzip(), response, () => {});
  }
  const { start, end } = range ?? { start: 0, end: file.size - 1 };
  headers["Content-Length"] = end - start + 1;
  if (range) headers["Content-Range"] = `bytes ${start}-${end}/${file.size}`;
  response.writeHead(range ? 206 : 200, headers);
  if (request.method === "HEAD" || file.size === 0) return response.end();
  // A reader that goes away is no error of ours.
  pipeline(createReadStream(file.path, { start, end }), response, () => {});
}

/** Texts are, as static hosts do: not models, whose parts are asked for, and not parts of files. */
function isCompressed(request, { size }, { "Content-Type": type }) {
  const accepted = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
  return accepted && !request.headers.range && size > 1024 && /^text\/|json|svg/.test(type);
}

/** The file that a request path names, or null; only ever below one of the folders. */
async function findFile(requestUrl, folders) {
  let path;
  try {
    path = decodeURIComponent(requestUrl.split(/[?#]/, 1)[0]);
  } catch {
    return null;
  }
  const mount = folders.find(([prefix]) => path.startsWith(prefix));
  if (!mount || path.includes("\0")) return null;
  const [prefix, folder] = mount;
  let target = resolve(folder, "." + sep + path.slice(prefix.length));
  if (target !== folder && !target.startsWith(folder + sep)) return null;

  let found = await stat(target).catch(() => null);
  if (found?.isDirectory()) {
    // Relative addresses in the page need the slash. Never echo a path that could name a host.
    if (!path.endsWith("/")) return { moved: encodeURI(path.replace(/^\/+/, "/")) + "/" };
    target = join(target, "index.html");
    found = await stat(target).catch(() => null);
  }
  if (!found?.isFile()) return null;
  return { path: target, size: found.size, modified: found.mtime };
}

/** One `bytes=` range as {start, end}; null without one, "unsatisfiable" when it lies outside. */
function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return null;
  const suffix = match[1] === "";
  const start = suffix ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = suffix || match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  return start > end ? "unsatisfiable" : { start, end };
}

function refuse(response, status, message, headers = {}) {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", ...headers });
  response.end(message + "\n");
}

/** What stands at the head of this file. */
async function ownHead() {
  const [head] = (await readFile(fileURLToPath(import.meta.url), "utf8")).split("\n\n");
  return head.replace(/^\/\/ ?/gm, "");
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h", default: false },
      port: { type: "string", default: "8080" },
      isolate: { type: "boolean", default: false },
      mount: { type: "string", multiple: true, default: [] },
    },
  });
  if (values.help) return console.log(await ownHead());
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new Error(`the port is a number from 0 to 65535, not '${values.port}'`);
  }
  const mounts = Object.fromEntries(
    values.mount.map((mount) => {
      const at = mount.indexOf("=");
      if (at < 1) throw new Error(`--mount wants /prefix=folder, not '${mount}'`);
      return [mount.slice(0, at), mount.slice(at + 1)];
    }),
  );
  const root = positionals[0] ?? fileURLToPath(new URL("../www", import.meta.url));
  const { url } = await serve({ root, port, mounts, isolate: values.isolate });
  console.log(`obscura is at ${url}  (Ctrl-C stops it)`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    const message =
      error.code === "EADDRINUSE"
        ? `port ${error.port} is in use; name another one, for example: scripts/demo ${error.port + 1}`
        : error.message;
    console.error(`serve: ${message}`);
    process.exit(1);
  });
}
