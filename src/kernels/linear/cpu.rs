//! Packed linear layers on the CPU: a register tile over decoded weight panels for many rows; for
//! few, dot products with the weights as they are stored, as fast as memory gives them.

mod blocks;
#[cfg(any(
    target_arch = "x86_64",
    all(target_arch = "wasm32", feature = "relaxed-simd")
))]
mod bytes;
mod columns;
mod floats;
mod integers;
mod job;
mod panels;
mod rounding;

use crate::kernels::linear::FAST_ROWS;
use crate::kernels::simd::Output;
#[cfg(any(
    target_arch = "x86_64",
    all(target_arch = "wasm32", feature = "relaxed-simd")
))]
use crate::kernels::simd::bytes::Dots;
use crate::kernels::{Epilogue, PackedFormat, PackedShape, Precision};
use burn::tensor::TensorData;
use burn_flex::FlexTensor;
use job::Job;

/// How bytes are multiplied where weights are in this format, if that is the faster way.
#[cfg(any(
    target_arch = "x86_64",
    all(target_arch = "wasm32", feature = "relaxed-simd")
))]
fn dots(format: PackedFormat) -> Option<Dots> {
    let of_pairs = super::pretends_pairs();
    match format {
        PackedFormat::Q8 => Dots::find(false, of_pairs),
        PackedFormat::Q4 => Dots::find(true, of_pairs),
        PackedFormat::F32 | PackedFormat::F16 => None,
    }
}

/// See [`super::fast_levels`].
#[cfg(any(
    target_arch = "x86_64",
    all(target_arch = "wasm32", feature = "relaxed-simd")
))]
pub fn fast_levels(format: PackedFormat) -> Option<u8> {
    dots(format).map(|dots| dots.levels().largest)
}

/// See [`super::fast_levels`].
#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "wasm32", feature = "relaxed-simd")
)))]
pub fn fast_levels(_format: PackedFormat) -> Option<u8> {
    None
}

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
            && (is_fast && self.bytes(input, output) || integers::many_rows(self, input, output))
    }

    /// The same with inputs of 8 bits, if that is faster here.
    #[cfg(any(
        target_arch = "x86_64",
        all(target_arch = "wasm32", feature = "relaxed-simd")
    ))]
    fn bytes(&self, input: &[f32], output: &Output) -> bool {
        let dots = dots(self.shape.format);
        dots.is_some_and(|dots| bytes::many_rows(self, dots, input, output))
    }

    #[cfg(not(any(
        target_arch = "x86_64",
        all(target_arch = "wasm32", feature = "relaxed-simd")
    )))]
    fn bytes(&self, _input: &[f32], _output: &Output) -> bool {
        false
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
