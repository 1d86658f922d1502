// Attention for many queries without barriers: each invocation owns 4 queries of a head and takes 8
// keys at a time.

@compute @workgroup_size(16, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let first = id.x * 4u;
    let group = id.y;
    if (first >= sizes.rows) {
        return;
    }
    // Rows past the edge repeat the last one and are not written.
    let r0 = first;
    let r1 = min(first + 1u, sizes.rows - 1u);
    let r2 = min(first + 2u, sizes.rows - 1u);
    let r3 = min(first + 3u, sizes.rows - 1u);
    let q0 = query_at(group, r0);
    let q1 = query_at(group, r1);
    let q2 = query_at(group, r2);
    let q3 = query_at(group, r3);
    let seen = vec4<u32>(seen_by(r0), seen_by(r1), seen_by(r2), seen_by(r3));
    var sums: array<vec4<f32>, 4u * VECTORS>; // vector by vector, four queries each
    var largest = vec4<f32>(UNSEEN);
    var total = vec4<f32>();
    for (var key = 0u; key < seen.w; key += 8u) {
        // Keys past the end repeat the last one and weigh nothing.
        let last = sizes.context - 1u;
        let k0 = key_at(group, key);
        let k1 = key_at(group, min(key + 1u, last));
        let k2 = key_at(group, min(key + 2u, last));
        let k3 = key_at(group, min(key + 3u, last));
        let k4 = key_at(group, min(key + 4u, last));
        let k5 = key_at(group, min(key + 5u, last));
        let k6 = key_at(group, min(key + 6u, last));
        let k7 = key_at(group, min(key + 7u, last));
        // One vector a key: its scores with the four queries.
        var s0 = vec4<f32>();
        var s1 = vec4<f32>();
        var s2 = vec4<f32>();
        var s3 = vec4<f32>();
        var s4 = vec4<f32>();
        var s5 = vec4<f32>();
        var s6 = vec4<f32>();
        var s7 = vec4<f32>();
        for (var vector = 0u; vector < VECTORS; vector++) {
            let a = load_query(q0, vector);
            let b = load_query(q1, vector);
            let c = load_query(q2, vector);
            let d = load_query(q3, vector);
            s0 += dots(a, b, c, d, load_key(k0, vector));
            s1 += dots(a, b, c, d, load_key(k1, vector));
            s2 += dots(a, b, c, d, load_key(k2, vector));
            s3 += dots(a, b, c, d, load_key(k3, vector));
            s4 += dots(a, b, c, d, load_key(k4, vector));
            s5 += dots(a, b, c, d, load_key(k5, vector));
            s6 += dots(a, b, c, d, load_key(k6, vector));
            s7 += dots(a, b, c, d, load_key(k7, vector));
        }
        s0 = masked(s0, key, seen);
        s1 = masked(s1, key + 1u, seen);
        s2 = masked(s2, key + 2u, seen);
        s3 = masked(s3, key + 3u, seen);
        s4 = masked(s4, key + 4u, seen);
        s5 = masked(s5, key + 5u, seen);
        s6 = masked(s6, key + 6u, seen);
        s7 = masked(s7, key + 7u, seen);
        let newest = max(max(max(s0, s1), max(s2, s3)), max(max(s4, s5), max(s6, s7)));
        let larger = max(largest, newest);
        let shrink = exp(largest - larger);
        largest = larger;
        s0 = exp(s0 - larger);
        s1 = exp(s1 - larger);
        s2 = exp(s2 - larger);
        s3 = exp(s3 - larger);
        s4 = exp(s4 - larger);
        s5 = exp(s5 - larger);
        s6 = exp(s6 - larger);
        s7 = exp(s7 - larger);
        total = total * shrink + (((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7)));
        let v0 = value_at(group, key);
        let v1 = value_at(group, min(key + 1u, last));
        let v2 = value_at(group, min(key + 2u, last));
        let v3 = value_at(group, min(key + 3u, last));
        let v4 = value_at(group, min(key + 4u, last));
        let v5 = value_at(group, min(key + 5u, last));
        let v6 = value_at(group, min(key + 6u, last));
        let v7 = value_at(group, min(key + 7u, last));
        for (var vector = 0u; vector < VECTORS; vector++) {
            let a = load_value(v0, vector);
            let b = load_value(v1, vector);
            let c = load_value(v2, vector);
            let d = load_value(v3, vector);
            let e = load_value(v4, vector);
            let f = load_value(v5, vector);
            let g = load_value(v6, vector);
            let h = load_value(v7, vector);
            let at = vector * 4u;
            sums[at] = sums[at] * shrink.x + (a * s0.x + b * s1.x + c * s2.x + d * s3.x + e * s4.x + f * s5.x + g * s6.x + h * s7.x);
            sums[at + 1u] = sums[at + 1u] * shrink.y + (a * s0.y + b * s1.y + c * s2.y + d * s3.y + e * s4.y + f * s5.y + g * s6.y + h * s7.y);
            sums[at + 2u] = sums[at + 2u] * shrink.z + (a * s0.z + b * s1.z + c * s2.z + d * s3.z + e * s4.z + f * s5.z + g * s6.z + h * s7.z);
            sums[at + 3u] = sums[at + 3u] * shrink.w + (a * s0.w + b * s1.w + c * s2.w + d * s3.w + e * s4.w + f * s5.w + g * s6.w + h * s7.w);
        }
    }
    let factor = 1.0 / total;
    for (var row = 0u; row < min(4u, sizes.rows - first); row++) {
        let at = output_at(group, first + row);
        for (var vector = 0u; vector < VECTORS; vector++) {
            store(at, vector, sums[vector * 4u + row] * factor[row]);
        }
    }
}

fn dots(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>, key: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(dot(a, key), dot(b, key), dot(c, key), dot(d, key));
}

fn masked(scores: vec4<f32>, key: u32, seen: vec4<u32>) -> vec4<f32> {
    return select(vec4<f32>(UNSEEN), scores * SCALE, vec4<u32>(key) < seen);
}
