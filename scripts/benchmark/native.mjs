// Peers that run natively: a process that is told what to measure on a line of its standard input, and answers with
// a line of JSON, {times, result}; its first line says that the model is loaded.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** @param {string[]} command */
export async function openProcess([program, ...words]) {
  const child = spawn(program, words, { stdio: ["pipe", "pipe", "inherit"] });
  const failed = new Promise((_, fail) => {
    child.once("error", fail);
    child.once("exit", (code) => fail(new Error(`${program} ${words[0]} ended with ${code}`)));
  });
  failed.catch(() => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await Promise.race([lines.next(), failed]);
    if (done) return failed;
    return JSON.parse(value);
  };
  const opened = await answer();
  return {
    ...opened,
    run: (work) => {
      child.stdin.write(`${work}\n`);
      return answer();
    },
    memory: async () => ({}),
    close: async () => {
      const ended = new Promise((done) => child.once("exit", done));
      child.stdin.end();
      await ended;
    },
  };
}

/** The command of a native peer for one model. */
export function commandOf({ runner, options }, model, { obscura, python, bench, picture, here, expected }) {
  const folder = `${bench}/models/${expected.folders[model]}`;
  if (runner === "obscura-native") {
    const sizes = ["--tokens", expected.tokens, "--labels", expected.labels].map(String);
    return [obscura, "bench", folder, picture, "--on-request", "--dtype", options.dtype, ...sizes];
  }
  return [python, `${here}/pytorch.py`, model, bench, String(options.threads)];
}
