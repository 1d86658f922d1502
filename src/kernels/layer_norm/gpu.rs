//! Layer normalisation in WGSL, a workgroup a row.

use crate::kernels::wgsl::{Template, empty_like};
use burn_wgpu::{CubeTensor, into_contiguous};

/// Invocations of a workgroup.
const LANES: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct LayerNormKernel {
    width: usize,
    /// The bits of an `f32`.
    epsilon: u32,
}

/// See [`crate::kernels::layer_norm()`].
pub fn layer_norm(
    input: CubeTensor,
    weight: CubeTensor,
    bias: CubeTensor,
    epsilon: f64,
) -> CubeTensor {
    let [input, weight, bias] = [input, weight, bias].map(into_contiguous);
    let [rows, width] = [input.meta.shape()[0], input.meta.shape()[1]];
    let output = empty_like(&input, [rows, width]);
    let epsilon = (epsilon as f32).to_bits();
    // WebGPU allows 65,535 groups in a dimension.
    let groups = [rows.min(32_768), rows.div_ceil(32_768), 1];
    LayerNormKernel { width, epsilon }.launch(
        groups,
        [LANES, 1],
        &[&input, &weight, &bias, &output],
        &[rows],
    );
    output
}

impl Template for LayerNormKernel {
    fn file(&self) -> &'static str {
        include_str!("layer_norm.wgsl")
    }

    fn values(&self) -> Vec<(&'static str, String)> {
        let (element, elements, sum) = match self.width.is_multiple_of(4) {
            true => ("vec4<f32>", self.width / 4, "dot(x, vec4<f32>(1.0))"),
            false => ("f32", self.width, "x"),
        };
        vec![
            ("element", element.to_string()),
            ("elements", elements.to_string()),
            ("width", self.width.to_string()),
            ("epsilon", format!("{:e}", f32::from_bits(self.epsilon))),
            ("sum", sum.to_string()),
        ]
    }
}
