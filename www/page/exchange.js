// Texts for pictures as files: CSV (RFC 4180), JSONL, and HTML to copy from. No elements here.

/** Map of file -> text, from CSV or JSONL, whichever the name says. */
export function readTexts(name, content) {
  return /\.csv$/i.test(name) ? readCsv(content) : readJsonl(content);
}

function readJsonl(content) {
  const texts = new Map();
  for (const [place, line] of content.split("\n").entries()) {
    if (line.trim() === "") continue;
    let entry;
    try {
      entry = JSON.parse(line);
    } catch {
      throw new Error(`Line ${place + 1} is not JSON: each line is one object such as {"file": "a.jpg", "text": "a dog"}.`);
    }
    const file = entry.file ?? entry.image;
    const text = entry.text ?? entry.caption ?? entry.captions?.[0];
    if (typeof file !== "string" || typeof text !== "string") throw new Error(`Line ${place + 1} lacks "file" or "text".`);
    texts.set(file, text);
  }
  return texts;
}

function readCsv(content) {
  const [head, ...lines] = parseCsv(content);
  const [file, text] = [["file", "image"], ["text", "caption"]].map((names) => head?.findIndex((name) => names.includes(name.trim().toLowerCase())));
  if (!(file >= 0 && text >= 0)) throw new Error("The first line of the CSV file names its columns: it needs file and text.");
  return new Map(lines.filter((line) => line[file]).map((line) => [line[file], line[text] ?? ""]));
}

/** Rows of fields. Quoted fields may hold commas, doubled quotes and line breaks. */
export function parseCsv(content) {
  const rows = [[""]];
  const text = content.replace(/^\ufeff/, "").replace(/\r\n/g, "\n");
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const [row, character] = [rows.at(-1), text[at]];
    if (isQuoted && character === '"' && text[at + 1] === '"') row[row.length - 1] += text[++at];
    else if (character === '"' && (isQuoted || row.at(-1) === "")) isQuoted = !isQuoted;
    else if (character === "," && !isQuoted) row.push("");
    else if (character === "\n" && !isQuoted) rows.push([""]);
    else row[row.length - 1] += character;
  }
  return rows.filter((row) => row.length > 1 || row[0] !== "");
}

/** `entries` are {file, text, given, probability}. */
export function asCsv(entries) {
  const quoted = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const line = (fields) => fields.map((field) => quoted(String(field ?? ""))).join(",");
  const rows = entries.map(({ file, text, given, probability }) => line([file, text, given, probability?.toFixed(4)]));
  return [line(["file", "text", "given", "probability"]), ...rows].join("\r\n") + "\r\n";
}

export function asJsonl(entries) {
  return entries.map((entry) => JSON.stringify(entry) + "\n").join("");
}

export function asHtml(entries) {
  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
  const address = (path) => escaped(path.split("/").map(encodeURIComponent).join("/"));
  const images = entries.map(({ file, text }) => `  <img src="${address(file)}" alt="${escaped(text)}">\n`);
  return `<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Pictures with their alt texts</title>\n<body>\n${images.join("")}</body>\n</html>\n`;
}
