//! `top_logits` on the CPU: a selection instead of a sort.

use burn::tensor::TensorData;
use burn_flex::FlexTensor;

/// See [`crate::kernels::top_logits()`].
pub fn top_logits(logits: FlexTensor, watched: FlexTensor, count: usize) -> FlexTensor {
    let shape = logits.layout().shape().clone();
    let (rows, vocabulary) = (shape[0], shape[1]);
    let logits = logits.to_contiguous();
    let logits: &[f32] = logits.as_slice().expect("contiguous f32 logits");
    let watched = watched.to_contiguous();
    let watched: &[i32] = watched.as_slice().expect("contiguous 32-bit ids");
    let watched_count = watched.len() / rows;
    let width = 2 * count + watched_count + 1;
    let mut output = Vec::with_capacity(rows * width);
    for (row, logits) in logits.chunks_exact(vocabulary).enumerate() {
        let watched = &watched[row * watched_count..(row + 1) * watched_count];
        top_logits_row(logits, watched, count, &mut output);
    }
    FlexTensor::from_data(TensorData::new(output, [rows, width]))
}

fn top_logits_row(logits: &[f32], watched: &[i32], count: usize, output: &mut Vec<f32>) {
    let better = |a: &usize, b: &usize| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b));
    let mut order: Vec<usize> = (0..logits.len()).collect();
    if count < order.len() {
        order.select_nth_unstable_by(count, better);
        order.truncate(count);
    }
    order.sort_unstable_by(better);
    output.extend(order.iter().map(|index| logits[*index]));
    output.extend(order.iter().map(|index| *index as f32));
    output.extend(watched.iter().map(|index| logits[*index as usize]));
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // In double precision: 30,000 small terms would lose digits one by one.
    let sum: f64 = logits.iter().map(|l| f64::from((l - largest).exp())).sum();
    output.push((f64::from(largest) + sum.ln()) as f32);
}
