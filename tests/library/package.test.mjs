// The npm package as others use it: packed, installed from the tarball, type-checked, bundled by Vite
// and webpack, served, and driven in Chromium to the command line's caption.
//
// Needs target/release/obscura and www/pkg (scripts/test builds both). CHROMIUM names the browser.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, cp, mkdir, readFile, realpath, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build as esbuild } from "esbuild";
import { chromium } from "playwright-core";
import { build, createServer } from "vite";
import { build as buildByVite7 } from "vite-7";
import webpack from "webpack";
import { pack } from "../../scripts/build/pack.mjs";
import { serve } from "../../scripts/serve.mjs";
import { CHROMIUM, commandLine, embedSmallModel, launchBrowser, PATIENCE, PICTURE, WHOLE_TEST, withPage } from "./surroundings.mjs";

const HERE = fileURLToPath(new URL("./", import.meta.url));
const CONSUMER = join(HERE, "consumer");
const BUNDLERS = join(HERE, "../bundlers");
const run = promisify(execFile);

let embedded, packed, browser, expected, project;

before(async () => {
  embedded = await embedSmallModel();
  packed = await pack(join(embedded.folder, "npm"), { models: embedded.models });
  expected = (await commandLine("caption", PICTURE)).text;
  project = await install();
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await embedded?.remove();
});

test("the package holds the library, the engine and the model, and nothing of the page", () => {
  const wanted = ["obscura.js", "obscura.d.ts", "lib/engine/worker.js", "lib/engine/bundled-worker.js", "element.js", "element.d.ts", "alt.js", "alt.d.ts", "tools.js", "tools.d.ts", "node.js", "node.d.ts"];
  const others = ["pkg/obscura_wasm.js", "pkg/obscura_wasm_bg.wasm", "pkg/obscura_wasm_relaxed.js", "pkg/obscura_wasm_relaxed_bg.wasm", "models/small.gguf", "labels/imagenet.json", "labels/README.md", "README.md", "LICENSE-MIT", "LICENSE-APACHE", "package.json"];
  for (const file of [...wanted, ...others]) assert.ok(packed.files.includes(file), `${file} is in the package`);
  for (const file of ["app.js", "index.html", "page/style.css"]) assert.ok(!packed.files.includes(file), `${file} is not in the package`);
});

test("a program in TypeScript compiles under --strict, and its mistakes do not", WHOLE_TEST, async () => {
  const tsc = join(HERE, "node_modules/typescript/bin/tsc");
  for (const [module, resolution] of [["nodenext", "nodenext"], ["esnext", "bundler"]]) {
    const options = ["--strict", "--noEmit", "--target", "es2022", "--lib", "es2023,dom,dom.iterable", "--types", "", "--module", module, "--moduleResolution", resolution];
    await run(process.execPath, [tsc, ...options, "consumer.ts"], { cwd: project }).catch(({ stdout }) => assert.fail(stdout));
  }
});

describe("a page is described as the command line describes it", { timeout: 900_000 }, () => {
  test("without a bundler", async () => {
    const plain = join(embedded.folder, "plain");
    await cp(project, plain, { recursive: true });
    for (const name of ["main.js", "own-worker.js"]) {
      const text = await readFile(join(plain, name), "utf8");
      const byPath = text.replace(/"obscura(?:\/(\w+))?"/g, (_, entry = "obscura") => `"./node_modules/obscura/${entry}.js"`);
      await writeFile(join(plain, name), byPath);
    }
    await checkSite(plain);
  });

  test("bundled by Vite, with relative addresses and otherwise its default settings", async () => {
    await build({ root: project, configFile: false, base: "./", logLevel: "warn", build: { emptyOutDir: true, outDir: join(embedded.folder, "vite"), reportCompressedSize: false } });
    await checkSite(join(embedded.folder, "vite"));
  });

  test("bundled by Vite 7, which makes one file of each worker", async () => {
    await buildByVite7({ root: project, configFile: false, base: "./", logLevel: "warn", build: { emptyOutDir: true, outDir: join(embedded.folder, "vite-7"), reportCompressedSize: false } });
    await checkSite(join(embedded.folder, "vite-7"));
  });

  test("left out of esbuild's bundle, and named by an import map", async () => {
    const site = join(embedded.folder, "esbuild");
    await cp(join(BUNDLERS, "left-out/index.html"), join(site, "index.html"));
    await cp(join(project, "node_modules/obscura"), join(site, "obscura"), { recursive: true });
    await copyFile(PICTURE, join(site, "picture.webp")); // whatever its name says
    await esbuild({ entryPoints: [join(BUNDLERS, "page/main.js")], bundle: true, format: "esm", external: ["obscura"], outdir: site });
    const server = await serve({ root: CONSUMER, mounts: { "/some/where": site } });
    try {
      await withPage(browser, `${server.url}some/where/`, async (page) => assert.equal(await page.evaluate(() => globalThis.found), expected));
    } finally {
      await server.close();
    }
  });

  test("by Vite's development server, which is told not to bundle the package", async () => {
    const server = await createServer({ root: project, configFile: false, logLevel: "warn", optimizeDeps: { exclude: ["obscura"] }, server: { port: 0, host: "127.0.0.1" } });
    try {
      await server.listen();
      await checkPage(`http://127.0.0.1:${server.httpServer.address().port}/`);
    } finally {
      await server.close();
    }
  });

  test("bundled by webpack, with its default settings", async () => {
    const site = join(embedded.folder, "webpack");
    const compiler = webpack({ context: project, mode: "production", entry: "./main.js", output: { path: site }, performance: false });
    const stats = await promisify(compiler.run.bind(compiler))();
    await promisify(compiler.close.bind(compiler))();
    assert.deepEqual(stats.toJson({ errors: true, warnings: true }).errors.map(({ message }) => message), []);
    const page = await readFile(join(project, "index.html"), "utf8");
    await writeFile(join(site, "index.html"), page.replace("./main.js", "./dist.js"));
    await rename(join(site, "main.js"), join(site, "dist.js"));
    await copyFile(PICTURE, join(site, "picture.png"));
    await checkSite(site);
  });

  test("in Node.js, by the package's name", async () => {
    const program = 'import { load } from "obscura"; console.log((await (await load(null, { dtype: "f32" })).caption("picture.png")).text)';
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program], { cwd: project });
    assert.equal(stdout.trim(), expected);
  });

  test("in an extension, under the security policy of its manifest", async () => {
    const extension = join(embedded.folder, "extension");
    await cp(join(CONSUMER, "extension"), extension, { recursive: true });
    await cp(join(project, "node_modules/obscura"), join(extension, "obscura"), { recursive: true });
    await copyFile(PICTURE, join(extension, "picture.png"));
    const flags = ["--no-sandbox", `--load-extension=${extension}`, `--disable-extensions-except=${extension}`];
    const features = ["--disable-features=DisableLoadExtensionCommandLineSwitch"];
    const context = await chromium.launchPersistentContext(join(embedded.folder, "profile"), {
      executablePath: CHROMIUM,
      channel: "chromium",
      args: [...flags, ...features],
      ignoreDefaultArgs: ["--disable-extensions"],
    });
    try {
      const page = await context.newPage();
      await page.goto(`chrome-extension://${await idOf(extension)}/page.html`);
      const { background, ...found } = await page.evaluate(() => globalThis.found);
      assert.deepEqual(found, { window: expected, element: expected, evaluates: false });
      assert.equal(background.text, expected, "in the service worker, too");
      assert.match(background.refused, /one model at a time/);
    } finally {
      await context.close();
    }
  });
});

/** A project that has the package installed from its tarball. */
async function install() {
  const folder = join(embedded.folder, "project");
  await cp(CONSUMER, folder, { recursive: true });
  await mkdir(join(folder, "public"));
  await copyFile(PICTURE, join(folder, "public/picture.png"));
  await copyFile(PICTURE, join(folder, "picture.png"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await run("npm", ["install", packed.tarball, "--ignore-scripts", "--no-audit", "--no-fund", "--offline"], { cwd: folder });
  return folder;
}

/** Served from a path below the site's own, as on many static hosts; and isolated, where the engine is the one with threads. */
async function checkSite(folder) {
  const engines = [];
  for (const isolate of [false, true]) {
    const server = await serve({ root: CONSUMER, mounts: { "/some/where": folder }, isolate });
    try {
      engines.push(await checkPage(`${server.url}some/where/`));
    } finally {
      await server.close();
    }
  }
  assert.equal(engines[0].length, 1, `${engines[0]}`);
  assert.equal(engines[1].length, 2, `threads in the page, none in its own worker: ${engines[1]}`);
  assert.ok(engines[1].includes(engines[0][0]), `${engines}`);
}

/** The engines that the page took: their files' paths. */
async function checkPage(url) {
  return withPage(browser, url, async (page, requests) => {
    page.setDefaultTimeout(PATIENCE.timeout);
    assert.deepEqual(await page.evaluate(() => globalThis.found), { window: expected, worker: expected, element: expected, alt: expected });
    const files = requests.map((address) => new URL(address).pathname).filter((path) => path.endsWith(".wasm"));
    return [...new Set(files)];
  });
}

/** Of an unpacked extension without a key: made of its path. */
async function idOf(folder) {
  const digest = createHash("sha256").update(await realpath(folder)).digest("hex").slice(0, 32);
  return [...digest].map((digit) => String.fromCharCode(97 + Number.parseInt(digit, 16))).join("");
}
