//! What a packed linear layer computes, in double precision and without any cleverness.

use crate::kernels::{Activation, PackedShape, packed::decode};

/// `activation(input · weightᵀ + bias)`: `input` is `[rows, shape.columns]`, the result
/// `[rows, shape.rows]`.
pub fn packed_linear(
    input: &[f32],
    words: &[u32],
    bias: Option<&[f32]>,
    shape: PackedShape,
    activation: Activation,
) -> Vec<f32> {
    let mut weight = vec![0.0; shape.rows * shape.columns];
    for (row, values) in weight.chunks_exact_mut(shape.columns).enumerate() {
        decode(words, shape, row, 0, values);
    }
    let mut output = Vec::new();
    for input_row in input.chunks_exact(shape.columns) {
        for (column, weight_row) in weight.chunks_exact(shape.columns).enumerate() {
            let products = input_row.iter().zip(weight_row);
            let dot: f64 = products.map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
            let sum = dot + bias.map_or(0.0, |bias| f64::from(bias[column]));
            output.push(activation.apply_exact(sum) as f32);
        }
    }
    output
}
