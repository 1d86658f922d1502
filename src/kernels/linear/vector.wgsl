// activation(input . weight^T + bias) for the few rows of a decoding step. A workgroup computes 4
// output columns for all rows: its invocations share the depth, then add up in workgroup memory.

@group(0) @binding(0) var<storage, read_write> input: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> weight: array<{{weight_element}}>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
{{bias_binding}}

const VECTORS = {{columns}}u / 4u;
const OUTPUTS = {{outputs}}u;
const ROWS = {{rows}}u;
const INVOCATIONS = 64u;

// One vec4 (the 4 columns) for each row and invocation.
var<workgroup> partial: array<vec4<f32>, ROWS * INVOCATIONS>;

fn load_weight(row: u32, vector: u32) -> vec4<f32> {
    {{load_weight}}
}

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first_column = (group.y * groups.x + group.x) * 4u;
    let c = min(vec4<u32>(first_column) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(OUTPUTS - 1u));
    var sums = array<vec4<f32>, ROWS>();
    for (var k = lane; k < VECTORS; k += INVOCATIONS) {
        let w0 = load_weight(c.x, k);
        let w1 = load_weight(c.y, k);
        let w2 = load_weight(c.z, k);
        let w3 = load_weight(c.w, k);
        for (var row = 0u; row < ROWS; row++) {
            let x = input[row * VECTORS + k];
            sums[row] += vec4<f32>(dot(x, w0), dot(x, w1), dot(x, w2), dot(x, w3));
        }
    }
    for (var row = 0u; row < ROWS; row++) {
        partial[row * INVOCATIONS + lane] = sums[row];
    }
    for (var width = INVOCATIONS / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane < width) {
            for (var row = 0u; row < ROWS; row++) {
                let at = row * INVOCATIONS + lane;
                partial[at] += partial[at + width];
            }
        }
    }
    workgroupBarrier();
    let column = first_column + lane % 4u;
    let row = lane / 4u;
    if (row < ROWS && column < OUTPUTS) {
        let sum = partial[row * INVOCATIONS][lane % 4u];
        output[row * OUTPUTS + column] = {{activation}}(sum + {{bias}});
    }
}
