// Describes pictures in Node.js 20 or newer, on the CPU, without a browser:
//
//   node examples/node/caption.mjs MODEL PICTURE...
//
// MODEL is a .gguf file, a folder in Hugging Face layout, an address, or a name on the hub. This
// wants www/pkg, which scripts/build-wasm makes. In a project that has the npm package installed,
// the import is `import { load } from "obscura"`.

import { basename } from "node:path";
import { load } from "../../www/node.js";

const [source, ...pictures] = process.argv.slice(2);
if (pictures.length === 0) {
  console.error("usage: node examples/node/caption.mjs MODEL PICTURE...");
  process.exit(2);
}

try {
  const model = await load(source, { tasks: ["caption"], progress: showProgress });
  for (const picture of pictures) {
    process.stdout.write(`${basename(picture)}: `);
    await model.caption(picture, { onToken: (text) => process.stdout.write(text) });
    process.stdout.write("\n");
  }
  await model.dispose();
} catch (error) {
  console.error(`${error.code ?? "error"}: ${error.message}`);
  process.exitCode = 1;
}

function showProgress({ status, loaded, total }) {
  if (status === "progress_total" && process.stderr.isTTY) process.stderr.write(`\rloading: ${Math.floor((100 * loaded) / total)} %\r`);
}
