//! Appending rows in WGSL, an invocation for each vector of four numbers.

use crate::kernels::AppendPlace;
use crate::kernels::wgsl::{Wgsl, is_same_memory};
use burn_wgpu::{CubeTensor, into_contiguous};

struct AppendRowsKernel;

/// See [`crate::kernels::append_rows()`].
pub fn append_rows(
    cache: CubeTensor,
    keys: CubeTensor,
    values: CubeTensor,
    place: AppendPlace,
) -> CubeTensor {
    let shared = is_same_memory(&keys, &values);
    let keys = into_contiguous(keys);
    let values = if shared {
        keys.clone()
    } else {
        into_contiguous(values)
    };
    let [batch, capacity] = [cache.meta.shape()[0], cache.meta.shape()[1]];
    let row = |tensor: &CubeTensor| [tensor.meta.shape()[1], tensor.meta.shape()[2]];
    let [[key_rows, key_row], [value_rows, value_row]] = [row(&keys), row(&values)];
    let AppendPlace {
        at,
        tokens,
        width,
        starts,
    } = place;
    let offsets = [width, key_row, value_row, starts[0], starts[1]];
    let is_vectors = offsets.iter().all(|offset| offset.is_multiple_of(4));
    let step = if is_vectors { 4 } else { 1 };
    let element = if is_vectors { "vec4<f32>" } else { "f32" };
    let values_binding = "@group(0) @binding(1) var<storage, read_write> values: array<";
    let template = vec![
        ("element", element.to_string()),
        (
            "values_binding",
            if shared {
                String::new()
            } else {
                format!("{values_binding}{element}>;")
            },
        ),
        ("values", if shared { "keys" } else { "values" }.to_string()),
        ("cache", if shared { "1" } else { "2" }.to_string()),
        ("sizes", if shared { "2" } else { "3" }.to_string()),
    ];
    let sizes = [
        at,
        tokens,
        capacity,
        width / step,
        key_rows,
        key_row / step,
        starts[0] / step,
        value_rows,
        value_row / step,
        starts[1] / step,
    ];
    let all = [&keys, &values, &cache];
    let buffers = if shared { &[&keys, &cache] } else { &all[..] };
    let groups = [(2 * width / step).div_ceil(64), tokens, batch];
    Wgsl::<AppendRowsKernel>::new(include_str!("append_rows.wgsl"), template).launch(
        groups,
        [64, 1],
        buffers,
        &sizes,
    );
    cache
}
