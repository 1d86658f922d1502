//! `next_tokens` on the CPU is its definition: a few candidates of a few texts.

use super::{Choice, naive};
use burn::tensor::TensorData;
use burn_flex::FlexTensor;

/// See [`crate::kernels::next_tokens()`].
pub fn next_tokens(
    best: FlexTensor,
    watched: FlexTensor,
    sums: FlexTensor,
    choice: Choice,
) -> (FlexTensor, FlexTensor, FlexTensor, FlexTensor) {
    let row = best.layout().shape()[1];
    let [best, watched, sums] = [best, watched, sums].map(|tensor| tensor.to_contiguous());
    let best: &[f32] = best.as_slice().expect("contiguous f32 rows");
    let watched: &[i32] = watched.as_slice().expect("contiguous 32-bit ids");
    let sums: &[f32] = sums.as_slice().expect("contiguous f32 sums");
    let chosen = naive::next_tokens(best.chunks_exact(row), watched, sums, choice);
    let floats = |values: Vec<f32>| {
        let count = values.len();
        FlexTensor::from_data(TensorData::new(values, [count]))
    };
    let ids = |values: Vec<i32>, shape: &[usize]| {
        FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
    };
    let beams = choice.beams;
    let watched = chosen.watched.len() / beams;
    (
        floats(chosen.state),
        ids(chosen.parents, &[beams]),
        ids(chosen.ids, &[beams]),
        ids(chosen.watched, &[beams, watched]),
    )
}
