// The largest logits of each row in descending order, the logits at watched ids, and the
// log-sum-exp. One workgroup a row; it finds the maximum, then the largest one below it, and so on.

@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> watched: array<i32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

struct Sizes {
    vocabulary: u32,
    count: u32,
    watched: u32,
}
@group(0) @binding(3) var<uniform> sizes: Sizes;

const INVOCATIONS = 256u;
const NONE = 0xffffffffu;

var<workgroup> values: array<f32, INVOCATIONS>;
var<workgroup> indices: array<u32, INVOCATIONS>;

// Whether entry a comes before entry b: larger value first, lower index first among equals.
fn before(value_a: f32, index_a: u32, value_b: f32, index_b: u32) -> bool {
    return value_a > value_b || (value_a == value_b && index_a < index_b);
}

@compute @workgroup_size(256, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = group.x * sizes.vocabulary;
    let width_of_row = 2u * sizes.count + sizes.watched + 1u;
    let result = group.x * width_of_row;
    var last_value = 0.0;
    var last_index = NONE;
    var largest = 0.0;
    for (var rank = 0u; rank < sizes.count; rank++) {
        var best_value = -3.4028234e38;
        var best_index = NONE;
        for (var i = lane; i < sizes.vocabulary; i += INVOCATIONS) {
            let value = logits[row + i];
            let left = rank == 0u || before(last_value, last_index, value, i);
            if (left && (best_index == NONE || before(value, i, best_value, best_index))) {
                best_value = value;
                best_index = i;
            }
        }
        values[lane] = best_value;
        indices[lane] = best_index;
        for (var width = INVOCATIONS / 2u; width > 0u; width /= 2u) {
            workgroupBarrier();
            if (lane < width) {
                let value = values[lane + width];
                let index = indices[lane + width];
                if (index != NONE && (indices[lane] == NONE || before(value, index, values[lane], indices[lane]))) {
                    values[lane] = value;
                    indices[lane] = index;
                }
            }
        }
        workgroupBarrier();
        last_value = values[0];
        last_index = indices[0];
        if (rank == 0u) {
            largest = last_value;
        }
        if (lane == 0u) {
            output[result + rank] = last_value;
            output[result + sizes.count + rank] = f32(last_index);
        }
        workgroupBarrier();
    }
    for (var i = lane; i < sizes.watched; i += INVOCATIONS) {
        output[result + 2u * sizes.count + i] = logits[row + u32(watched[group.x * sizes.watched + i])];
    }
    var sum = 0.0;
    for (var i = lane; i < sizes.vocabulary; i += INVOCATIONS) {
        sum += exp(logits[row + i] - largest);
    }
    values[lane] = sum;
    for (var width = INVOCATIONS / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane < width) {
            values[lane] += values[lane + width];
        }
    }
    if (lane == 0u) {
        output[result + width_of_row - 1u] = largest + log(values[0]);
    }
}
