
// --- what the attention kernels share: where the rows of a head are ------------------------------

struct Sizes {
    // Queries of a batch entry, keys that count, heads, and whether the queries are the last tokens
    // and see no later ones.
    rows: u32,
    context: u32,
    heads: u32,
    causal: u32,
    // In numbers: where the first row's columns begin, from batch entry to batch entry, from row to
    // row.
    query_start: u32,
    query_batch: u32,
    query_row: u32,
    key_start: u32,
    key_batch: u32,
    key_row: u32,
    value_start: u32,
    value_batch: u32,
    value_row: u32,
}

{{bindings}}

const WIDTH = {{width}}u;
const VECTORS = (WIDTH + 3u) / 4u;
const SCALE = {{scale}};
// Below any score, and far from overflow.
const UNSEEN = -1e30;

// Group `group` is a head of a batch entry.
fn query_at(group: u32, row: u32) -> u32 {
    return sizes.query_start + group / sizes.heads * sizes.query_batch + row * sizes.query_row + group % sizes.heads * WIDTH;
}

fn key_at(group: u32, token: u32) -> u32 {
    return sizes.key_start + group / sizes.heads * sizes.key_batch + token * sizes.key_row + group % sizes.heads * WIDTH;
}

fn value_at(group: u32, token: u32) -> u32 {
    return sizes.value_start + group / sizes.heads * sizes.value_batch + token * sizes.value_row + group % sizes.heads * WIDTH;
}

fn output_at(group: u32, row: u32) -> u32 {
    return ((group / sizes.heads * sizes.rows + row) * sizes.heads + group % sizes.heads) * WIDTH;
}

// Keys that a query sees.
fn seen_by(row: u32) -> u32 {
    return select(sizes.context, sizes.context - sizes.rows + row + 1u, sizes.causal == 1u);
}

fn load_query(at: u32, vector: u32) -> vec4<f32> {
    {{load_query}}
}

fn load_key(at: u32, vector: u32) -> vec4<f32> {
    {{load_key}}
}

fn load_value(at: u32, vector: u32) -> vec4<f32> {
    {{load_value}}
}

fn store(at: u32, vector: u32, stored: vec4<f32>) {
    {{store}}
}
