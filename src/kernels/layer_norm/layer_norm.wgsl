// (x - mean) / sqrt(variance + epsilon) * weight + bias. A workgroup computes one row.

@group(0) @binding(0) var<storage, read_write> input: array<{{element}}>;
@group(0) @binding(1) var<storage, read_write> weight: array<{{element}}>;
@group(0) @binding(2) var<storage, read_write> bias: array<{{element}}>;
@group(0) @binding(3) var<storage, read_write> output: array<{{element}}>;
@group(0) @binding(4) var<uniform> rows: vec4<u32>;

const ELEMENTS = {{elements}}u;
const WIDTH = {{width}}.0;
const LANES = 64u;

var<workgroup> sums: array<f32, LANES>;
var<workgroup> squares: array<f32, LANES>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = group.y * groups.x + group.x;
    if (row >= rows.x) {
        return; // all invocations of the workgroup
    }
    let first = row * ELEMENTS;
    var sum = 0.0;
    for (var i = lane; i < ELEMENTS; i += LANES) {
        sum += along(input[first + i]);
    }
    sums[lane] = sum;
    workgroupBarrier();
    // Each invocation adds up all: fewer barriers than a tree.
    var mean = 0.0;
    for (var i = 0u; i < LANES; i++) {
        mean += sums[i];
    }
    mean /= WIDTH;
    var square = 0.0;
    for (var i = lane; i < ELEMENTS; i += LANES) {
        let centred = input[first + i] - mean;
        square += along(centred * centred);
    }
    squares[lane] = square;
    workgroupBarrier();
    var variance = 0.0;
    for (var i = 0u; i < LANES; i++) {
        variance += squares[i];
    }
    let scale = 1.0 / sqrt(variance / WIDTH + {{epsilon}});
    for (var i = lane; i < ELEMENTS; i += LANES) {
        output[first + i] = (input[first + i] - mean) * scale * weight[i] + bias[i];
    }
}

fn along(x: {{element}}) -> f32 {
    return {{sum}};
}
