// activation(input . weight^T + bias) + residual for many rows on a GPU: a workgroup computes 64 rows
// x 64 columns of the output, each invocation 8 x 4 of them, and reads inputs and decoded weights
// through workgroup memory, 16 deep at a time.

// Depth first, then rows or columns in vectors of four; one more vector keeps off bank conflicts.
const STRIDE = 17u;

var<workgroup> input_tile: array<vec4<f32>, 16u * STRIDE>;
var<workgroup> weight_tile: array<vec4<f32>, 16u * STRIDE>;

@compute @workgroup_size(128, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let rows = arrayLength(&output) / OUTPUTS;
    let tile_column = group.x * 64u;
    let tile_row = group.y * 64u;
    let column = lane % 16u; // of vectors of four
    let row = lane / 16u * 2u;
    // Each invocation brings a square of 4 x 4: half of them inputs, the others weights.
    let square = lane % 64u / 4u;
    let is_input = lane < 64u;
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    var sum4 = vec4<f32>();
    var sum5 = vec4<f32>();
    var sum6 = vec4<f32>();
    var sum7 = vec4<f32>();
    for (var first = 0u; first < VECTORS; first += 4u) {
        let vector = first + lane % 4u;
        var values = mat4x4<f32>();
        if (vector < VECTORS) {
            // Rows and columns past the edge repeat the last one and are not written.
            for (var i = 0u; i < 4u; i++) {
                if (is_input) {
                    values[i] = input[min(tile_row + square * 4u + i, rows - 1u) * VECTORS + vector];
                } else {
                    values[i] = load_weight(min(tile_column + square * 4u + i, OUTPUTS - 1u), vector);
                }
            }
        }
        values = transpose(values);
        workgroupBarrier();
        for (var i = 0u; i < 4u; i++) {
            let at = (lane % 4u * 4u + i) * STRIDE + square;
            if (is_input) {
                input_tile[at] = values[i];
            } else {
                weight_tile[at] = values[i];
            }
        }
        workgroupBarrier();
        for (var k = 0u; k < 16u; k++) {
            let w = weight_tile[k * STRIDE + column];
            let x = input_tile[k * STRIDE + row];
            let y = input_tile[k * STRIDE + row + 1u];
            sum0 += x.x * w;
            sum1 += x.y * w;
            sum2 += x.z * w;
            sum3 += x.w * w;
            sum4 += y.x * w;
            sum5 += y.y * w;
            sum6 += y.z * w;
            sum7 += y.w * w;
        }
    }
    let first_row = tile_row + row * 4u;
    let first_column = tile_column + column * 4u;
    store_row(first_row, rows, first_column, sum0);
    store_row(first_row + 1u, rows, first_column, sum1);
    store_row(first_row + 2u, rows, first_column, sum2);
    store_row(first_row + 3u, rows, first_column, sum3);
    store_row(first_row + 4u, rows, first_column, sum4);
    store_row(first_row + 5u, rows, first_column, sum5);
    store_row(first_row + 6u, rows, first_column, sum6);
    store_row(first_row + 7u, rows, first_column, sum7);
}
