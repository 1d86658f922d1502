//! `top_logits` on the CPU: one pass that looks closer only where something large is.

use crate::kernels::activation::exp;
use crate::kernels::simd::vectorised;
use burn::tensor::TensorData;
use burn_flex::FlexTensor;

/// Logits that are looked at together.
const CHUNK: usize = 256;
/// Up to here, the best are kept in order while passing; more are selected and sorted.
const FEW: usize = 128;

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
    let best = if count <= FEW {
        few_best(logits, count.max(1))
    } else {
        many_best(logits, count)
    };
    let largest = logits[best[0]];
    let best = &best[..count];
    output.extend(best.iter().map(|index| logits[*index]));
    output.extend(best.iter().map(|index| *index as f32));
    output.extend(watched.iter().map(|index| logits[*index as usize]));
    let mut sum = 0.0;
    sum_powers(logits, largest, &mut sum);
    output.push((f64::from(largest) + sum.ln()) as f32);
}

/// Integers in the order of [`f32::total_cmp`].
#[inline(always)]
fn order(logit: f32) -> i32 {
    let bits = logit.to_bits() as i32;
    bits ^ ((bits >> 31) as u32 >> 1) as i32
}

/// Where the largest are, those first; of equal ones the first.
fn few_best(logits: &[f32], count: usize) -> Vec<usize> {
    let mut best: Vec<(i32, usize)> = Vec::with_capacity(count + 1);
    for (chunk, logits) in logits.chunks(CHUNK).enumerate() {
        let mut bound = best.get(count - 1).map_or(i32::MIN, |last| last.0);
        let mut largest = i32::MIN;
        largest_order(logits, &mut largest);
        if best.len() == count && largest <= bound {
            continue;
        }
        for (place, logit) in logits.iter().enumerate() {
            let order = order(*logit);
            if best.len() < count || order > bound {
                let rank = best.partition_point(|other| other.0 >= order);
                best.insert(rank, (order, chunk * CHUNK + place));
                best.truncate(count);
                bound = best[best.len() - 1].0;
            }
        }
    }
    best.into_iter().map(|(_, index)| index).collect()
}

fn many_best(logits: &[f32], count: usize) -> Vec<usize> {
    let better = |a: &usize, b: &usize| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b));
    let mut order: Vec<usize> = (0..logits.len()).collect();
    if count < order.len() {
        order.select_nth_unstable_by(count, better);
        order.truncate(count);
    }
    order.sort_unstable_by(better);
    order
}

vectorised!(largest_order(logits: &[f32], largest: &mut i32));
vectorised!(sum_powers(logits: &[f32], largest: f32, sum: &mut f64));

mod portable {
    use super::*;

    /// The largest of [`order`].
    #[inline(always)]
    pub fn largest_order<const FUSED: bool>(logits: &[f32], largest: &mut i32) {
        *largest = logits
            .iter()
            .map(|logit| order(*logit))
            .fold(*largest, i32::max);
    }

    /// The sum of `exp(logit - largest)`, in double precision: 30,000 small terms would lose digits one
    /// by one.
    #[inline(always)]
    pub fn sum_powers<const FUSED: bool>(logits: &[f32], largest: f32, sum: &mut f64) {
        for logits in logits.chunks(CHUNK) {
            let mut powers = [0.0; CHUNK];
            for (power, logit) in powers.iter_mut().zip(logits) {
                *power = exp(*logit - largest);
            }
            let mut lanes = [0.0_f32; 16];
            for powers in powers.as_chunks::<16>().0 {
                for (lane, power) in lanes.iter_mut().zip(powers) {
                    *lane += power;
                }
            }
            *sum += lanes.iter().map(|lane| f64::from(*lane)).sum::<f64>();
        }
    }
}
