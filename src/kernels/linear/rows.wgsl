// activation(input . weight^T + bias) + residual for many rows, without barriers: each invocation
// owns 8 rows x 4 columns of the output in registers and walks along the depth in vectors of four.

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let rows = arrayLength(&output) / OUTPUTS;
    let first_column = id.x * 4u;
    let first_row = id.y * 8u;
    if (first_column >= OUTPUTS || first_row >= rows) {
        return;
    }
    // Rows and columns past the edge repeat the last one and are not written.
    let last = vec4<u32>(rows - 1u);
    let r = min(vec4<u32>(first_row) + vec4<u32>(0u, 1u, 2u, 3u), last) * VECTORS;
    let s = min(vec4<u32>(first_row) + vec4<u32>(4u, 5u, 6u, 7u), last) * VECTORS;
    let c = min(vec4<u32>(first_column) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(OUTPUTS - 1u));
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    var sum4 = vec4<f32>();
    var sum5 = vec4<f32>();
    var sum6 = vec4<f32>();
    var sum7 = vec4<f32>();
    for (var block = 0u; block < BLOCKS; block++) {
        var part0 = vec4<f32>();
        var part1 = vec4<f32>();
        var part2 = vec4<f32>();
        var part3 = vec4<f32>();
        var part4 = vec4<f32>();
        var part5 = vec4<f32>();
        var part6 = vec4<f32>();
        var part7 = vec4<f32>();
        for (var k = block * BLOCK_VECTORS; k < (block + 1u) * BLOCK_VECTORS; k++) {
            let w0 = load_unscaled(c.x, k);
            let w1 = load_unscaled(c.y, k);
            let w2 = load_unscaled(c.z, k);
            let w3 = load_unscaled(c.w, k);
            part0 += dots(input[r.x + k], w0, w1, w2, w3);
            part1 += dots(input[r.y + k], w0, w1, w2, w3);
            part2 += dots(input[r.z + k], w0, w1, w2, w3);
            part3 += dots(input[r.w + k], w0, w1, w2, w3);
            part4 += dots(input[s.x + k], w0, w1, w2, w3);
            part5 += dots(input[s.y + k], w0, w1, w2, w3);
            part6 += dots(input[s.z + k], w0, w1, w2, w3);
            part7 += dots(input[s.w + k], w0, w1, w2, w3);
        }
        let scale = scales(c, block);
        sum0 += part0 * scale;
        sum1 += part1 * scale;
        sum2 += part2 * scale;
        sum3 += part3 * scale;
        sum4 += part4 * scale;
        sum5 += part5 * scale;
        sum6 += part6 * scale;
        sum7 += part7 * scale;
    }
    store_row(first_row, rows, first_column, sum0);
    store_row(first_row + 1u, rows, first_column, sum1);
    store_row(first_row + 2u, rows, first_column, sum2);
    store_row(first_row + 3u, rows, first_column, sum3);
    store_row(first_row + 4u, rows, first_column, sum4);
    store_row(first_row + 5u, rows, first_column, sum5);
    store_row(first_row + 6u, rows, first_column, sum6);
    store_row(first_row + 7u, rows, first_column, sum7);
}

fn dots(x: vec4<f32>, w0: vec4<f32>, w1: vec4<f32>, w2: vec4<f32>, w3: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(dot(x, w0), dot(x, w1), dot(x, w2), dot(x, w3));
}

fn scales(columns: vec4<u32>, block: u32) -> vec4<f32> {
    return vec4<f32>(load_scale(columns.x, block), load_scale(columns.y, block), load_scale(columns.z, block), load_scale(columns.w, block));
}
