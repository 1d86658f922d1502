// Fails if what a visitor downloads, the model aside, is larger than it may be: node scripts/check-size.mjs

import { fileURLToPath } from "node:url";
import { transferred } from "./benchmark/transferred.mjs";

const BUDGET = 3_000_000; // bytes of wasm and JavaScript, as brotli
const www = fileURLToPath(new URL("../www/", import.meta.url));
const own = { id: "obscura", runner: "obscura", options: { library: "/obscura.js" } };

const { obscura } = await transferred({ www }, [own], 11); // files of a static host are compressed once, and well
const total = obscura.wasm + obscura.js;
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;
console.log(`wasm ${megabytes(obscura.wasm)} and JavaScript ${megabytes(obscura.js)} as brotli, of ${megabytes(BUDGET)}`);
if (total > BUDGET) {
  console.error("that is too much: scripts/leave-out.mjs says how Burn's unused parts stay out");
  process.exitCode = 1;
}
