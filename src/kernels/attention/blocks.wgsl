// Attention for many queries on a GPU: a workgroup computes 64 queries of one head, one an
// invocation, and reads its keys and values through workgroup memory, 16 at a time.

const LANES = 64u;
const KEYS = 16u;

var<workgroup> key_block: array<vec4<f32>, KEYS * VECTORS>;
var<workgroup> value_block: array<vec4<f32>, KEYS * VECTORS>;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = id.y;
    let last_row = min(id.x * LANES + LANES, sizes.rows) - 1u;
    // Invocations past the edge repeat the last row and do not write it.
    let row = min(id.x * LANES + lane, last_row);
    let seen = seen_by(row);
    let end = seen_by(last_row);
    let at = query_at(group, row);
    var query: array<vec4<f32>, VECTORS>;
    var sums: array<vec4<f32>, VECTORS>;
    for (var vector = 0u; vector < VECTORS; vector++) {
        query[vector] = load_query(at, vector) * SCALE;
    }
    var largest = UNSEEN;
    var total = 0.0;
    for (var first = 0u; first < end; first += KEYS) {
        workgroupBarrier();
        for (var i = lane; i < KEYS * VECTORS; i += LANES) {
            let token = min(first + i / VECTORS, end - 1u);
            key_block[i] = load_key(key_at(group, token), i % VECTORS);
            value_block[i] = load_value(value_at(group, token), i % VECTORS);
        }
        workgroupBarrier();
        // Four keys at a time, so that the sums are scaled a quarter as often. The bound is not a
        // constant: some compilers would unroll all of it.
        for (var key = 0u; key < min(KEYS, end - first); key += 4u) {
            var scores = vec4<f32>();
            let block = key * VECTORS;
            for (var vector = 0u; vector < VECTORS; vector++) {
                let x = query[vector];
                scores += vec4<f32>(
                    dot(x, key_block[block + vector]),
                    dot(x, key_block[block + VECTORS + vector]),
                    dot(x, key_block[block + 2u * VECTORS + vector]),
                    dot(x, key_block[block + 3u * VECTORS + vector]),
                );
            }
            let keys = vec4<u32>(first + key) + vec4<u32>(0u, 1u, 2u, 3u);
            scores = select(vec4<f32>(UNSEEN), scores, keys < vec4<u32>(seen));
            let pairs = max(scores.xy, scores.zw);
            let larger = max(largest, max(pairs.x, pairs.y));
            let shrink = exp(largest - larger);
            let weights = exp(scores - larger);
            largest = larger;
            total = total * shrink + dot(weights, vec4<f32>(1.0));
            for (var vector = 0u; vector < VECTORS; vector++) {
                sums[vector] = sums[vector] * shrink
                    + value_block[block + vector] * weights.x
                    + value_block[block + VECTORS + vector] * weights.y
                    + value_block[block + 2u * VECTORS + vector] * weights.z
                    + value_block[block + 3u * VECTORS + vector] * weights.w;
            }
        }
    }
    if (id.x * LANES + lane <= last_row) {
        for (var vector = 0u; vector < VECTORS; vector++) {
            store(output_at(group, row), vector, sums[vector] / total);
        }
    }
}
