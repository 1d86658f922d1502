//! What a packed linear layer computes, in double precision and without any cleverness.

use crate::kernels::layout::BLOCK;
use crate::kernels::{Activation, PackedShape, packed::decode};

/// The input as the CPU rounds it for weights in quantized blocks: each row of so many values to the nearest of 65,535
/// multiples of a number.
pub fn rounded_to_shorts(input: &[f32], width: usize) -> Vec<f32> {
    let round = |values: &[f32]| {
        let largest = values
            .iter()
            .fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let [factor, scale] = [32_767.0 / largest, largest / 32_767.0]
            .map(|one| if largest > 0.0 { one } else { 0.0 });
        let rounded = values
            .iter()
            .map(|value| (value * factor).round_ties_even() * scale);
        rounded.collect::<Vec<f32>>()
    };
    input.chunks(width).flat_map(round).collect()
}

/// The input as the CPU rounds it to bytes, of which the largest is `levels`: each block to the nearest of
/// evenly spaced numbers from its least to its largest.
pub fn rounded_to_bytes(input: &[f32], levels: u8) -> Vec<f32> {
    let round = |values: &[f32]| {
        let least = values.iter().copied().fold(f32::INFINITY, f32::min);
        let range = values.iter().copied().fold(f32::NEG_INFINITY, f32::max) - least;
        let [factor, scale] = [f32::from(levels) / range, range / f32::from(levels)]
            .map(|one| if range > 0.0 { one } else { 0.0 });
        let rounded = values
            .iter()
            .map(|value| ((value - least) * factor).round_ties_even() * scale + least);
        rounded.collect::<Vec<f32>>()
    };
    input.chunks(BLOCK).flat_map(round).collect()
}

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
