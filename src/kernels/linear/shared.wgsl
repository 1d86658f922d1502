
// --- what the kernels of linear layers share -----------------------------------------------------
// {{columns}}: padded depth, {{outputs}}: columns of the output.

@group(0) @binding(0) var<storage, read_write> input: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> weight: array<{{weight_element}}>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
{{bindings}}

const VECTORS = {{columns}}u / 4u;
const OUTPUTS = {{outputs}}u;
// Blocks of vectors that have one scale each; a row of floats is one block.
const BLOCK_VECTORS = {{block_vectors}}u;
const BLOCKS = VECTORS / BLOCK_VECTORS;

{{load_functions}}

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
        output[row * OUTPUTS + column] = {{activation}}(sum + {{bias}}) + {{residual}};
    }
}
