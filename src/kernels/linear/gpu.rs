//! Packed linear layers in WGSL: `rows.wgsl` for many rows, `vector.wgsl` for the few rows of a
//! decoding step.

use crate::kernels::{
    Activation, Epilogue, PackedShape,
    wgsl::{Wgsl, empty_like, load_vector, weight_element},
};
use burn::backend::ops::FloatTensorOps;
use burn_wgpu::{CubeBackend, CubeTensor};

/// Rows up to which `vector.wgsl` is used; it holds one sum per row and invocation.
const VECTOR_ROWS: usize = 4;
/// Output columns of one workgroup of `vector.wgsl`.
const VECTOR_COLUMNS: usize = 4;
/// Rows and columns of one workgroup of `rows.wgsl`: 8 x 8 invocations of 4 x 4 each.
const TILE: usize = 32;

const BIAS_BINDING: &str = "@group(0) @binding(3) var<storage, read_write> bias: array<f32>;";

struct RowsKernel;
struct VectorKernel;

/// See [`crate::kernels::linear()`].
pub fn packed_linear(
    input: CubeTensor,
    words: CubeTensor,
    bias: CubeTensor,
    shape: PackedShape,
    epilogue: Epilogue,
) -> CubeTensor {
    let input = contiguous(pad_columns(input, shape.padded_columns()));
    let rows = input.meta.shape()[0];
    let output = empty_like(&input, [rows, shape.rows]);
    let bias = contiguous(bias);
    let mut values = vec![
        ("columns", shape.padded_columns().to_string()),
        ("outputs", shape.rows.to_string()),
        ("weight_element", weight_element(shape.format).to_string()),
        ("load_weight", load_vector(shape)),
        (
            "bias",
            if epilogue.bias { "bias[column]" } else { "0.0" }.to_string(),
        ),
        // A binding that a shader does not read is no part of its layout.
        (
            "bias_binding",
            if epilogue.bias { BIAS_BINDING } else { "" }.to_string(),
        ),
        (
            "activation",
            activation_name(epilogue.activation).to_string(),
        ),
    ];
    let all = [&input, &words, &output, &bias];
    let buffers = if epilogue.bias { &all[..] } else { &all[..3] };
    if rows <= VECTOR_ROWS {
        values.push(("rows", rows.to_string()));
        let groups = shape.rows.div_ceil(VECTOR_COLUMNS);
        // WebGPU allows 65,535 groups in a dimension, fewer than a large vocabulary may need.
        let groups = [groups.min(32_768), groups.div_ceil(32_768), 1];
        Wgsl::<VectorKernel>::new(
            concat!(
                include_str!("vector.wgsl"),
                include_str!("../activation.wgsl")
            ),
            values,
        )
        .launch(groups, [64, 1], buffers);
    } else {
        let groups = [shape.rows.div_ceil(TILE), rows.div_ceil(TILE), 1];
        Wgsl::<RowsKernel>::new(
            concat!(
                include_str!("rows.wgsl"),
                include_str!("../activation.wgsl")
            ),
            values,
        )
        .launch(groups, [8, 8], buffers);
    }
    output
}

/// Appends columns of zeros, so that rows are whole vectors of four.
fn pad_columns(input: CubeTensor, columns: usize) -> CubeTensor {
    let [rows, width] = [input.meta.shape()[0], input.meta.shape()[1]];
    if width == columns {
        return input;
    }
    let padding = empty_like(&input, [rows, columns - width]);
    let padding = CubeBackend::float_mul_scalar(padding, 0.0.into());
    CubeBackend::float_cat(vec![input, padding], 1)
}

fn contiguous(tensor: CubeTensor) -> CubeTensor {
    burn_wgpu::into_contiguous(tensor)
}

/// The function of `rows.wgsl` and `vector.wgsl` that computes an activation.
fn activation_name(activation: Activation) -> &'static str {
    match activation {
        Activation::None => "identity",
        Activation::Gelu => "gelu",
        Activation::QuickGelu => "quick_gelu",
    }
}
