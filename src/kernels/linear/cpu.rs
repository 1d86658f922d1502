//! Packed linear layers on the CPU: a register tile over decoded weight panels for many rows; for
//! few, dot products with the weights as they are stored, as fast as memory gives them.

mod blocks;
#[cfg_attr(
    not(any(
        target_arch = "aarch64",
        target_arch = "x86_64",
        all(target_arch = "wasm32", feature = "relaxed-simd")
    )),
    path = "cpu/no_bytes.rs"
)]
mod bytes;
mod columns;
mod floats;
mod integers;
mod job;
mod panels;
mod rounding;

use crate::kernels::linear::FAST_ROWS;
use crate::kernels::simd::Output;
use crate::kernels::{Epilogue, PackedFormat, PackedShape, Precision};
use burn::tensor::TensorData;
use burn_flex::FlexTensor;
pub use bytes::levels as fast_levels;
use job::Job;

/// See [`crate::kernels::linear()`].
pub fn packed_linear(
    input: FlexTensor,
    words: FlexTensor,
    bias: FlexTensor,
    residual: FlexTensor,
    shape: PackedShape,
    epilogue: Epilogue,
) -> FlexTensor {
    let [input, bias, residual] = [input, bias, residual].map(|tensor| tensor.to_contiguous());
    let input: &[f32] = input.as_slice().expect("a contiguous f32 input");
    let words = words.to_contiguous();
    let words: &[i32] = words.as_slice().expect("contiguous words");
    let bias = || bias.as_slice().expect("a contiguous f32 bias");
    let residual = || residual.as_slice().expect("a contiguous f32 residual");
    let job = Job {
        rows: input.len() / shape.columns,
        words: bytemuck::cast_slice(words),
        bias: epilogue.bias.then(bias),
        residual: epilogue.residual.then(residual),
        shape,
        activation: epilogue.activation,
        is_exact: epilogue.precision == Precision::Exact,
    };
    let output = job.run(input);
    FlexTensor::from_data(TensorData::new(output, [job.rows, shape.rows]))
}

impl Job<'_> {
    /// `input` `[rows, shape.columns]` gives `[rows, shape.rows]`.
    fn run(&self, input: &[f32]) -> Vec<f32> {
        let mut values = vec![0.0; self.rows * self.shape.rows];
        let output = Output::new(&mut values, self.shape.rows);
        if !self.few_rows(input, &output) && !self.integers(input, &output) {
            panels::many_rows(self, input, &output);
        }
        values
    }

    /// Computes the layer in integers, if its weights are some and its input can be turned into such.
    fn integers(&self, input: &[f32], output: &Output) -> bool {
        let quantized = matches!(self.shape.format, PackedFormat::Q8 | PackedFormat::Q4);
        let is_fast = !self.is_exact && self.rows >= FAST_ROWS;
        quantized
            && (is_fast && bytes::many_rows(self, input, output)
                || integers::many_rows(self, input, output))
    }

    /// Computes the layer by dot products, if they beat the register tile, which wants many rows:
    /// each of them works on the weights as they are stored, which costs the more the less like
    /// numbers for arithmetic they are.
    fn few_rows(&self, input: &[f32], output: &Output) -> bool {
        match self.shape.format {
            PackedFormat::F32 if self.rows <= 3 => floats::few_rows(self, input, output),
            PackedFormat::F16 if self.rows == 1 => floats::few_rows(self, input, output),
            PackedFormat::Q8 | PackedFormat::Q4 if self.rows <= blocks::FEW_ROWS => {
                return blocks::few_rows(self, input, output);
            }
            _ => return false,
        }
        true
    }
}
