#!/usr/bin/env bash
# Mesa's llvmpipe 22.3.6 gives each invocation of a shader 65,535 turns of loops, all its loops together.
# When they are used up, every loop is left as if its condition had become false: no error, no lost device,
# the code behind the loops runs, and the results are short. Through naga's GLSL a WGSL `for` takes two
# turns a round in its simplest form, so that a plain loop ends after 32,768 rounds.
#
# Input: a WGSL compute shader of one invocation, two nested loops that count their rounds, and a store
# behind them; run by the package wgpu for Python over OpenGL. Needs Mesa (Debian 12: libegl1,
# libgl1-mesa-dri).
#
# Seen with wgpu 0.32.0 for Python and Mesa 22.3.6, of which the store behind the loops always happened:
#   100 x 100 rounds: 10000
#   400 x 200 rounds: 64887 of 80000
#   65530 x 0 rounds: 32768 of 65530 outer ones
# obscura's choice of tokens on the GPU does its work once, spread over a workgroup, and stays below that.
#
# Exits 0 while it is so, 1 when it is otherwise, 2 where there is no llvmpipe.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check wgpu==0.32.0 numpy==2.3.5
dpkg-query -W libgl1-mesa-dri 2>/dev/null || true
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy
import wgpu

adapters = [one for one in wgpu.gpu.enumerate_adapters_sync() if "llvmpipe" in one.summary]
if not adapters:
    sys.exit(2)
print(adapters[0].summary)
device = adapters[0].request_device_sync()
shader = device.create_shader_module(code="""
@group(0) @binding(0) var<storage, read> rounds: array<u32>;
@group(0) @binding(1) var<storage, read_write> counted: array<u32>;
@compute @workgroup_size(1)
fn main() {
    for (var i = 0u; i < rounds[0]; i++) {
        for (var j = 0u; j < rounds[1]; j++) {
            counted[0] += 1u;
        }
        counted[1] += 1u;
    }
    counted[2] = 7u;
}
""")
pipeline = device.create_compute_pipeline(layout="auto", compute={"module": shader, "entry_point": "main"})

def count(outer, inner):
    usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC
    data = [numpy.array([outer, inner], numpy.uint32), numpy.zeros(3, numpy.uint32)]
    buffers = [device.create_buffer_with_data(data=one, usage=usage) for one in data]
    entries = [{"binding": place, "resource": {"buffer": one}} for place, one in enumerate(buffers)]
    group = device.create_bind_group(layout=pipeline.get_bind_group_layout(0), entries=entries)
    encoder = device.create_command_encoder()
    compute = encoder.begin_compute_pass()
    compute.set_pipeline(pipeline)
    compute.set_bind_group(0, group)
    compute.dispatch_workgroups(1)
    compute.end()
    device.queue.submit([encoder.finish()])
    found = numpy.frombuffer(device.queue.read_buffer(buffers[1]), numpy.uint32).tolist()
    print(f"{outer} x {inner} rounds: {found[0]} inner, {found[1]} outer, the store behind: {found[2] == 7}")
    return found

few, many, outer = count(100, 100), count(400, 200), count(65530, 0)
complete = few == [10000, 100, 7]
short = many[0] < 65536 and many[2] == 7 and outer == [0, 32768, 7]
sys.exit(0 if complete and short else 1)
PYTHON
