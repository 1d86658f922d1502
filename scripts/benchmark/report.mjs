// What was measured, as JSON that keeps earlier measurements and as Markdown tables.

import { readFile, writeFile } from "node:fs/promises";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { PEERS, against } from "./peers.mjs";

const COLUMNS = {
  "clip-image": "CLIP image",
  "clip-text": "CLIP text",
  "clip-labels": "1,000 new labels",
  "clip-classify": "1,000 known labels",
  "siglip-image": "SigLIP 2 image",
  "siglip-text": "SigLIP 2 text",
  "blip-image": "BLIP image",
  "blip-first-token": "first token",
  "blip-token": "each token",
  "blip-caption": "caption",
  "blip-beam": "caption, 3 beams",
  "blip-answer": "answer",
  "clip-load": "CLIP load",
  "blip-load": "BLIP load",
  "blip-cold": "cold start",
};
const TABLES = { cpu: "In the browser, on the CPU", webgpu: "In the browser, on WebGPU", native: "Natively" };
const NOISY = 1.5;
const EQUAL = 0.97; // what is nearer to one is no difference
const [BEGIN, END] = ["<!-- scripts/bench writes from here -->", "<!-- to here -->"];

/**
 * Adds what was found to what the file has, and writes it.
 * @returns {{[label: string]: {machine, sizes, peers: {[id]: {name, table, metrics: {[name]: {median, times, check?}}}}}}}
 */
export function merge(found, { label, peers, sizes, machine, file }) {
  const all = file && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  const own = (all[label] ??= { machine, sizes: {}, peers: {} });
  own.machine = { ...own.machine, ...machine };
  Object.assign(own.sizes, sizes);
  for (const { id, name, table, runner } of peers) {
    if (!found.has(id)) continue;
    const peer = (own.peers[id] ??= { metrics: {} });
    Object.assign(peer, { name, table, runner });
    for (const [metric, { times, ...rest }] of Object.entries(found.get(id))) {
      peer.metrics[metric] = { ...(times.length > 0 && { median: median(times) }), times, ...rest };
    }
  }
  if (file) writeFileSync(file, `${JSON.stringify(all, null, 1)}\n`);
  return all;
}

/** Tables on standard output. */
export function print(all, label) {
  console.log(markdown(all[label]));
}

/** Replaces the tables in a Markdown file. */
export async function write(all, file) {
  const text = await readFile(file, "utf8");
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${file} has no lines '${BEGIN}' and '${END}'`);
  const parts = [BEGIN, ""];
  for (const [label, measured] of Object.entries(all).sort(([a], [b]) => (b === "now") - (a === "now"))) {
    parts.push(`## ${label === "now" ? "Results" : `Results ${label}`}`, "", markdown(measured), "");
  }
  await writeFile(file, text.slice(0, begin) + parts.join("\n") + text.slice(end));
}

function markdown({ machine, sizes, peers: unordered }) {
  const parts = [facts(machine)];
  const known = [...PEERS, ...against].map(({ id }) => id);
  const peers = Object.fromEntries(Object.entries(unordered).sort(([a], [b]) => known.indexOf(a) - known.indexOf(b)));
  for (const [table, title] of Object.entries(TABLES)) {
    const rows = Object.values(peers).filter((peer) => peer.table === table);
    if (rows.length === 0) continue;
    parts.push(`### ${title}`, timesTable(rows), faster(rows), checksTable(rows));
  }
  parts.push(memoryTable(peers, sizes));
  return parts.filter(Boolean).join("\n\n");
}

function facts({ commit, processor, cores, memory, browser, versions }) {
  const gigabytes = Math.round(memory / 2 ** 30);
  const software = [...(browser ? [`Chromium ${browser}`] : []), ...Object.entries(versions).map(([name, version]) => `${name} ${version}`)];
  return `Commit ${commit}; ${cores} cores (${processor}), ${gigabytes} GB of memory; ${software.join(", ")}. Milliseconds, medians; in brackets how many times as long as obscura in the first row.`;
}

function timesTable(rows) {
  const columns = columnsOf(rows);
  const first = rows[0].metrics;
  const cell = ({ metrics }, column) => {
    const { median, times, failed } = metrics[column] ?? {};
    if (failed) return "failed";
    if (median === undefined) return "";
    const factor = metrics !== first && first[column]?.median ? ` (${precise(median / first[column].median, 2)})` : "";
    return `${precise(median, 3)}${marks(times)}${factor}`;
  };
  const rendered = table(["", ...columns.map((column) => COLUMNS[column])], rows.map((row) => [row.name, ...columns.map((column) => cell(row, column))]));
  const notes = [["*", "fewer than five runs"], ["†", "the slowest run took more than one and a half times as long as the fastest: the machine was busy with something else"]];
  const used = notes.filter(([mark]) => rendered.includes(mark)).map(([mark, note]) => `${mark === "*" ? "\\*" : mark} ${note}`);
  return [rendered, ...used].join("\n\n");
}

function marks(times) {
  return (times.length < 5 ? "*" : "") + (Math.max(...times) > NOISY * Math.min(...times) ? "†" : "");
}

/** Where obscura, as in the first row, takes longer than others. */
function faster([first, ...others]) {
  if (!first.name.startsWith("obscura") || others.length === 0) return "";
  const found = columnsOf([first]).flatMap((column) => {
    const own = first.metrics[column].median;
    const better = others
      .filter(({ name }) => !name.startsWith("obscura"))
      .map(({ name, metrics }) => ({ name, factor: metrics[column]?.median / own }))
      .filter(({ factor }) => factor < EQUAL)
      .sort((a, b) => a.factor - b.factor);
    return better.length > 0 ? [`${COLUMNS[column]}: ${better.map(({ name, factor }) => `${name} (${precise(factor, 2)})`).join("; ")}`] : [];
  });
  return found.length > 0 ? `**Faster than ${first.name}:**\n\n${found.map((line) => `- ${line}`).join("\n")}` : `Nothing is faster than ${first.name}.`;
}

/** How near the results are to the reference's. */
function checksTable(rows) {
  const columns = columnsOf(rows).filter((column) => rows.some(({ metrics }) => metrics[column]?.check) && !["blip-first-token", "blip-token"].includes(column));
  if (columns.length === 0) return "";
  const cell = ({ check }) => {
    if (!check) return "";
    const text = check.cosine !== undefined ? check.cosine.toFixed(4) : (check.tokens ?? check.labels).join(" of ");
    return check.wrong ? `**other work: ${text}**` : text;
  };
  const head = ["agreement with the reference", ...columns.map((column) => COLUMNS[column])];
  return table(head, rows.map((row) => [row.name, ...columns.map((column) => cell(row.metrics[column] ?? {}))]));
}

function memoryTable(peers, sizes) {
  const rows = Object.entries(peers).filter(([, { table }]) => table !== "native");
  const megabytes = (bytes) => (bytes ? precise(bytes / 1e6, 3) : "");
  const most = ({ metrics }, model, kind) => megabytes(metrics[`${model}-${kind}`]?.median);
  const cells = rows.map(([id, row]) => [
    `${row.name}${row.table === "webgpu" ? ", WebGPU" : ""}`,
    megabytes(sizes[id]?.wasm),
    megabytes(sizes[id]?.js),
    ...["clip", "caption"].flatMap((model) => [most(row, model, "memory"), most(row, model, "gpu")]),
  ]);
  if (cells.length === 0) return "";
  return `### Bytes\n\n${table(["MB", "wasm, brotli", "JavaScript, brotli", "CLIP: WebAssembly memory", "CLIP: GPU buffers", "BLIP: WebAssembly memory", "BLIP: GPU buffers"], cells)}`;
}

function columnsOf(rows) {
  return Object.keys(COLUMNS).filter((column) => rows.some(({ metrics }) => metrics[column]));
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), `|---|${"---:|".repeat(head.length - 1)}`, ...rows.map(line)].join("\n");
}

/** With so many digits that mean something, without an exponent. */
function precise(value, digits) {
  return Number(value.toPrecision(digits)).toLocaleString("en");
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
