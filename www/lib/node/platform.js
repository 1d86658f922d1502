// What Node.js, Bun and Deno put in place of a browser's ways, in the program and in its threads.

import { pathToFileURL } from "node:url";
import { platform } from "../platform/platform.js";
import { fetchFiles } from "./files.js";

platform.fetch = fetchFiles;
platform.base = () => pathToFileURL("./").href; // the folder that the program was started in
platform.words = {
  model: "a path, an address, a hub id such as 'owner/name', a file or files, or bytes",
  picture: "a path, URL, Buffer, typed array, ArrayBuffer, Blob, or what decode() gave",
  noGpu: globalThis.Deno
    ? "Deno found none: a GPU wants its driver (on Linux, Vulkan)."
    : "A GPU wants the npm package webgpu (npm install webgpu) and its driver (on Linux, Vulkan).",
  notKept: "Nothing is kept here, so the next load fetches the model again: keep it as a file, and give load() the path.",
  noEngine: "Is pkg/ beside obscura's other files?",
};
