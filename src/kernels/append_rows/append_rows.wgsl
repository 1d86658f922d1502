// Writes rows of keys and values side by side into a cache.

struct Sizes {
    // The cache's first row that is written, rows that are written, rows of a batch entry.
    at: u32,
    tokens: u32,
    capacity: u32,
    // The rest in elements: columns of the keys; of the keys' own rows how many a batch entry has,
    // their width and where the keys begin; the same of the values.
    width: u32,
    key_rows: u32,
    key_row: u32,
    key_start: u32,
    value_rows: u32,
    value_row: u32,
    value_start: u32,
}

@group(0) @binding(0) var<storage, read_write> keys: array<{{element}}>;
{{values_binding}}
@group(0) @binding({{cache}}) var<storage, read_write> cache: array<{{element}}>;
@group(0) @binding({{sizes}}) var<uniform> sizes: Sizes;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x;
    let token = id.y;
    let entry = id.z;
    if (column >= 2u * sizes.width) {
        return;
    }
    let to = ((entry * sizes.capacity + sizes.at + token) * 2u) * sizes.width + column;
    if (column < sizes.width) {
        cache[to] = keys[(entry * sizes.key_rows + token) * sizes.key_row + sizes.key_start + column];
    } else {
        cache[to] = {{values}}[(entry * sizes.value_rows + token) * sizes.value_row + sizes.value_start + column - sizes.width];
    }
}
