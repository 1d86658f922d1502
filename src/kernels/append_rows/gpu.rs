//! Appending rows in WGSL, an invocation for each vector of four numbers.

use crate::kernels::AppendPlace;
use crate::kernels::wgsl::{Template, bindable_beside, is_same_memory};
use burn_wgpu::{CubeTensor, into_contiguous};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AppendRowsKernel {
    /// Whether all offsets are of whole vectors of four.
    is_vectors: bool,
    /// Whether keys and values lie in the same buffer.
    shared: bool,
}

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
        bindable_beside(into_contiguous(values), &[&keys])
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
    let kernel = AppendRowsKernel { is_vectors, shared };
    kernel.launch(groups, [64, 1], buffers, &sizes);
    cache
}

impl Template for AppendRowsKernel {
    fn file(&self) -> &'static str {
        include_str!("append_rows.wgsl")
    }

    fn values(&self) -> Vec<(&'static str, String)> {
        let element = match self.is_vectors {
            true => "vec4<f32>",
            false => "f32",
        };
        let own_binding =
            format!("@group(0) @binding(1) var<storage, read_write> values: array<{element}>;");
        let (values_binding, values, cache, sizes) = match self.shared {
            true => (String::new(), "keys", "1", "2"),
            false => (own_binding, "values", "2", "3"),
        };
        vec![
            ("element", element.to_string()),
            ("values_binding", values_binding),
            ("values", values.to_string()),
            ("cache", cache.to_string()),
            ("sizes", sizes.to_string()),
        ]
    }
}
