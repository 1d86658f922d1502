#!/usr/bin/env bash
# Firefox ESR 153 says nothing when a module worker cannot start: if the first of its imports is missing and a later one
# arrives, there is no `error` event on the worker, which never runs. Whoever waits for its answer waits for ever.
#
# Input: workers of type "module" with the imports below; "missing.js" answers 404. Eight workers of each kind.
#
# Seen with Firefox ESR 153.8 and Chromium 156:
#   import "./missing.js"                          Firefox: error event     Chromium: error event
#   import "./missing.js"; import "./there.js"     Firefox: nothing         Chromium: error event
#   import() of such a module, rethrown             Firefox: error event     Chromium: error event
# So obscura's worker begins with an import() that rethrows (www/lib/engine/worker.js). Needs Node.js 20, Firefox and
# Chromium (Debian: firefox-esr, chromium).
#
# Exits 0 while Firefox does so, 1 when it behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --no-audit --no-fund --save-exact puppeteer-core@24.43.1
cat >see.js <<'PROGRAM'
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import puppeteer from "puppeteer-core";

const files = {
  "/": "<!doctype html><title>workers</title>",
  "/there.js": "export const there = 1;",
  "/alone.js": 'import "./missing.js"; postMessage("it runs");',
  "/first.js": 'import "./missing.js"; import "./there.js"; postMessage("it runs");',
  "/dynamic.js": 'import("./first.js").catch((error) => setTimeout(() => { throw error; }));',
};
const server = createServer(({ url }, response) => {
  const text = files[url.split("?")[0]];
  response.writeHead(text ? 200 : 404, { "Content-Type": url === "/" ? "text/html" : "text/javascript" }).end(text);
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

/** What eight workers of that file do, each within a second and a half. */
async function see(page, file) {
  const start = (address) => new Promise((seen) => {
    const worker = new Worker(address, { type: "module" });
    worker.onmessage = ({ data }) => seen(data);
    worker.onerror = () => seen("error event");
    setTimeout(seen, 1500, "nothing");
  });
  const all = new Set();
  for (let turn = 0; turn < 8; turn++) all.add(await page.evaluate(start, `${file}.js?${turn}`));
  return [...all].join(" or ");
}

const expected = { chrome: Array(3).fill("error event"), firefox: ["error event", "nothing", "error event"] };
let isAsBefore = true;
for (const [browser, paths, args] of [["chrome", ["/usr/bin/chromium", "/usr/bin/google-chrome"], ["--no-sandbox"]], ["firefox", ["/usr/bin/firefox-esr", "/usr/bin/firefox"], []]]) {
  const opened = await puppeteer.launch({ browser, executablePath: paths.find(existsSync), args, headless: true });
  const page = await opened.newPage();
  await page.goto(`http://localhost:${server.address().port}/`);
  const found = [];
  for (const file of ["alone", "first", "dynamic"]) found.push(await see(page, file));
  console.log(await opened.version(), found);
  isAsBefore &&= JSON.stringify(found) === JSON.stringify(expected[browser]);
  await opened.close();
}
server.close();
server.closeAllConnections();
process.exitCode = isAsBefore ? 0 : 1;
PROGRAM
node see.js
