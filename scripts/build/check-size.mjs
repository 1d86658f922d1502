// Fails if what a visitor downloads, the model aside, is larger than it may be: node scripts/build/check-size.mjs

import { fileURLToPath } from "node:url";
import { transferred } from "../benchmark/transferred.mjs";

const BUDGET = 3_000_000; // bytes of wasm and JavaScript, as brotli
const www = fileURLToPath(new URL("../../www/", import.meta.url));
const engine = (id, threads) => ({ id, runner: "obscura", options: { library: "/obscura.js", threads } });
const engines = [engine("both devices", 1), engine("the CPU, with threads", 2)];

const found = await transferred({ www }, engines, 11); // files of a static host are compressed once, and well
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;
for (const [id, { wasm, js }] of Object.entries(found)) {
  console.log(`${id}: wasm ${megabytes(wasm)} and JavaScript ${megabytes(js)} as brotli, of ${megabytes(BUDGET)}`);
  if (wasm + js <= BUDGET) continue;
  console.error("that is too much: scripts/build/leave-out.mjs says how Burn's unused parts stay out");
  process.exitCode = 1;
}
