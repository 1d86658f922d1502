// The files of a folder: by the File System Access API where the browser has it, else by a file input.

import { element } from "./elements.js";
import { isLeftOut } from "../lib/pictures/picture-files.js";

/** `inputId` is the input with webkitdirectory that stands in; then `open` hears of its files later. */
export async function chooseFolder(inputId, open) {
  if (!globalThis.showDirectoryPicker) return element(inputId).click();
  let folder;
  try {
    folder = await globalThis.showDirectoryPicker({ mode: "read" });
  } catch (error) {
    if (error.name === "AbortError") return; // the person changed their mind
    throw error;
  }
  open(await filesWithin(folder, folder.name));
}

/** All files but those that are left out of folders; picturesAmong() says which are pictures. */
async function filesWithin(folder, path) {
  const files = [];
  for await (const entry of folder.values()) {
    if (isLeftOut(entry.name)) continue;
    const name = `${path}/${entry.name}`;
    if (entry.kind === "directory") files.push(...(await filesWithin(entry, name)));
    else files.push(Object.assign(await entry.getFile(), { path: name }));
  }
  return files;
}
