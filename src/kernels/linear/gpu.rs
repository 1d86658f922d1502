//! Packed linear layers in WGSL. Hardware runs `vector.wgsl` for the few rows of a decoding step and
//! `tiled.wgsl` for more, whose invocations share what they read; software adapters run `rows.wgsl`,
//! which has no barriers.

use crate::kernels::adapter::{self, Adapter};
use crate::kernels::wgsl::{
    Wgsl, block_vectors, empty_like, fits_wide_reads, load_functions, weight_element,
    wide_load_functions,
};
use crate::kernels::{Activation, Epilogue, PackedShape};
use burn::backend::ops::FloatTensorOps;
use burn::tensor::FloatDType;
use burn_wgpu::{CubeBackend, CubeTensor, into_contiguous};

/// Rows up to which there is a sum for each row in every invocation.
const FEW_ROWS: usize = 4;
/// Rows of an invocation on a software adapter where there are more: 50 and 577 are what images have.
const MANY_ROWS: usize = 10;

struct RowsKernel;
struct TiledKernel;
struct VectorKernel;

/// A kernel's text with what all of them share.
macro_rules! kernel {
    ($file:literal) => {
        concat!(
            include_str!($file),
            include_str!("shared.wgsl"),
            include_str!("../activation.wgsl")
        )
    };
}

/// See [`crate::kernels::linear()`].
pub fn packed_linear(
    input: CubeTensor,
    words: CubeTensor,
    bias: CubeTensor,
    residual: CubeTensor,
    shape: PackedShape,
    epilogue: Epilogue,
) -> CubeTensor {
    let input = into_contiguous(pad_columns(input, shape.padded_columns()));
    let [bias, residual] = [bias, residual].map(into_contiguous);
    let rows = input.meta.shape()[0];
    let output = empty_like(&input, [rows, shape.rows]);
    let mut buffers = vec![&input, &words, &output];
    // A binding that a shader does not read is no part of its layout.
    let mut bindings = String::new();
    let optional = [
        (epilogue.bias, "bias", &bias),
        (epilogue.residual, "residual", &residual),
    ];
    for (is_read, name, tensor) in optional {
        if is_read {
            bindings += &format!(
                "@group(0) @binding({}) var<storage, read_write> {name}: array<f32>;\n",
                buffers.len()
            );
            buffers.push(tensor);
        }
    }
    let is_hardware = adapter::of(&input) == Adapter::Hardware;
    let is_wide = rows <= FEW_ROWS && is_hardware && fits_wide_reads(shape);
    let mut values = vec![("bindings", bindings)];
    values.extend(epilogue_values(epilogue));
    values.extend(weight_values(shape, is_wide));
    // Few texts, whatever the number of rows: each is compiled for every size of layer.
    let sums = match rows {
        1 => 1,
        ..=FEW_ROWS => FEW_ROWS,
        _ => MANY_ROWS,
    };
    if is_wide {
        values.push(("rows", sums.to_string()));
        values.push(("words", shape.words_per_row().to_string()));
        let groups = two_dimensions(shape.rows.div_ceil(4));
        let kernel = Wgsl::<VectorKernel>::new(kernel!("vector.wgsl"), values);
        kernel.launch(groups, [64, 1], &buffers, &[]);
    } else if is_hardware && rows > FEW_ROWS {
        let groups = [shape.rows.div_ceil(64), rows.div_ceil(64), 1];
        let kernel = Wgsl::<TiledKernel>::new(kernel!("tiled.wgsl"), values);
        kernel.launch(groups, [128, 1], &buffers, &[]);
    } else {
        let groups = [shape.rows.div_ceil(8 * 8), rows.div_ceil(sums), 1];
        let kernel = Wgsl::<RowsKernel>::with_rows(kernel!("rows.wgsl"), sums, values);
        kernel.launch(groups, [8, 1], &buffers, &[]);
    }
    output
}

fn weight_values(shape: PackedShape, is_wide: bool) -> Vec<(&'static str, String)> {
    let (element, functions) = match is_wide {
        true => ("vec4<u32>", wide_load_functions(shape)),
        false => (weight_element(shape.format), load_functions(shape)),
    };
    vec![
        ("columns", shape.padded_columns().to_string()),
        ("outputs", shape.rows.to_string()),
        ("block_vectors", block_vectors(shape).to_string()),
        ("weight_element", element.to_string()),
        ("load_functions", functions),
    ]
}

fn epilogue_values(epilogue: Epilogue) -> Vec<(&'static str, String)> {
    let or_zero = |is_read, text: &str| if is_read { text } else { "0.0" }.to_string();
    let residual = "residual[row * OUTPUTS + column]";
    vec![
        ("bias", or_zero(epilogue.bias, "bias[column]")),
        ("residual", or_zero(epilogue.residual, residual)),
        (
            "activation",
            activation_name(epilogue.activation).to_string(),
        ),
    ]
}

/// So many workgroups in a row, or in several: WebGPU allows 65,535 in a dimension, fewer than a
/// large vocabulary may need.
fn two_dimensions(groups: usize) -> [usize; 3] {
    [groups.min(32_768), groups.div_ceil(32_768), 1]
}

/// Appends columns of zeros, so that rows are whole vectors of four.
fn pad_columns(input: CubeTensor, columns: usize) -> CubeTensor {
    let [rows, width] = [input.meta.shape()[0], input.meta.shape()[1]];
    if width == columns {
        return input;
    }
    let shape = [rows, columns - width].into();
    let padding = CubeBackend::float_zeros(shape, &input.device, FloatDType::F32);
    CubeBackend::float_cat(vec![input, padding], 1)
}

/// The function of `activation.wgsl` that computes an activation.
fn activation_name(activation: Activation) -> &'static str {
    match activation {
        Activation::None => "identity",
        Activation::Gelu => "gelu",
        Activation::QuickGelu => "quick_gelu",
    }
}
