// What somebody writes who has installed the package: everything is imported by its name.

import { load } from "obscura";
import { fillAlt } from "obscura/alt";
import "obscura/element";

const options = { device: "cpu", dtype: "f32" };

async function inWindow() {
  const model = await load(null, options);
  const { text } = await model.caption(new URL("picture.png", document.baseURI));
  await model.dispose();
  return text;
}

function inOwnWorker() {
  const worker = new Worker(new URL("./own-worker.js", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message || "the worker could not be loaded"));
    worker.postMessage({ picture: new URL("picture.png", document.baseURI).href, options });
  });
}

const captioned = (id) => new Promise((resolve) => document.getElementById(id).addEventListener("captioned", (event) => resolve(event.detail.text)));

async function run() {
  const element = captioned("element");
  const alt = captioned("picture").then(() => document.getElementById("picture").alt);
  fillAlt({ ...options, consent: "given" });
  return { window: await inWindow(), worker: await inOwnWorker(), element: await element, alt: await alt };
}

globalThis.found = run().catch((error) => ({ error: `${error.code}: ${error.message}` }));
