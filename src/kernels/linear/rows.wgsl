// activation(input . weight^T + bias) for many rows. Each invocation owns 4 rows x 4 columns of the
// output in registers and walks along the depth in vectors of four, without barriers.
// {{columns}}: padded depth, {{outputs}}: columns of the output.

@group(0) @binding(0) var<storage, read_write> input: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> weight: array<{{weight_element}}>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
{{bias_binding}}

const VECTORS = {{columns}}u / 4u;
const OUTPUTS = {{outputs}}u;

fn load_weight(row: u32, vector: u32) -> vec4<f32> {
    {{load_weight}}
}

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let rows = arrayLength(&output) / OUTPUTS;
    let first_column = id.x * 4u;
    let first_row = id.y * 4u;
    if (first_column >= OUTPUTS || first_row >= rows) {
        return;
    }
    // Rows and columns past the edge repeat the last one and are not written.
    let r = min(vec4<u32>(first_row) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(rows - 1u)) * VECTORS;
    let c = min(vec4<u32>(first_column) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(OUTPUTS - 1u));
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    for (var k = 0u; k < VECTORS; k++) {
        let w0 = load_weight(c.x, k);
        let w1 = load_weight(c.y, k);
        let w2 = load_weight(c.z, k);
        let w3 = load_weight(c.w, k);
        let x0 = input[r.x + k];
        let x1 = input[r.y + k];
        let x2 = input[r.z + k];
        let x3 = input[r.w + k];
        sum0 += vec4<f32>(dot(x0, w0), dot(x0, w1), dot(x0, w2), dot(x0, w3));
        sum1 += vec4<f32>(dot(x1, w0), dot(x1, w1), dot(x1, w2), dot(x1, w3));
        sum2 += vec4<f32>(dot(x2, w0), dot(x2, w1), dot(x2, w2), dot(x2, w3));
        sum3 += vec4<f32>(dot(x3, w0), dot(x3, w1), dot(x3, w2), dot(x3, w3));
    }
    store_row(first_row, rows, first_column, sum0);
    store_row(first_row + 1u, rows, first_column, sum1);
    store_row(first_row + 2u, rows, first_column, sum2);
    store_row(first_row + 3u, rows, first_column, sum3);
}

fn store_row(row: u32, rows: u32, first_column: u32, sum: vec4<f32>) {
    if (row >= rows) {
        return;
    }
    store(row, first_column, sum.x);
    store(row, first_column + 1u, sum.y);
    store(row, first_column + 2u, sum.z);
    store(row, first_column + 3u, sum.w);
}

fn store(row: u32, column: u32, sum: f32) {
    if (column < OUTPUTS) {
        output[row * OUTPUTS + column] = {{activation}}(sum + {{bias}});
    }
}
