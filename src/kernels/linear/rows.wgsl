// activation(input . weight^T + bias) + residual on a software adapter, without barriers: each
// invocation owns some rows x 8 columns of the output in registers and walks along the depth in vectors
// of four. There loads take most of the time, whatever they load: the more sums they serve, the better.

@compute @workgroup_size(8, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let rows = arrayLength(&output) / OUTPUTS;
    let first_row = id.y * {{rows}}u;
    let first_column = id.x * 8u;
    if (first_column >= OUTPUTS) {
        return;
    }
    // Rows and columns past the edge repeat the last one and are not written.
    let a = columns_from(first_column);
    let b = columns_from(first_column + 4u);
    let start{{row}} = min(first_row + {{row}}u, rows - 1u) * VECTORS;
    var sum{{row}} = mat2x4<f32>();
    for (var block = 0u; block < BLOCKS; block++) {
        var part{{row}} = mat2x4<f32>();
        for (var k = block * BLOCK_VECTORS; k < (block + 1u) * BLOCK_VECTORS; k++) {
            let weights_a = weights(a, k);
            let weights_b = weights(b, k);
            let x{{row}} = input[start{{row}} + k];
            part{{row}} += mat2x4<f32>(x{{row}} * weights_a, x{{row}} * weights_b);
        }
        let scales_a = scales(a, block);
        let scales_b = scales(b, block);
        sum{{row}} += mat2x4<f32>(part{{row}}[0] * scales_a, part{{row}}[1] * scales_b);
    }
    store_row(first_row + {{row}}u, rows, first_column, sum{{row}}[0]);
    store_row(first_row + {{row}}u, rows, first_column + 4u, sum{{row}}[1]);
}

fn columns_from(first: u32) -> vec4<u32> {
    return min(vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(OUTPUTS - 1u));
}

fn weights(columns: vec4<u32>, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(load_unscaled(columns.x, k), load_unscaled(columns.y, k), load_unscaled(columns.z, k), load_unscaled(columns.w, k));
}

fn scales(columns: vec4<u32>, block: u32) -> vec4<f32> {
    return vec4<f32>(load_scale(columns.x, block), load_scale(columns.y, block), load_scale(columns.z, block), load_scale(columns.w, block));
}
