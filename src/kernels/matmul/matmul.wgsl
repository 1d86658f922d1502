// Batches of [rows, depth] x [depth, columns]. One invocation computes one value.

@group(0) @binding(0) var<storage, read_write> left: array<f32>;
@group(0) @binding(1) var<storage, read_write> right: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

const ROWS = {{rows}}u;
const COLUMNS = {{columns}}u;
const DEPTH = {{depth}}u;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= COLUMNS || id.y >= ROWS) {
        return;
    }
    let row = id.z * ROWS + id.y;
    let first = id.z * DEPTH * COLUMNS + id.x;
    var sum = 0.0;
    for (var k = 0u; k < DEPTH; k++) {
        sum += left[row * DEPTH + k] * right[first + k * COLUMNS];
    }
    output[row * COLUMNS + id.x] = sum;
}
