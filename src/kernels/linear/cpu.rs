//! Packed linear layers on the CPU: a register tile over decoded weight panels for many rows; for
//! few, dot products with the weights as they are stored, as fast as memory gives them.

mod blocks;
mod floats;
mod integers;
mod job;
mod panels;
mod rounding;

use crate::kernels::{Epilogue, PackedShape};
use burn::tensor::TensorData;
use burn_flex::FlexTensor;
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
    };
    let output = job.run(input);
    FlexTensor::from_data(TensorData::new(output, [job.rows, shape.rows]))
}
