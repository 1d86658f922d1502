// The pictures of a folder: by the File System Access API where the browser has it, else by a file input.

import { element } from "./elements.js";

const PICTURE = /\.(png|jpe?g|webp|gif|bmp|avif)$/i;

export const isPicture = (file) => file.type.startsWith("image/") || PICTURE.test(file.name ?? "");

/** How a file is called within what was chosen. */
export const pathOf = (file) => file.path ?? (file.webkitRelativePath || file.name);

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

async function filesWithin(folder, path) {
  const files = [];
  for await (const entry of folder.values()) {
    const name = `${path}/${entry.name}`;
    if (entry.kind === "directory") files.push(...(await filesWithin(entry, name)));
    else if (PICTURE.test(entry.name)) files.push(Object.assign(await entry.getFile(), { path: name }));
  }
  return files;
}
