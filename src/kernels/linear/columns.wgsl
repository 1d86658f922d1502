// activation(input . weight^T + bias) + residual for the few rows of a decoding step, without
// barriers: an invocation computes 2 columns of the output for all rows.

// At most; sums of rows past the last one repeat it and are not written.
const ROWS = {{rows}}u;

@compute @workgroup_size(16, 1, 1)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let first_column = (id.y * groups.x * 16u + id.x) * 2u;
    if (first_column >= OUTPUTS) {
        return;
    }
    let last = arrayLength(&output) / OUTPUTS - 1u;
    let a = first_column;
    let b = min(first_column + 1u, OUTPUTS - 1u); // a column past the edge is not written
    var sums = array<vec2<f32>, ROWS>();
    for (var block = 0u; block < BLOCKS; block++) {
        var parts = array<vec2<f32>, ROWS>();
        for (var k = block * BLOCK_VECTORS; k < (block + 1u) * BLOCK_VECTORS; k++) {
            let w0 = load_unscaled(a, k);
            let w1 = load_unscaled(b, k);
            for (var row = 0u; row < ROWS; row++) {
                let x = input[min(row, last) * VECTORS + k];
                parts[row] += vec2<f32>(dot(x, w0), dot(x, w1));
            }
        }
        let scale = vec2<f32>(load_scale(a, block), load_scale(b, block));
        for (var row = 0u; row < ROWS; row++) {
            sums[row] += parts[row] * scale;
        }
    }
    for (var row = 0u; row <= min(last, ROWS - 1u); row++) {
        store(row, a, sums[row].x);
        store(row, first_column + 1u, sums[row].y);
    }
}
