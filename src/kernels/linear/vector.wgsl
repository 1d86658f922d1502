// activation(input . weight^T + bias) + residual for the few rows of a decoding step on a GPU: 16
// invocations share the depth of a column of the output, 16 bytes of its weights at a time. A
// workgroup computes 4 columns for all rows.

// At most; sums of rows past the last one repeat it and are not written.
const ROWS = {{rows}}u;
const LANES = 64u;
const SHARES = 16u;
// Of 16 bytes: in a row of the weights, and the vectors of four in one.
const CHUNKS = {{words}}u / 4u;
const CHUNK_VECTORS = VECTORS / CHUNKS;

var<workgroup> partial: array<f32, ROWS * LANES>;

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first_column = (group.y * groups.x + group.x) * 4u;
    let column = min(first_column + lane / SHARES, OUTPUTS - 1u);
    let rows = arrayLength(&output) / OUTPUTS;
    var sums = array<f32, ROWS>();
    for (var chunk = lane % SHARES; chunk < CHUNKS; chunk += SHARES) {
        let words = weight[column * CHUNKS + chunk];
        let scale = load_scale(column, chunk * CHUNK_VECTORS / BLOCK_VECTORS);
        var parts = array<f32, ROWS>();
        for (var vector = 0u; vector < CHUNK_VECTORS; vector++) {
            let w = unpack_vector(words, vector);
            for (var row = 0u; row < ROWS; row++) {
                parts[row] += dot(input[min(row, rows - 1u) * VECTORS + chunk * CHUNK_VECTORS + vector], w);
            }
        }
        for (var row = 0u; row < ROWS; row++) {
            sums[row] += parts[row] * scale;
        }
    }
    for (var row = 0u; row < ROWS; row++) {
        partial[row * LANES + lane] = sums[row];
    }
    workgroupBarrier();
    if (lane < 4u * rows) {
        let row = lane / 4u;
        let first = row * LANES + lane % 4u * SHARES;
        var sum = 0.0;
        for (var share = 0u; share < SHARES; share++) {
            sum += partial[first + share];
        }
        store(row, first_column + lane % 4u, sum);
    }
}
