// A server that behaves like a hub of models: small files answered at once, large ones by a redirect
// to another origin, with ETag, ranges, If-Range and CORS headers as there. It can also behave badly,
// in every way that tests want: `hub.behave({...})`, for all files or for those with a given ending.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, relative } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";

const LARGE = [".safetensors", ".bin", ".gguf", ".pth"];
const EXPOSED = "ETag, Content-Range, Accept-Ranges, X-Repo-Commit, X-Error-Code, X-Error-Message";
const TYPES = { ".json": "application/json", ".txt": "text/plain; charset=utf-8" };

/**
 * Starts hub and file store on two ports. `repositories` maps "owner/name" to a folder or to
 * {file: Buffer}. The behaviour, all of it optional:
 *   redirect: false            large files are answered by the hub itself
 *   ranges: false              every answer is the whole file
 *   etag: "weak" | "none"      and modified: false for no Last-Modified either
 *   cut: {seed, least, most}   the connection breaks after so many bytes, drawn anew for each answer
 *   hang: bytes                nothing more comes after so many bytes, once
 *   drip: {bytes, ms}          so many bytes at a time
 *   throttle: bytes            per second and connection
 *   length: delta              Content-Length is wrong by so much
 *   gzip: true                 bodies are compressed, whatever was asked for
 *   fail: {status, times, headers}  the first answers
 *   changeAfter: requests      from then on another version of the file
 *   token: "..."               wanted as Authorization, else 401
 *   cors: false                no CORS headers
 *   expires: true              each address of the file store is good for one request
 */
export async function startHub({ repositories, commit = "c".repeat(40), port = 0 }) {
  const hub = new Hub(repositories, commit);
  await hub.listen(port);
  return hub;
}

class Hub {
  /** Every request: {origin, method, path, range, ifRange, authorization, status}. */
  requests = [];
  sentBytes = 0;
  /** Answers that are neither complete nor given up by their reader. */
  open = 0;
  #repositories;
  #behaviours = [];
  #counts = new Map();
  #spent = new Set();
  #random = () => 0;
  #tickets = 0;
  #servers;

  constructor(repositories, commit) {
    this.#repositories = repositories;
    this.commit = commit;
    this.#servers = ["hub", "store"].map((origin) => {
      const server = createServer((request, response) => {
        this.#answer(origin, request, response).catch((error) => {
          console.error(error);
          response.destroy();
        });
      });
      server.keepAliveTimeout = 1000;
      return server;
    });
  }

  async listen(port) {
    const ports = [port, 0];
    for (const [index, server] of this.#servers.entries()) {
      await new Promise((listening) => server.listen(ports[index], "127.0.0.1", listening));
    }
    this.host = `http://localhost:${this.#servers[0].address().port}`;
    this.store = `http://127.0.0.1:${this.#servers[1].address().port}`; // another origin, also for cookies
  }

  /** Replaces all behaviour, for files with that ending only if one is given; forgets what was counted. */
  behave(behaviour = {}, ending = "") {
    this.#behaviours = Object.keys(behaviour).length === 0 ? [] : [{ ending, behaviour }];
    this.forget();
    let state = behaviour.cut?.seed ?? 1;
    this.#random = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32);
  }

  forget() {
    this.requests = [];
    this.sentBytes = 0;
    this.#counts.clear();
    this.#spent.clear();
  }

  async close() {
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    }
  }

  async #answer(origin, request, response) {
    const { pathname, searchParams } = new URL(request.url, this.host);
    const behaviour = Object.assign({}, ...this.#behaviours.filter(({ ending }) => pathname.endsWith(ending)).map((entry) => entry.behaviour));
    const record = { origin, method: request.method, path: pathname, range: request.headers.range, ifRange: request.headers["if-range"], authorization: request.headers.authorization };
    this.requests.push(record);
    this.open++;
    response.on("close", () => {
      this.open--;
      record.status = response.statusCode;
    });
    if (behaviour.cors !== false) {
      response.setHeader("Access-Control-Allow-Origin", "*");
      response.setHeader("Access-Control-Expose-Headers", EXPOSED);
    }
    if (request.method === "OPTIONS") return this.#preflight(origin, response);
    const [, owner, name, , , ...rest] = pathname.split("/");
    const file = decodeURIComponent(rest.join("/"));
    const content = await this.#find(`${owner}/${name}`, file);
    if (this.#isFailing(behaviour.fail, pathname, origin, request.method)) return refuse(response, behaviour.fail.status, behaviour.fail.headers);
    if (behaviour.token && origin === "hub" && request.headers.authorization !== `Bearer ${behaviour.token}`) {
      return refuse(response, 401, { "X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this model is restricted." });
    }
    if (!content) return refuse(response, 404, { "X-Error-Code": "EntryNotFound" });
    const isLarge = LARGE.includes(extname(file));
    if (isLarge && origin === "hub" && behaviour.redirect !== false) {
      response.writeHead(302, { Location: `${this.store}${request.url.split("?")[0]}?ticket=${++this.#tickets}`, "X-Repo-Commit": this.commit });
      return response.end();
    }
    if (behaviour.expires && origin === "store") {
      const ticket = searchParams.get("ticket");
      if (this.#spent.has(ticket)) return refuse(response, 403);
      this.#spent.add(ticket);
    }
    if (origin === "hub") response.setHeader("X-Repo-Commit", this.commit);
    await this.#send(content, pathname, behaviour, request, response);
  }

  /** The file store knows plain reading only, like a content delivery network. */
  #preflight(origin, response) {
    if (origin === "store") return refuse(response, 403);
    response.writeHead(204, { "Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Allow-Headers": "Authorization, Range" });
    response.end();
  }

  #isFailing(fail, pathname, origin, method) {
    if (!fail || (LARGE.includes(extname(pathname)) && origin === "hub" && fail.at === "store")) return false;
    if (fail.method && fail.method !== method) return false;
    const key = `fail ${pathname}`;
    const failed = this.#counts.get(key) ?? 0;
    if (failed >= (fail.times ?? Infinity)) return false;
    this.#counts.set(key, failed + 1);
    return true;
  }

  async #find(id, file) {
    const repository = this.#repositories[id];
    if (repository === undefined || file.includes("..")) return null;
    if (typeof repository !== "string") return Object.hasOwn(repository, file) ? { bytes: repository[file], size: repository[file].length } : null;
    const path = join(repository, file);
    const found = await stat(path).catch(() => null);
    return found?.isFile() ? { path, size: found.size } : null;
  }

  async #send(content, pathname, behaviour, request, response) {
    const served = (this.#counts.get(pathname) ?? 0) + 1;
    this.#counts.set(pathname, served);
    const version = served > (behaviour.changeAfter ?? Infinity) ? 2 : 1;
    if (version === 2) content = { bytes: otherVersion(content.bytes), size: content.size };
    if (behaviour.gzip) {
      content = { bytes: gzipSync(content.bytes) };
      content.size = content.bytes.length;
      response.setHeader("Content-Encoding", "gzip");
    }
    const etag = etagOf(pathname, content, version);
    if (behaviour.etag !== "none") response.setHeader("ETag", behaviour.etag === "weak" ? `W/${etag}` : etag);
    const modified = new Date(Date.UTC(2024, 0, version)).toUTCString();
    if (behaviour.modified !== false) response.setHeader("Last-Modified", modified);
    response.setHeader("Content-Type", TYPES[extname(pathname)] ?? "application/octet-stream");

    const mayRange = behaviour.ranges !== false && !behaviour.gzip;
    const condition = request.headers["if-range"];
    const wanted = mayRange && (!condition || condition === etag || condition === modified) ? parseRange(request.headers.range, content.size) : null;
    if (wanted === "unsatisfiable") return refuse(response, 416, { "Content-Range": `bytes */${content.size}` });
    const { start, end } = wanted ?? { start: 0, end: content.size };
    if (mayRange) response.setHeader("Accept-Ranges", "bytes");
    if (wanted) response.setHeader("Content-Range", `bytes ${start}-${end - 1}/${content.size}`);
    response.setHeader("Content-Length", Math.max(0, end - start + (behaviour.length ?? 0)));
    response.strictContentLength = false;
    response.writeHead(wanted ? 206 : 200);
    response.flushHeaders();
    if (request.method === "HEAD") return response.end();
    await this.#sendBody(content, start, end, pathname, behaviour, response);
  }

  async #sendBody(content, start, end, pathname, behaviour, response) {
    const { cut, hang, drip, throttle } = behaviour;
    const breaksAt = cut ? cut.least + Math.floor(this.#random() * (cut.most - cut.least)) : Infinity;
    const hangsAt = hang !== undefined && this.#counts.get(pathname) === 1 ? hang : Infinity;
    const stopsAt = Math.min(breaksAt, hangsAt);
    const piece = drip?.bytes ?? (throttle ? Math.ceil(throttle / 20) : 64 << 10);
    let sent = 0;
    const body = content.path ? createReadStream(content.path, { start, end: Math.max(start, end - 1), highWaterMark: 1 << 20 }) : Readable.from([content.bytes.subarray(start, end)]);
    if (end === start) return response.end();
    for await (const chunk of body) {
      for (let at = 0; at < chunk.length; ) {
        if (response.destroyed) return;
        const step = content.path && !throttle && !drip ? chunk.length - at : piece;
        const part = chunk.subarray(at, at + Math.min(step, stopsAt - sent));
        at += part.length;
        sent += part.length;
        this.sentBytes += part.length;
        if (part.length > 0 && !response.write(part)) await drained(response);
        if (sent >= hangsAt) return; // the connection stays open
        if (sent >= breaksAt) {
          await new Promise((go) => setTimeout(go, 20)); // for what was sent to arrive: a break discards what is under way
          return response.destroy();
        }
        if (drip) await new Promise((go) => setTimeout(go, drip.ms));
        if (throttle) await new Promise((go) => setTimeout(go, 50));
      }
    }
    if (behaviour.length > 0) response.destroy(); // it promised more than there is
    else response.end();
  }
}

function drained(response) {
  return new Promise((go) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      go();
    };
    response.on("drain", done).on("close", done);
  });
}

function otherVersion(bytes) {
  const other = Buffer.from(bytes);
  for (let at = 0; at < other.length; at += 1000) other[at] ^= 1;
  return other;
}

function etagOf(pathname, content, version) {
  return `"${createHash("sha256").update(`${pathname} ${content.size} ${version}`).digest("hex").slice(0, 32)}"`;
}

/** `end` is the byte after the last. */
function parseRange(header, size) {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? "");
  if (!match) return null;
  const start = Number(match[1]);
  const end = match[2] === "" ? size : Math.min(size, Number(match[2]) + 1);
  return start >= end ? "unsatisfiable" : { start, end };
}

function refuse(response, status, headers = {}) {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", ...headers });
  response.end(`${status}\n`);
}

/** A folder's files as {name: size}. */
export async function listFolder(folder) {
  const names = await readdir(folder);
  const sizes = await Promise.all(names.map(async (name) => [relative(folder, join(folder, name)), (await stat(join(folder, name))).size]));
  return Object.fromEntries(sizes);
}
