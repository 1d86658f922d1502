// The folder that scripts/site writes, behind real servers with the configurations of docs/hosting/: nginx, caddy and
// Apache, under a path. Each serves compressed neighbours, sends the headers, and the page captions in Chromium.
// A server that is not installed is skipped, loudly.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both). CHROMIUM names the browser.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { site } from "../../scripts/build/site.mjs";
import { commandLineOf, embedSmallModel, launchBrowser, PATIENCE, PICTURE, ROOT, WHOLE_TEST, WWW } from "./surroundings.mjs";

const CONFIGURATIONS = join(ROOT, "docs/hosting");
const BASE = "/repo/";
const MODULES = { nginx: "/usr/lib/nginx/modules", apache: "/usr/lib/apache2/modules" };

let folder, root, embedded, browser, expected;

before(async () => {
  embedded = await embedSmallModel();
  folder = await mkdtemp(join(tmpdir(), "obscura-hosting-"));
  await chmod(folder, 0o755); // Apache reads as somebody else
  root = join(folder, "www");
  await mkdir(root);
  await site(join(root, "repo"), { base: BASE, model: join(embedded.models, "small.gguf"), without: ["search", "alttext"], quality: 1 });
  browser = await launchBrowser();
  expected = await commandLineOf(join(embedded.models, "small.gguf"), "auto", "caption", PICTURE);
}, WHOLE_TEST);

after(async () => {
  await browser?.close();
  await embedded?.remove();
  if (folder) await rm(folder, { recursive: true, force: true });
});

describe("the folder", WHOLE_TEST, () => {
  test("has what the page needs, and nothing else", async () => {
    const names = await readdir(join(root, "repo"), { recursive: true });
    for (const needed of ["index.html", "404.html", "_headers", ".nojekyll", "sw.js", "models/small.gguf", "pkg/obscura_wasm_relaxed_bg.wasm.br", "app.js.gz"]) {
      assert.ok(names.includes(needed), needed);
    }
    const others = names.filter((name) => /\.d\.ts$|^examples|^lib\/node|^node\.js|README|pictograms[^/]*\.gguf|\.stamp|^package\.json/.test(name));
    assert.deepEqual(others, []);
    for (const name of names.filter((name) => /\.(br|gz)$/.test(name))) assert.ok(names.includes(name.slice(0, -3)), name);
    const app = await readFile(join(root, "repo/app.js.br"));
    assert.deepEqual(brotliDecompressSync(app), await readFile(join(WWW, "app.js")));
  });

  test("has the model beside the embedded one for Compare, and not without it", async () => {
    const listOf = async (folder) => JSON.parse(await readFile(join(folder, "models/models.json"), "utf8"));
    const { beside, models } = await listOf(WWW);
    const { url } = models.find(({ id }) => id === beside);
    for (const [name, without] of [["with", []], ["without", ["compare"]]]) {
      const made = join(folder, name);
      await site(made, { without, quality: 0 });
      const isThere = without.length === 0;
      assert.equal(existsSync(join(made, "models", url)), isThere, name);
      assert.equal((await listOf(made)).beside, isThere ? beside : undefined);
    }
  });

  test("is not written over what is somebody's", async () => {
    const own = join(folder, "own");
    await mkdir(own);
    await writeFile(join(own, "letter.txt"), "dear");
    await assert.rejects(site(own), /neither empty nor a site/);
    await assert.rejects(site(join(folder, "new"), { model: join(ROOT, "README.md") }), /no \.gguf file/);
    await assert.rejects(site(join(folder, "new"), { without: ["models"] }), /--without takes/);
    await assert.rejects(site(join(folder, "new"), { base: "repo" }), /--base/);
    assert.ok(!existsSync(join(folder, "new")));
    assert.equal(await readFile(join(own, "letter.txt"), "utf8"), "dear");
  });
});

/** What starts each server: {program, module?, settings(port), arguments(file)}. */
const SERVERS = {
  nginx: {
    program: "/usr/sbin/nginx",
    module: join(MODULES.nginx, "ngx_http_brotli_static_module.so"),
    async settings(port) {
      const location = await configuration("nginx.conf");
      const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/nginx-${name};`).join(" ");
      return `load_module ${this.module}; user root; daemon off; pid ${folder}/nginx.pid; error_log stderr; events {}
        http { include /etc/nginx/mime.types; access_log off; ${places} server { listen 127.0.0.1:${port}; ${location} } }`;
    },
    arguments: (file) => ["-c", file, "-e", "stderr"],
  },
  caddy: {
    program: "/usr/bin/caddy",
    async settings(port) {
      const text = await configuration("Caddyfile");
      return `{\n\tadmin off\n\tauto_https off\n}\n${text.replace("example.org", `http://localhost:${port}`)}`;
    },
    arguments: (file) => ["run", "--adapter", "caddyfile", "--config", file],
  },
  apache: {
    program: "/usr/sbin/apache2",
    async settings(port) {
      const load = ["mpm_event", "authz_core", "dir", "headers", "mime", "rewrite"].map((name) => `LoadModule ${name}_module ${MODULES.apache}/mod_${name}.so`);
      const all = [...load, `Listen 127.0.0.1:${port}`, "ServerName localhost", `PidFile ${folder}/apache.pid`, `DefaultRuntimeDir ${folder}`, `ErrorLog ${folder}/apache.log`, "User www-data", "TypesConfig /etc/mime.types", "DirectoryIndex index.html", `DocumentRoot ${root}`];
      return `${all.join("\n")}\n${await configuration("apache.conf")}`;
    },
    arguments: (file) => ["-f", file, "-D", "FOREGROUND"],
  },
};

for (const [name, server] of Object.entries(SERVERS)) {
  const lacking = [server.program, server.module ?? server.program].find((file) => !existsSync(file));
  const skip = lacking ? `SKIP: ${name} is not here (${lacking})` : false;
  describe(name, { ...WHOLE_TEST, skip }, () => {
    let running, origin;

    before(async () => {
      const port = await freePort();
      const file = join(folder, `${name}.conf`);
      await writeFile(file, await server.settings(port));
      running = spawn(server.program, server.arguments(file), { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, HOME: folder } });
      let said = "";
      running.stderr.on("data", (text) => (said += text));
      origin = `http://localhost:${port}`;
      for (let attempt = 0; ; attempt++) {
        const answer = await get(`${origin}${BASE}`).catch(() => null);
        if (answer?.status === 200) break;
        assert.ok(attempt < 100 && running.exitCode === null, `${name} did not start: ${answer?.status} ${said}`);
        await new Promise((wait) => setTimeout(wait, 100));
      }
    });
    after(async () => {
      if (!running || running.exitCode !== null) return;
      running.kill();
      await new Promise((ended) => running.once("exit", ended));
    });

    test("sends the compressed neighbours, as what they are", async () => {
      const wasm = await get(`${origin}${BASE}pkg/obscura_wasm_bg.wasm`, { "Accept-Encoding": "gzip, br" });
      assert.equal(wasm.headers["content-encoding"], "br");
      assert.equal(wasm.headers["content-type"], "application/wasm");
      assert.deepEqual(brotliDecompressSync(wasm.body), await readFile(join(WWW, "pkg/obscura_wasm_bg.wasm")));
      const script = await get(`${origin}${BASE}app.js`, { "Accept-Encoding": "gzip" });
      assert.equal(script.headers["content-encoding"], "gzip");
      assert.match(script.headers["content-type"], /javascript/);
      assert.deepEqual(gunzipSync(script.body), await readFile(join(WWW, "app.js")));
      const plain = await get(`${origin}${BASE}app.js`);
      assert.equal(plain.headers["content-encoding"], undefined);
      const manifest = await get(`${origin}${BASE}manifest.webmanifest`);
      assert.match(manifest.headers["content-type"], /^application\/manifest\+json/);
    });

    test("sends the headers, parts of models, and the page for what is missing", async () => {
      for (const path of ["", "app.js", "lib/engine/worker.js"]) {
        const { headers } = await get(`${origin}${BASE}${path}`, { "Accept-Encoding": "br" });
        assert.equal(headers["cross-origin-opener-policy"], "same-origin", path);
        assert.equal(headers["cross-origin-embedder-policy"], "require-corp", path);
        assert.equal(headers["x-content-type-options"], "nosniff", path);
        assert.equal(headers["cache-control"], "no-cache", path);
        assert.ok(headers.etag || headers["last-modified"], path);
      }
      const { size } = await stat(join(root, "repo/models/small.gguf"));
      const part = await get(`${origin}${BASE}models/small.gguf`, { Range: "bytes=4-7", "Accept-Encoding": "gzip, br" });
      assert.deepEqual([part.status, part.headers["content-range"], part.body.length], [206, `bytes 4-7/${size}`, 4]);
      const missing = await get(`${origin}${BASE}some/thing.html`);
      assert.equal(missing.status, 404);
      assert.match(missing.body.toString(), /href="\/repo\/"/);
    });

    test("has a page that captions with threads, without the sections that were left out", async () => {
      const context = await browser.newContext();
      const complaints = [];
      try {
        const page = await context.newPage();
        page.on("pageerror", (error) => complaints.push(error.message));
        page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
        await page.goto(`${origin}${BASE}?device=cpu`);
        await page.waitForSelector("[data-model=ready]", { state: "attached", ...PATIENCE });
        assert.ok(await page.evaluate(() => crossOriginIsolated));
        const sections = await page.locator("nav a").evaluateAll((links) => links.map((link) => link.hash));
        assert.deepEqual(sections, ["#caption", "#ask", "#classify", "#compare", "#models"]);
        await page.setInputFiles("#picture-file", PICTURE);
        await page.waitForFunction((text) => document.querySelector("#caption-text").textContent === text, expected.text, PATIENCE);
        for (const section of ["ask", "classify", "compare", "models"]) await page.click(`nav a[href="#${section}"]`);
        const failure = await page.evaluate(async () => (await import("./obscura.js")).load("models/none.gguf").catch(({ message }) => message));
        assert.match(failure, /There is no model at .*models\/none\.gguf: the server answered 404/);
        assert.deepEqual(complaints.filter((text) => !/404/.test(text)), []);
      } finally {
        await context.close();
      }
    });
  });
}

/** A file of docs/hosting/, with the test's folder in the place of its own. */
async function configuration(name) {
  return (await readFile(join(CONFIGURATIONS, name), "utf8")).replaceAll("/srv/www", root);
}

/** As it is sent: fetch() would decompress it. */
function get(url, headers = {}) {
  return new Promise((resolve, reject) => {
    const { hostname, port, pathname } = new URL(url);
    const asked = request({ host: hostname === "localhost" ? "127.0.0.1" : hostname, port, path: pathname, headers: { Host: `localhost:${port}`, ...headers } }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
    });
    asked.on("error", reject);
    asked.end();
  });
}

async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}
