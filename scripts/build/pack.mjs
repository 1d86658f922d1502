// The npm package, from the built www/: node scripts/build/pack.mjs [FOLDER]. What goes in is what the
// entries of www/package.json import, found by following the imports: the page itself stays out.

import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, posix, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { referencesOf } from "./references.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const WWW = join(ROOT, "www");
const UNBUNDLED = "lib/engine/worker.js"; // which start-worker.js starts where nothing was bundled
const EMBEDDED = "lib/loading/embedded.js"; // which finds the embedded model

/**
 * Makes the package in `folder`, with the model that `models`/models.json embeds, and packs it.
 * @returns {Promise<{tarball: string, files: string[]}>}
 */
export async function pack(folder, { models = join(WWW, "models") } = {}) {
  const manifest = JSON.parse(await readFile(join(WWW, "package.json"), "utf8"));
  const content = join(folder, "package");
  await rm(content, { recursive: true, force: true });
  const entries = Object.values(manifest.exports).flatMap(filesOf).filter((path) => !path.includes("*"));
  const embedded = await listedModel(models, "default");
  const beside = await listedModel(models, "beside");
  const files = new Map([[EMBEDDED, moduleOf(embedded)]]);
  for (const entry of [...entries, UNBUNDLED]) await collect(posix.normalize(entry), files);
  for (const folder of new Set([...files.keys()].map(posix.dirname))) {
    const origins = posix.join(folder, "README.md"); // where its files are from, and their licence
    if (folder !== "." && (await isFile(origins))) files.set(origins, null);
  }
  for (const [path, text] of files) await put(join(WWW, path), join(content, path), text);
  const ofModel = embedded ? [embedded.url, ...(beside ? [beside.url] : []), "README.md", "LICENSE"] : [];
  for (const name of await present(models, ofModel)) await put(join(models, name), join(content, "models", name));
  for (const name of ["README.md", "LICENSE-MIT", "LICENSE-APACHE"]) await put(join(ROOT, name), join(content, name));
  const { private: _, name, ...others } = manifest;
  const complete = { name, version: await version(), ...others };
  await writeFile(join(content, "package.json"), `${JSON.stringify(complete, null, 2)}\n`);
  const arguments_ = ["pack", "--json", "--ignore-scripts", "--pack-destination", resolve(folder)];
  const { stdout } = await promisify(execFile)("npm", arguments_, { cwd: content });
  const [{ files: packed }] = Object.values(JSON.parse(stdout));
  return { tarball: resolve(folder, `${name}-${complete.version}.tgz`), files: packed.map(({ path }) => path) };
}

/** The files that an entry of `exports` names, whatever its conditions. */
function filesOf(target) {
  return typeof target === "string" ? [target] : Object.values(target).flatMap(filesOf);
}

/** Adds the file and what it refers to; null stands for a file that is copied as it is. */
async function collect(path, files) {
  if (files.has(path) || path === "package.json") return;
  files.set(path, null);
  if (!/\.(js|ts)$/.test(path)) return;
  const text = await readFile(join(WWW, path), "utf8");
  for (const other of referencesOf(path, text)) await collect(await sourceOf(other, path), files);
  const types = path.replace(/\.js$/, ".d.ts");
  if (types !== path && (await isFile(types))) await collect(types, files);
}

/** Declarations import "./x.js" and mean the declarations of it. */
async function sourceOf(path, importer) {
  const declarations = path.replace(/\.js$/, ".d.ts");
  if (importer.endsWith(".d.ts") && (await isFile(declarations))) return declarations;
  if (!(await isFile(path))) throw new Error(`www/${importer} refers to ${path}, which is not there: is www/pkg built?`);
  return path;
}

/** Those that are there: a model's file, and what says where it is from. */
async function present(folder, names) {
  const found = await Promise.all(names.map(async (name) => (await stat(join(folder, name)).catch(() => null))?.isFile()));
  return names.filter((_, index) => found[index]);
}

/** The entry of models.json that is the "default" one, or the one "beside" it; null where there is none. */
async function listedModel(folder, which) {
  const { models, ...chosen } = JSON.parse(await readFile(join(folder, "models.json"), "utf8"));
  return models.find(({ id }) => id === chosen[which]) ?? null;
}

/** EMBEDDED for the package: bundlers see the model's address, and take the file along. */
function moduleOf(embedded) {
  const { url, ...entry } = embedded ?? {};
  const address = `new URL(${JSON.stringify(posix.join(posix.relative(posix.dirname(EMBEDDED), "models"), url))}, import.meta.url).href`;
  return `// Written by scripts/build/pack.mjs: the model that load() takes where none is named.

export const embeddedAddress = () => ${embedded ? address : "null"};

export async function embeddedModel() {
  return ${embedded ? `{ ...${JSON.stringify(entry)}, url: embeddedAddress() }` : "null"};
}
`;
}

async function version() {
  return /^version = "(.+)"$/m.exec(await readFile(join(ROOT, "Cargo.toml"), "utf8"))[1];
}

async function isFile(path) {
  return (await stat(join(WWW, path)).catch(() => null))?.isFile() ?? false;
}

async function put(from, to, text = null) {
  await mkdir(dirname(to), { recursive: true });
  if (text === null) await copyFile(from, to);
  else await writeFile(to, text);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { tarball, files } = await pack(process.argv[2] ?? join(ROOT, "target/npm"));
  const size = (await stat(tarball)).size;
  console.log(`-- ${tarball}: ${files.length} files, ${(size / 1e6).toFixed(1)} MB`);
}
