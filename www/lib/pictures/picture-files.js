// What counts as a picture among chosen files and in a folder: the rule of src/image/collection.rs, which
// the command line has. Both are held to tests/golden/picture-files.json.
//
// Left out are hidden files and folders, and what systems put beside people's own files: bins,
// thumbnails, resource forks. Of the rest the first bytes decide, where they say what a file is, and
// else its ending.

/** Endings of pictures, in small letters. */
const ENDINGS = new Set(
  ("apng avif bmp dib gif heic heif hif ico j2k jfif jif jp2 jpe jpeg jpg jpx jxl mpo pbm pgm pjp pjpeg png pnm ppm " +
    "qoi tga tif tiff webp").split(" "),
);

/** Names, in small letters, of what systems put into folders. */
const SYSTEM_NAMES = new Set([
  "$recycle.bin", "recycler", "recycled", "system volume information", "#recycle", "@recycle", "@eadir", "__macosx",
  "lost+found", "thumbs.db",
]);

/** So many first bytes say what a file is. */
const FIRST_BYTES = 64;
const AT_ONCE = 64; // files that are looked into

const PICTURES = [
  "\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "GIF87a", "GIF89a", "qoif", "\xff\x0a\xfa", "\xff\x0a\x18", "\0\0\0\x0cJXL ",
  "\0\0\0\x0cjP  ", "\xff\x4f\xff\x51",
];
const OTHERS = ["%PDF", "PK\x03\x04", "\x1f\x8b", "\x1a\x45\xdf\xa3", "OggS", "<html", "<!DOCTYPE", "<!doctype"];
const STILL = new Set(["avif", "avis", "heic", "heix", "hevc", "hevx", "mif1", "msf1"]);
const BMP_HEADERS = new Set([12, 40, 52, 56, 64, 108, 124]);

/** Whether a file or folder of this name is passed over, with all that is in it. */
export const isLeftOut = (name) => name.startsWith(".") || SYSTEM_NAMES.has(name.toLowerCase());

/** @param {string} start the file's first bytes, one character each */
export function isPicture(name, start) {
  const dot = name.lastIndexOf(".");
  return isPictureByContent(start) ?? (dot >= 0 && ENDINGS.has(name.slice(dot + 1).toLowerCase()));
}

/** null where the bytes do not say. */
function isPictureByContent(start) {
  if (PICTURES.some((first) => start.startsWith(first))) return true;
  if (OTHERS.some((first) => start.startsWith(first))) return false;
  if (start.length < 12) return null;
  if (start.startsWith("RIFF")) return start.startsWith("WEBP", 8);
  if (start.startsWith("ftyp", 4)) return isStill(start);
  const isBitmap = start.startsWith("BM") && BMP_HEADERS.has(start.charCodeAt(14)) && start.startsWith("\0\0\0", 15);
  return isBitmap ? true : null;
}

/** Whether an ISO media file names a format of still pictures among its brands. */
function isStill(start) {
  const length = [0, 1, 2, 3].reduce((sum, place) => sum * 256 + start.charCodeAt(place), 0);
  const brands = start.slice(8, Math.max(12, Math.min(length, start.length)));
  return (brands.match(/[^]{4}/g) ?? []).some((brand) => STILL.has(brand));
}

/**
 * Whether a text is, most likely, no text but the address or the path of a picture: it ends as picture files do.
 * Nothing is looked for.
 */
export function namesPicture(text) {
  if (/^\s*(data:image\/|blob:)/i.test(text)) return true;
  const isAddress = /^\s*\w[\w+.-]+:\/\//.test(text);
  const path = (isAddress ? text.replace(/[?#].*$/s, "") : text).trim();
  const [, ending] = /^[^\n]*[^\s/\\]\.(\w+)$/.exec(path) ?? [];
  return ending !== undefined && ENDINGS.has(ending.toLowerCase());
}

/** How a file is called within what was chosen. */
export const pathOf = (file) => file.path ?? (file.webkitRelativePath || file.name);

/** The pictures among chosen files, in their order. */
export async function picturesAmong(files) {
  const visible = files.filter((file) => !pathOf(file).split("/").some(isLeftOut));
  const chosen = [];
  for (let place = 0; place < visible.length; place += AT_ONCE) {
    const some = visible.slice(place, place + AT_ONCE);
    const taken = await Promise.all(some.map(async (file) => isPicture(file.name, await firstBytes(file))));
    chosen.push(...some.filter((_, index) => taken[index]));
  }
  return chosen;
}

/** None of a file that cannot be read: its ending decides, and reading it then says why. */
async function firstBytes(file) {
  try {
    return String.fromCharCode(...new Uint8Array(await file.slice(0, FIRST_BYTES).arrayBuffer()));
  } catch {
    return "";
  }
}
