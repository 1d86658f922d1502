// Attention for the few queries of a decoding step: a workgroup computes one query of one head. Its
// invocations share the keys, then the columns of the values and, where there are fewer columns
// than invocations, the values' rows.

const LANES = 64u;
// Keys whose weights are held at a time.
const CHUNK = 512u;
const SHARES = LANES / VECTORS;

var<workgroup> weights: array<f32, CHUNK>;
var<workgroup> shared_numbers: array<f32, LANES>;
var<workgroup> shared_sums: array<vec4<f32>, LANES>;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = id.x;
    let group = id.y;
    let query = query_at(group, row);
    let seen = seen_by(row);
    let vector = lane % VECTORS;
    let share = lane / VECTORS;
    var sum = vec4<f32>();
    var largest = UNSEEN;
    var total = 0.0; // of this invocation's keys
    for (var first = 0u; first < seen; first += CHUNK) {
        let count = min(CHUNK, seen - first);
        var larger = UNSEEN;
        for (var i = lane; i < count; i += LANES) {
            let key = key_at(group, first + i);
            var score = 0.0;
            for (var v = 0u; v < VECTORS; v++) {
                score += dot(load_query(query, v), load_key(key, v));
            }
            weights[i] = score * SCALE;
            larger = max(larger, score * SCALE);
        }
        shared_numbers[lane] = larger;
        workgroupBarrier();
        // Each invocation looks at all: fewer barriers than a tree.
        larger = largest;
        for (var i = 0u; i < LANES; i++) {
            larger = max(larger, shared_numbers[i]);
        }
        let shrink = exp(largest - larger);
        largest = larger;
        total *= shrink;
        for (var i = lane; i < count; i += LANES) {
            let weight = exp(weights[i] - larger);
            weights[i] = weight;
            total += weight;
        }
        workgroupBarrier();
        sum *= shrink;
        if (share < SHARES) {
            for (var i = share; i < count; i += SHARES) {
                sum += load_value(value_at(group, first + i), vector) * weights[i];
            }
        }
        workgroupBarrier();
    }
    shared_numbers[lane] = total;
    shared_sums[lane] = sum;
    workgroupBarrier();
    if (lane < VECTORS) {
        total = 0.0;
        for (var i = 0u; i < LANES; i++) {
            total += shared_numbers[i];
        }
        sum = vec4<f32>();
        for (var i = 0u; i < SHARES; i++) {
            sum += shared_sums[i * VECTORS + lane];
        }
        store(output_at(group, row), lane, sum / total);
    }
}
