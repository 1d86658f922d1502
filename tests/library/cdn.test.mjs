// The library from a CDN: a page of one origin, the package on another one, which sends what CDNs send and answers no
// preflight. In every browser that is here.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both).

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { rolldown } from "rolldown";
import { build } from "vite";
import { entryFiles } from "../../scripts/build/entry-files.mjs";
import { pack } from "../../scripts/build/pack.mjs";
import { serve } from "../../scripts/serve.mjs";
import { BROWSERS } from "./browsers.mjs";
import { startCdn } from "./cdn.mjs";
import { commandLine, embedSmallModel, PICTURE, ROOT } from "./surroundings.mjs";

const PACKAGE = "/npm/obscura@0.1/"; // as jsdelivr has it; unpkg has it without /npm
const OPTIONS = '{ device: "cpu", dtype: "f32" }';

let embedded, pages, plain, isolated, cdn, built, expected, hashes;

before(async () => {
  embedded = await embedSmallModel();
  const { files } = await pack(join(embedded.folder, "npm"), { models: embedded.models });
  const content = join(embedded.folder, "npm/package");
  const bundles = join(embedded.folder, "bundles");
  await bundle(join(content, "obscura.js"), join(bundles, "obscura.mjs"));
  cdn = await startCdn({ content, bundle: join(bundles, "obscura.mjs") });
  hashes = await hashesOf(content, files.filter((name) => name.endsWith(".js")));
  pages = join(embedded.folder, "pages");
  await mkdir(pages);
  for (const name of ["picture.png", "picture.webp"]) await copyFile(PICTURE, join(pages, name)); // whatever its name says
  built = await startCdn({ content: join(embedded.folder, "built") });
  await buildByVite(content, join(embedded.folder, "built"), `${built.url}${PACKAGE}`);
  plain = await serve({ root: pages });
  isolated = await serve({ root: pages, isolate: true });
  expected = (await commandLine("caption", PICTURE)).text;
});

after(async () => {
  await plain?.close();
  await isolated?.close();
  await cdn?.close();
  await built?.close();
  await embedded?.remove();
});

for (const [name, { skip, launch }] of Object.entries(BROWSERS)) {
  describe(`in ${name}`, { timeout: 900_000, skip }, () => {
    let browser;
    before(async () => (browser = await launch()));
    after(async () => {
      const isKnown = (address) => [plain.url, isolated.url, cdn.url, built.url].some((site) => address.startsWith(site)) || /^(blob|data):/.test(address);
      assert.deepEqual(browser?.requests?.filter((address) => !isKnown(address)) ?? [], [], "requests to others than the page's site and the CDN");
      await browser?.close();
    });

    /** What the page's module says it found; the files that the CDN was asked for. */
    async function open(page, site = plain) {
      cdn.requests.length = 0;
      await browser.goto(await addressOf(page, site));
      return { found: await browser.evaluate(found), requests: [...cdn.requests] };
    }

    test("one line is enough: a caption from the model that comes with it", async () => {
      const { found, requests } = await open({ script: `import { load } from "${cdn.url}${PACKAGE}obscura.js"; ${CAPTION}` });
      assert.deepEqual(found, { text: expected });
      const engine = requests.some((path) => path.endsWith("_relaxed_bg.wasm")) ? "_relaxed" : "";
      const fetched = requests.filter((path) => !path.endsWith(".gguf")).map((path) => path.replace(PACKAGE, ""));
      const measured = await entryFiles(join(embedded.folder, "npm/package"), "obscura.js", engine);
      assert.deepEqual([...new Set(fetched)].sort(), measured, "what scripts/build/check-size.mjs measures is what a page fetches");
    });

    test("the first JavaScript of docs/javascript.md works as it stands there", async () => {
      const text = await readFile(join(ROOT, "docs/javascript.md"), "utf8");
      const [, code] = /```js\n(import \{ load \} from "https:\/\/cdn\.jsdelivr\.net[^]*?)```/.exec(text);
      const here = code.replace("https://cdn.jsdelivr.net", cdn.url).replace('"Salesforce/blip-image-captioning-base"', `null, ${OPTIONS}`);
      const script = `${here.replace(/^import .*$/m, "$&\nconst file = await (await fetch('picture.png')).blob();")}; globalThis.found = { text };`;
      assert.deepEqual((await open({ script })).found, { text: expected });
    });

    test("by its name, through an import map", async () => {
      const map = { imports: { obscura: `${cdn.url}${PACKAGE}obscura.js`, "obscura/": `${cdn.url}${PACKAGE}` } };
      const script = `import { load } from "obscura"; import { fillAlt } from "obscura/alt.js"; ${CAPTION}`;
      assert.deepEqual((await open({ map, script })).found, { text: expected });
    });

    test("an album, a label set, a model that is kept: under the page's own origin", async () => {
      const script = `import { cache, deleteAlbum, labelSet, load, openAlbum } from "${cdn.url}${PACKAGE}obscura.js"; ${KEEPS}`;
      const { kept, ...rest } = (await open({ script })).found;
      assert.deepEqual(rest, { first: "picture", labels: 1000, engine: "loads again" });
      // WebKitGTK 2.50 has no OPFS, and loses most of what a worker puts into the Cache API before it ends.
      if (name !== "WebKit") assert.equal(kept, 1);
    });

    test("with threads, where the page is isolated", async () => {
      const { found, requests } = await open({ script: `import { load } from "${cdn.url}${PACKAGE}obscura.js"; ${CAPTION}` }, isolated);
      assert.deepEqual(found, { text: expected });
      assert.ok(await browser.evaluate(() => globalThis.crossOriginIsolated));
      const canHaveThreads = await browser.evaluate(async (path) => (await import(path)).hasRelaxedSimd(), `${cdn.url}${PACKAGE}lib/engine/simd.js`);
      const engine = canHaveThreads ? "obscura_wasm_threads" : "obscura_wasm"; // WebKitGTK 2.50 has no relaxed SIMD
      assert.deepEqual(requests.filter((path) => path.endsWith(".wasm")), [`${PACKAGE}pkg/${engine}_bg.wasm`]);
      assert.equal(requests.some((path) => path.endsWith("/thread.js")), canHaveThreads, `${requests}`);
    });

    test("under a policy that allows what the documentation names", async () => {
      const script = `import { load } from "${cdn.url}${PACKAGE}obscura.js"; ${CAPTION}`;
      assert.deepEqual((await open({ policy: await documentedPolicy(), script })).found, { text: expected });
    });

    for (const [source, directive] of [["blob:", "worker-src"], ["'wasm-unsafe-eval'", "'wasm-unsafe-eval'"]]) {
      test(`a policy without ${source} ends in an error that says so`, async () => {
        const policy = (await documentedPolicy()).replace(source, "");
        const { found } = await open({ policy, script: `import { load } from "${cdn.url}${PACKAGE}obscura.js"; ${CAPTION}` });
        assert.match(found.error, new RegExp(`^network: .*Content-Security-Policy.*${directive}`, "s"), found.error);
      });
    }

    test("with the hashes of its files in the import map, and not with others", async () => {
      const address = (file) => `${cdn.url}${PACKAGE}${file}`;
      const integrity = Object.fromEntries(Object.entries(hashes).map(([file, hash]) => [address(file), hash]));
      const script = `try { const { load } = await import("${address("obscura.js")}"); ${CAPTION} } catch ({ name }) { globalThis.found = { name } }`;
      assert.deepEqual((await open({ map: { integrity }, script })).found, { text: expected });
      const changed = { ...integrity, [address("lib/model/load.js")]: hashes["obscura.js"] };
      assert.deepEqual((await open({ map: { integrity: changed }, script })).found, { name: "TypeError" });
    });

    for (const [maker, path] of [["esm.sh", "/obscura@0.1.0/es2022/obscura.mjs"], ["jsdelivr's +esm", `${PACKAGE}+esm`]]) {
      test(`as one module made by the CDN, like ${maker}, beside which there is no worker`, async () => {
        const { found, requests } = await open({ script: `import { load } from "${cdn.url}${path}"; ${CAPTION}` });
        assert.deepEqual(found, { text: expected });
        assert.ok(!requests.includes(`${PACKAGE}obscura.js`), "it is the bundle that was asked for");
      });
    }

    test("bundled by Vite, with the built files on another origin", async () => {
      const { found } = await open({ script: `import "${built.url}${PACKAGE}main.js";` });
      assert.deepEqual(found, expected);
    });

    test("a file that the CDN has lost is named in the error", async () => {
      cdn.lost = "lib/engine/calls.js";
      try {
        const { found } = await open({ script: `import { load } from "${cdn.url}${PACKAGE}obscura.js"; ${CAPTION}` });
        assert.match(found.error, /^network: The worker broke: .*calls\.js/);
      } finally {
        cdn.lost = null;
      }
    });
  });
}

// --- pages -------------------------------------------------------------------------------------

const CAPTION = `
globalThis.found = (async () => {
  const model = await load(null, ${OPTIONS});
  const { text } = await model.caption("picture.png");
  await model.dispose();
  return { text };
})().catch((error) => ({ error: error.code + ": " + error.message }));`;

const KEEPS = `
globalThis.found = (async () => {
  const model = await load(null, ${OPTIONS});
  const album = await openAlbum("pictures", model);
  await album.add("picture", { picture: "picture.png" });
  const [{ key }] = await album.search("a house");
  await album.close();
  await deleteAlbum("pictures");
  const { labels } = await labelSet("imagenet");
  await model.dispose();
  const kept = await cache.list();
  const again = await load(null, ${OPTIONS});
  await again.dispose();
  await cache.clear?.();
  return { first: key, labels: labels.length, kept: kept.length, engine: "loads again" };
})().catch((error) => ({ error: error.code + ": " + error.message }));`;

/** Runs in the page: what its module has found, once it has. */
async function found() {
  while (globalThis.found === undefined) await new Promise((later) => setTimeout(later, 20));
  return globalThis.found;
}

let count = 0;

/** A page with that script, an import map, and a policy. The script is a file, as policies want it. */
async function addressOf({ script, map, policy }, site) {
  const name = `page-${++count}`;
  const head = [
    policy && `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    map && `<script type="importmap">${JSON.stringify(map)}</script>`,
  ];
  const html = `<!doctype html>\n<title>${name}</title><link rel="icon" href="data:,">${head.filter(Boolean).join("\n")}\n<script type="module" src="${name}.js"></script>`;
  await writeFile(join(pages, `${name}.html`), html);
  await writeFile(join(pages, `${name}.js`), script);
  return `${site.url}${name}.html`;
}

/** The policy of docs/javascript.md, for this CDN, and for the picture of the page. */
async function documentedPolicy() {
  const text = await readFile(join(ROOT, "docs/javascript.md"), "utf8");
  const [policy] = /default-src [^\n]*cdn\.jsdelivr\.net[^\n]*(?=\n)/.exec(text);
  return policy.replaceAll("https://cdn.jsdelivr.net", cdn.url);
}

async function hashesOf(folder, files) {
  const hash = async (file) => `sha384-${createHash("sha384").update(await readFile(join(folder, file))).digest("base64")}`;
  return Object.fromEntries(await Promise.all(files.map(async (file) => [file, await hash(file)])));
}

/** The page of tests/bundlers, built for another origin. */
async function buildByVite(content, outDir, base) {
  const root = join(embedded.folder, "project");
  await mkdir(join(root, "node_modules"), { recursive: true });
  await copyFile(join(ROOT, "tests/bundlers/page/main.js"), join(root, "main.js"));
  await symlink(content, join(root, "node_modules/obscura"));
  const output = { entryFileNames: "main.js" };
  await build({ root, base, configFile: false, logLevel: "warn", build: { outDir, emptyOutDir: true, reportCompressedSize: false, rollupOptions: { input: join(root, "main.js"), output } } });
}

/** One module of the package, as CDNs make it: addresses beside import.meta.url stay as they are. */
async function bundle(input, file) {
  const built = await rolldown({ input, external: [/^node:/], logLevel: "silent" });
  await built.write({ file, format: "esm", codeSplitting: false });
  await built.close();
}
