//! A product of matrices in WGSL.

use crate::kernels::wgsl::{Wgsl, empty_like};
use burn_wgpu::CubeTensor;

struct MatmulKernel;

/// See [`crate::kernels::matmul()`].
pub fn matmul(left: CubeTensor, right: CubeTensor) -> CubeTensor {
    let [left, right] = [left, right].map(burn_wgpu::into_contiguous);
    let [batch, rows, depth]: [usize; 3] = left.meta.shape().dims();
    let [_, _, columns]: [usize; 3] = right.meta.shape().dims();
    let output = empty_like(&left, [batch, rows, columns]);
    let values = vec![
        ("rows", rows.to_string()),
        ("columns", columns.to_string()),
        ("depth", depth.to_string()),
    ];
    let groups = [columns.div_ceil(8), rows.div_ceil(8), batch];
    Wgsl::<MatmulKernel>::new(include_str!("matmul.wgsl"), values).launch(
        groups,
        [8, 8],
        &[&left, &right, &output],
        &[],
    );
    output
}
