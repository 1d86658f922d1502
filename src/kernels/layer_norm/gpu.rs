//! Layer normalisation in WGSL, a workgroup a row.

use crate::kernels::wgsl::{Wgsl, empty_like};
use burn_wgpu::{CubeTensor, into_contiguous};

/// Invocations of a workgroup.
const LANES: usize = 64;

struct LayerNormKernel;

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
    let (element, elements) = match width.is_multiple_of(4) {
        true => ("vec4<f32>", width / 4),
        false => ("f32", width),
    };
    let values = vec![
        ("element", element.to_string()),
        ("elements", elements.to_string()),
        ("width", width.to_string()),
        ("epsilon", format!("{:e}", epsilon as f32)),
        (
            "sum",
            match width.is_multiple_of(4) {
                true => "dot(x, vec4<f32>(1.0))",
                false => "x",
            }
            .to_string(),
        ),
    ];
    // WebGPU allows 65,535 groups in a dimension.
    let groups = [rows.min(32_768), rows.div_ceil(32_768), 1];
    Wgsl::<LayerNormKernel>::new(include_str!("layer_norm.wgsl"), values).launch(
        groups,
        [LANES, 1],
        &[&input, &weight, &bias, &output],
        &[rows],
    );
    output
}
