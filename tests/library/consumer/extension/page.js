// A page of an extension, such as its popup or its side panel: no bundler, no inline script.

import "./obscura/element.js";
import { load } from "./obscura/obscura.js";

/** What the policy forbids is tried, to see that it is in force. */
function evaluates() {
  try {
    return Boolean(Function("return 1")());
  } catch {
    return false;
  }
}

async function run() {
  const element = new Promise((resolve) => document.getElementById("element").addEventListener("captioned", (event) => resolve(event.detail.text)));
  const model = await load(null, { device: "cpu", dtype: "f32" });
  const { text } = await model.caption("picture.png");
  await model.dispose();
  const background = await chrome.runtime.sendMessage("picture.png");
  return { window: text, element: await element, background, evaluates: evaluates() };
}

globalThis.found = run().catch((error) => ({ error: `${error.code}: ${error.message}` }));
