// Rows of a packed table as floats. One invocation decodes one vector of four values.

@group(0) @binding(0) var<storage, read_write> weight: array<{{weight_element}}>;
@group(0) @binding(1) var<storage, read_write> indices: array<i32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

const COLUMNS = {{columns}}u;

{{load_functions}}

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let first = id.x * 4u;
    if (first >= COLUMNS) {
        return;
    }
    let values = load_weight(u32(indices[id.y]), id.x);
    for (var i = 0u; i < min(4u, COLUMNS - first); i++) {
        output[id.y * COLUMNS + first + i] = values[i];
    }
}
