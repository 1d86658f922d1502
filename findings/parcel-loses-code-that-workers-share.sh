#!/usr/bin/env bash
# Parcel 2.16.4 writes an empty file for the code that two module workers share, and each of them then stops with
# "Cannot find module" when it starts. The build reports no problem.
#
# Input: a page that starts two workers of type "module"; both import one module of 130 KB, large enough to be shared.
#
# Seen with Parcel 2.16.4:
#   as it comes:            a file of 0 bytes beside the workers, neither of which holds the shared module
#   minBundles set to 100:  no such file; both workers hold the module
# obscura's package wants that setting (docs/bundlers.md). Needs Node.js 20.
#
# Exits 0 while Parcel does so, 1 when it behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true }' >package.json
npm install --silent --no-audit --no-fund --save-exact parcel@2.16.4
node - <<'PROGRAM'
const { writeFileSync } = require("node:fs");
const words = Array.from({ length: 8000 }, (_, place) => `word ${place}`);
writeFileSync("shared.js", `export const words = ${JSON.stringify(words)};\n`);
const start = (name) => `new Worker(new URL("./${name}.js", import.meta.url), { type: "module" });\n`;
for (const name of ["one", "two"]) writeFileSync(`${name}.js`, `import { words } from "./shared.js";\npostMessage("${name}: " + words[1]);\n`);
writeFileSync("main.js", start("one") + start("two"));
writeFileSync("index.html", '<!doctype html><title>two workers</title><script type="module" src="main.js"></script>\n');
PROGRAM

# built FOLDER: how many files are empty, and how many hold the shared module
built() {
  npx parcel build index.html --dist-dir "$1" --no-cache --no-source-maps >/dev/null 2>&1
  printf '%s empty, %s with the module\n' "$(find "$1" -name '*.js' -empty | wc -l)" "$(grep -l 'word 7999' "$1"/*.js | wc -l)"
}
export PARCEL_WORKERS=1
echo "Parcel $(npx parcel --version)"
found=$(built plain)
echo "as it comes:           $found"
echo '{ "private": true, "@parcel/bundler-default": { "minBundles": 100 } }' >package.json
other=$(built unshared)
echo "minBundles set to 100: $other"
[ "$found" = "1 empty, 0 with the module" ] && [ "$other" = "0 empty, 2 with the module" ]
