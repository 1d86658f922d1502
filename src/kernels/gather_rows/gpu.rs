//! Row lookup in WGSL.

use crate::kernels::{
    PackedShape,
    wgsl::{Template, empty_like, load_functions, weight_element},
};
use burn_wgpu::CubeTensor;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct GatherRowsKernel(PackedShape);

/// See [`crate::kernels::gather_rows()`].
pub fn packed_gather_rows(
    words: CubeTensor,
    indices: CubeTensor,
    shape: PackedShape,
) -> CubeTensor {
    let indices = burn_wgpu::into_contiguous(indices);
    let count = indices.meta.shape()[0];
    let output = empty_like(&words, [count, shape.columns]);
    let groups = [shape.columns.div_ceil(4 * 64), count, 1];
    GatherRowsKernel(shape).launch(groups, [64, 1], &[&words, &indices, &output], &[]);
    output
}

impl Template for GatherRowsKernel {
    fn file(&self) -> &'static str {
        include_str!("gather_rows.wgsl")
    }

    fn values(&self) -> Vec<(&'static str, String)> {
        let Self(shape) = *self;
        vec![
            ("columns", shape.columns.to_string()),
            ("weight_element", weight_element(shape.format).to_string()),
            ("load_functions", load_functions(shape)),
        ]
    }
}
