//! Packed linear layers in WGSL. Hardware runs `vector.wgsl` for the few rows of a decoding step and
//! `tiled.wgsl` for more, whose invocations share what they read; software adapters run `rows.wgsl`,
//! which has no barriers.

use crate::kernels::adapter::{self, Adapter};
use crate::kernels::wgsl::{
    Template, block_vectors, empty_like, fits_wide_reads, load_functions, weight_element,
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

/// A layer and which kernel computes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct LinearKernel {
    shape: PackedShape,
    epilogue: Epilogue,
    variant: Variant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Variant {
    /// `vector.wgsl`, with so many sums.
    Vector(usize),
    /// `tiled.wgsl`.
    Tiled,
    /// `rows.wgsl`, with so many rows of sums.
    Rows(usize),
}

impl Variant {
    fn rows(self) -> usize {
        match self {
            Variant::Vector(rows) | Variant::Rows(rows) => rows,
            Variant::Tiled => 1,
        }
    }
}

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
    buffers.extend(epilogue.bias.then_some(&bias));
    buffers.extend(epilogue.residual.then_some(&residual));
    // Few texts, whatever the number of rows: each is compiled for every size of layer.
    let sums = match rows {
        1 => 1,
        ..=FEW_ROWS => FEW_ROWS,
        _ => MANY_ROWS,
    };
    let (variant, groups, lanes) = match adapter::of(&input) {
        Adapter::Hardware if rows > FEW_ROWS => {
            let groups = [shape.rows.div_ceil(64), rows.div_ceil(64), 1];
            (Variant::Tiled, groups, 128)
        }
        Adapter::Hardware if fits_wide_reads(shape) => {
            let groups = two_dimensions(shape.rows.div_ceil(4));
            (Variant::Vector(sums), groups, 64)
        }
        _ => {
            let groups = [shape.rows.div_ceil(8 * 8), rows.div_ceil(sums), 1];
            (Variant::Rows(sums), groups, 8)
        }
    };
    let kernel = LinearKernel {
        shape,
        epilogue,
        variant,
    };
    kernel.launch(groups, [lanes, 1], &buffers, &[]);
    output
}

impl Template for LinearKernel {
    fn file(&self) -> &'static str {
        match self.variant {
            Variant::Vector(_) => kernel!("vector.wgsl"),
            Variant::Tiled => kernel!("tiled.wgsl"),
            Variant::Rows(_) => kernel!("rows.wgsl"),
        }
    }

    fn values(&self) -> Vec<(&'static str, String)> {
        let Self {
            shape, epilogue, ..
        } = *self;
        let (element, functions) = match self.variant {
            Variant::Vector(_) => ("vec4<u32>", wide_load_functions(shape)),
            _ => (weight_element(shape.format), load_functions(shape)),
        };
        let or_zero = |is_read, text: &str| if is_read { text } else { "0.0" }.to_string();
        let residual = "residual[row * OUTPUTS + column]";
        vec![
            ("rows", self.variant.rows().to_string()),
            ("words", shape.words_per_row().to_string()),
            ("columns", shape.padded_columns().to_string()),
            ("outputs", shape.rows.to_string()),
            ("block_vectors", block_vectors(shape).to_string()),
            ("weight_element", element.to_string()),
            ("load_functions", functions),
            ("bindings", bindings(epilogue)),
            ("bias", or_zero(epilogue.bias, "bias[column]")),
            ("residual", or_zero(epilogue.residual, residual)),
            (
                "activation",
                activation_name(epilogue.activation).to_string(),
            ),
        ]
    }

    fn repeats(&self) -> Vec<(&'static str, usize)> {
        vec![("{{row}}", self.variant.rows())]
    }
}

/// Bindings of what an epilogue reads, behind the first three.
fn bindings(epilogue: Epilogue) -> String {
    let optional = [(epilogue.bias, "bias"), (epilogue.residual, "residual")];
    let read = optional.iter().filter(|(is_read, _)| *is_read);
    let binding = |(index, (_, name)): (usize, &(bool, &str))| {
        let number = 3 + index;
        format!("@group(0) @binding({number}) var<storage, read_write> {name}: array<f32>;\n")
    };
    read.enumerate().map(binding).collect()
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
        Activation::GeluTanh => "gelu_tanh",
        Activation::QuickGelu => "quick_gelu",
    }
}
