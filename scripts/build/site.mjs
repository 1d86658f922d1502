// The page as a folder for a static host, from the built www/: what the page needs, compressed
// neighbours, and the files by which hosts are told what to send. scripts/site calls it; docs/hosting.md says more.
//
//   node scripts/build/site.mjs FOLDER [--base /repo/] [--model FILE] [--without SECTION,...]

import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const WWW = join(ROOT, "www");

/** Of www/, what is no part of the page: declarations, examples, and what others import. */
const LEFT_OUT = [/\.d\.ts$/, /^(examples|lib\/node|lib\/elements)\//, /^(node|element|alt|same-thread)\.js$/, /^package\.json$/, /(^|\/)\./, /README\.md$/];
const MAY_BE_WITHOUT = ["ask", "classify", "search", "alttext", "compare"];
const COMPRESSED = [".html", ".css", ".js", ".json", ".svg", ".wasm", ".webmanifest"];
const SMALLEST = 1024; // bytes that are worth compressing
const LARGE = 25 << 20; // more than Cloudflare takes in a file

/**
 * Writes the site.
 * @param {string} folder empty, or an earlier site, which is replaced
 * @param {{base?: string, model?: string, without?: string[], quality?: number}} options `quality` is brotli's, 0 to 11
 * @returns {Promise<{files: number, bytes: number, large: string[]}>}
 */
export async function site(folder, { base = "/", model, without = [], quality = 11 } = {}) {
  if (!/^\/([\w.~-]+\/)*$/.test(base)) throw new Error(`--base is the path that the site lies under, such as /repo/, not '${base}'`);
  const stranger = without.find((name) => !MAY_BE_WITHOUT.includes(name));
  if (stranger !== undefined) throw new Error(`--without takes ${MAY_BE_WITHOUT.join(", ")}, not '${stranger}'`);
  const opened = model && (await modelFile(model));
  await makeRoom(folder);
  for (const name of await pageFiles()) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await copyFile(join(WWW, name), join(folder, name));
  }
  if (opened) await embed(opened, join(folder, "models"));
  else if (without.includes("compare")) await leaveOutBeside(join(folder, "models"));
  const page = withoutSections(await readFile(join(WWW, "index.html"), "utf8"), without);
  await writeFile(join(folder, "index.html"), page);
  await writeFile(join(folder, "404.html"), notFound(base));
  await writeFile(join(folder, "_headers"), headers());
  await writeFile(join(folder, ".nojekyll"), ""); // GitHub Pages leaves out files that begin with _ without it
  return compress(folder, quality);
}

const pathOf = (entry) => join(entry.parentPath ?? entry.path, entry.name); // the second is Node.js 20.11's

/** Only a site of ours is deleted. */
async function makeRoom(folder) {
  const names = await readdir(folder).catch((error) => (error.code === "ENOENT" ? [] : Promise.reject(error)));
  const isSite = ["sw.js", ".nojekyll", "_headers"].every((name) => names.includes(name));
  const strangers = names.filter((name) => name !== ".git");
  if (strangers.length > 0 && !isSite) throw new Error(`${folder} is neither empty nor a site that was made by this: choose another folder`);
  for (const name of strangers) await rm(join(folder, name), { recursive: true });
  await mkdir(folder, { recursive: true });
}

/** The names of www/'s files that the page needs. */
async function pageFiles() {
  const found = await readdir(WWW, { recursive: true, withFileTypes: true });
  const names = found.filter((entry) => entry.isFile()).map((entry) => pathOf(entry).slice(WWW.length + 1).replaceAll("\\", "/"));
  const wanted = names.filter((name) => !LEFT_OUT.some((pattern) => pattern.test(name)));
  if (!wanted.includes("pkg/obscura_wasm_bg.wasm")) throw new Error("www/pkg is not built: scripts/build-wasm");
  return wanted;
}

/** {name, bytes} of a .gguf file. */
async function modelFile(path) {
  const bytes = await readFile(path);
  if (bytes.subarray(0, 4).toString("latin1") === "GGUF") return { name: basename(path), bytes };
  throw new Error(`${path} is no .gguf file: make one of any checkpoint with \`obscura convert CHECKPOINT ${basename(path, extname(path))}.gguf\``);
}

/** Makes a file the model that the page opens with. */
async function embed({ name, bytes }, folder) {
  for (const old of await readdir(folder)) if (/\.gguf$/.test(old)) await rm(join(folder, old));
  await writeFile(join(folder, name), bytes);
  const id = basename(name, extname(name));
  const entry = { id, url: encodeURIComponent(name), bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex"), note: "" };
  await writeFile(join(folder, "models.json"), `${JSON.stringify({ default: id, models: [entry] }, null, 2)}\n`);
}

/** Compare alone has a use for the model beside the embedded one. */
async function leaveOutBeside(folder) {
  const { beside, models, ...list } = JSON.parse(await readFile(join(folder, "models.json"), "utf8"));
  for (const { url } of models.filter(({ id }) => id === beside)) await rm(join(folder, url));
  const others = { ...list, models: models.filter(({ id }) => id !== beside) };
  await writeFile(join(folder, "models.json"), `${JSON.stringify(others, null, 2)}\n`);
}

/** The page without these sections, and without the links to them. */
function withoutSections(html, names) {
  return names.reduce((page, name) => {
    const link = new RegExp(`^ *<li><a href="#${name}">.*</li>\n`, "m");
    const section = new RegExp(`^( *)<section id="${name}"[^]*?^\\1</section>\n\n?`, "m");
    if (!link.test(page) || !section.test(page)) throw new Error(`www/index.html has no section '${name}'`);
    return page.replace(link, "").replace(section, "");
  }, html);
}

/** Hosts show it for whatever is missing, at any depth: its addresses begin with the base. */
function notFound(base) {
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="robots" content="noindex">
  <title>Not here · obscura</title>
  <link rel="stylesheet" href="${base}page/style.css">
</head>
<body>
  <main>
    <h1>There is no such page</h1>
    <p><a href="${base}">Go to the start</a></p>
  </main>
</body>
</html>
`;
}

/**
 * For Netlify and Cloudflare Pages: threads, no guessing of types, and the newest files on each visit. Every path: a site under
 * another one's path has its own headers in that one's file.
 */
function headers() {
  return `/*
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
  Cross-Origin-Resource-Policy: same-origin
  X-Content-Type-Options: nosniff
  Referrer-Policy: no-referrer
  Cache-Control: no-cache
`;
}

/** Writes FILE.br and FILE.gz beside what they make smaller. */
async function compress(folder, quality) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(pathOf).filter((path) => !path.includes(`${join(folder, ".git")}/`));
  const large = [];
  let total = 0;
  for (const path of paths) {
    const { size } = await stat(path);
    total += size;
    if (size > LARGE) large.push(path);
    if (size < SMALLEST || !COMPRESSED.includes(extname(path))) continue;
    const bytes = await readFile(path);
    const params = { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: size, [constants.BROTLI_PARAM_LGWIN]: 24 };
    const [br, gz] = await Promise.all([promisify(brotliCompress)(bytes, { params }), promisify(gzip)(bytes, { level: Math.min(quality, 9) })]);
    await Promise.all([writeFile(`${path}.br`, br), writeFile(`${path}.gz`, gz)]);
  }
  return { files: paths.length, bytes: total, large };
}

async function main() {
  const options = { base: { type: "string" }, model: { type: "string" }, without: { type: "string" }, quality: { type: "string", default: "11" } };
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  if (positionals.length !== 1) throw new Error("name one folder to write the site to: scripts/site FOLDER");
  const { base, model, without, quality } = values;
  const { files, bytes, large } = await site(positionals[0], { base, model, without: without?.split(",").map((name) => name.trim()), quality: Number(quality) });
  console.log(`${positionals[0]}: ${files} files, ${(bytes / 1e6).toFixed(1)} MB, and their compressed neighbours`);
  for (const path of large) console.log(`${path} has more than 25 MiB, which some hosts refuse (Cloudflare Pages)`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    console.error(`site: ${error.message}`);
    process.exit(1);
  });
}
