#!/usr/bin/env bash
# WGSL wants parentheses where `&&` and `||` stand beside each other. Tint, which Chromium and Dawn have, refuses
# a shader without them; naga, which wgpu has, takes it. So a shader that was only run natively through wgpu can
# fail in a browser.
#
# Input: a compute shader with `a && b || c`, and the same with parentheses; compiled by the package wgpu for
# Python (wgpu-native, naga) and by the npm package webgpu (Dawn, Tint). Needs an adapter for each: Mesa's
# llvmpipe for the former (Debian 12: libegl1, libgl1-mesa-dri) and, for the latter, Debian's Chromium,
# which comes with SwiftShader.
#
# Seen with wgpu 0.32.0 for Python and webgpu 0.6.2 for Node.js:
#   naga: without parentheses taken, with them taken
#   Tint: without parentheses "mixing '&&' and '||' requires parenthesis", with them taken
# obscura's shaders have the parentheses, and the tests compile them all in a browser.
#
# Exits 0 while it is so, 1 when it is otherwise, 2 where an adapter is missing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check wgpu==0.32.0
npm install --silent --no-audit --no-fund webgpu@0.6.2

shader() { # CONDITION
  printf '%s\n' "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(1) fn main() { if ($1) { x[3] = 1u; } }"
}
shader "x[0] == 1u && x[1] == 1u || x[2] == 1u" >without.wgsl
shader "(x[0] == 1u && x[1] == 1u) || x[2] == 1u" >with.wgsl

cat >naga.py <<'PYTHON'
import sys

import wgpu

adapters = wgpu.gpu.enumerate_adapters_sync()
if not adapters:
    sys.exit(2)
device = adapters[0].request_device_sync()
for name in ("without", "with"):
    try:
        shader = device.create_shader_module(code=open(f"{name}.wgsl").read())
        device.create_compute_pipeline(layout="auto", compute={"module": shader, "entry_point": "main"})
        print(f"{name}: taken")
    except Exception as error:
        print(f"{name}: {str(error).strip().splitlines()[-1]}")
PYTHON
cat >tint.mjs <<'NODE'
import { readFileSync } from "node:fs";
import { create } from "webgpu";

const adapter = await create([]).requestAdapter();
if (!adapter) process.exit(2);
const device = await adapter.requestDevice();
for (const name of ["without", "with"]) {
  device.pushErrorScope("validation");
  const { messages } = await device.createShaderModule({ code: readFileSync(`${name}.wgsl`, "utf8") }).getCompilationInfo();
  await device.popErrorScope();
  console.log(`${name}: ${messages.map(({ message }) => message).join("; ") || "taken"}`);
}
process.exit(0); // the package keeps the program running
NODE
naga=$(venv/bin/python naga.py) || exit
tint=$(VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json LD_LIBRARY_PATH=/usr/lib/chromium node tint.mjs) || exit
printf 'naga\n%s\nTint\n%s\n' "$naga" "$tint"
[ "$naga" = "without: taken
with: taken" ] && [ "$tint" = "without: mixing '&&' and '||' requires parenthesis
with: taken" ] || exit 1
