// A CDN on this machine: the package below the paths that jsdelivr and esm.sh give it, the headers that they send, no
// preflight answered, and every request written down.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };
const ROOTS = ["/npm/obscura@0.1/", "/obscura@0.1.0/"];
const BUNDLES = ["/npm/obscura@0.1/+esm", "/obscura@0.1.0/es2022/obscura.mjs"];

/** `content` is the package's folder, `bundle` the module that a CDN made of it; `lost` a path that is not there. */
export async function startCdn({ content, bundle }) {
  const cdn = { requests: [], lost: null };
  const server = createServer(async (request, response) => {
    const path = decodeURI(request.url);
    cdn.requests.push(path);
    const file = request.method === "GET" ? await fileOf(path, { content, bundle, lost: cdn.lost }) : null;
    const headers = { "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin", "X-Content-Type-Options": "nosniff" };
    if (!file) return response.writeHead(request.method === "GET" ? 404 : 405, { ...headers, "Content-Type": "text/plain" }).end("no");
    const type = file === bundle ? TYPES[".js"] : (TYPES[extname(file)] ?? "application/octet-stream");
    response.writeHead(200, { ...headers, "Content-Type": type, "Cache-Control": "no-store", "Content-Length": (await stat(file)).size });
    createReadStream(file).pipe(response);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  cdn.url = `http://localhost:${server.address().port}`;
  cdn.close = () => new Promise((closed) => server.close(closed) && server.closeAllConnections());
  return cdn;
}

async function fileOf(path, { content, bundle, lost }) {
  if (BUNDLES.includes(path)) return bundle;
  const root = ROOTS.find((root) => path.startsWith(root));
  if (!root || (lost && path.endsWith(lost))) return null;
  const file = join(content, normalize(path.slice(root.length)));
  return file.startsWith(content) && (await stat(file).catch(() => null))?.isFile() ? file : null;
}
