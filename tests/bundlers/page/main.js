// What somebody writes: the model that comes with obscura describes a picture.

import { load } from "obscura";

async function describe() {
  const model = await load(null, { device: "cpu" });
  const { text } = await model.caption(new URL("picture.webp", document.baseURI));
  await model.dispose();
  return text;
}

globalThis.found = describe().catch((error) => `${error.code}: ${error.message}`);
