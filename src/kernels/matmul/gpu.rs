//! A product of matrices in WGSL.

use crate::kernels::wgsl::{Template, empty_like};
use burn_wgpu::CubeTensor;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct MatmulKernel {
    rows: usize,
    columns: usize,
    depth: usize,
}

/// See [`crate::kernels::matmul()`].
pub fn matmul(left: CubeTensor, right: CubeTensor) -> CubeTensor {
    let [left, right] = [left, right].map(burn_wgpu::into_contiguous);
    let [batch, rows, depth]: [usize; 3] = left.meta.shape().dims();
    let [_, _, columns]: [usize; 3] = right.meta.shape().dims();
    let output = empty_like(&left, [batch, rows, columns]);
    let groups = [columns.div_ceil(8), rows.div_ceil(8), batch];
    let kernel = MatmulKernel {
        rows,
        columns,
        depth,
    };
    kernel.launch(groups, [8, 8], &[&left, &right, &output], &[]);
    output
}

impl Template for MatmulKernel {
    fn file(&self) -> &'static str {
        include_str!("matmul.wgsl")
    }

    fn values(&self) -> Vec<(&'static str, String)> {
        vec![
            ("rows", self.rows.to_string()),
            ("columns", self.columns.to_string()),
            ("depth", self.depth.to_string()),
        ]
    }
}
