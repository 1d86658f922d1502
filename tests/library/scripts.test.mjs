// scripts/ as a house: what a person types lies at the top and explains itself, the rest in rooms.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { describe, test } from "node:test";
import { ROOT } from "./surroundings.mjs";

const SCRIPTS = join(ROOT, "scripts");
const SOURCED = "lib.sh"; // which scripts begin with
const MOST = 12;

const typed = readdirSync(SCRIPTS, { withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name !== SOURCED)
  .map(({ name }) => name);

test("at most a dozen scripts lie at the top", () => {
  assert.ok(typed.includes("demo"));
  assert.ok(typed.length <= MOST, typed.join(", "));
});

describe("each says what it is for when asked for --help, and does nothing else", () => {
  for (const name of typed) {
    test(name, () => {
      const program = { ".mjs": process.execPath, ".py": "python3" }[extname(name)];
      const file = join(SCRIPTS, name);
      const [command, ...parameters] = program ? [program, file, "--help"] : [file, "--help"];
      const { status, stdout, stderr } = spawnSync(command, parameters, { encoding: "utf8", timeout: 20_000 });
      assert.equal(status, 0, stderr);
      const beginning = stdout.trim().split("\n")[0];
      assert.ok(beginning.length > 40, stdout);
      assert.ok(readFileSync(file, "utf8").includes(beginning), "it is what stands at the file's head");
    });
  }
});
