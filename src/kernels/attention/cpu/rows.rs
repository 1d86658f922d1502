//! Rows of a head, and attention of few of them: a dot product with each key, then a weighted sum of
//! the values. All heads take a token in turn, for what they look at mostly lies side by side: so memory
//! is read from its beginning to its end.

use super::head::Head;
use crate::kernels::activation::exp;
use crate::kernels::simd::{Output, dot, multiply_add, vectorised};

/// `[count, width]`, each row whole in memory.
pub struct Rows<'a> {
    /// Memory from the first row on.
    pub values: &'a [f32],
    /// From one row to the next.
    pub stride: usize,
    pub count: usize,
    pub width: usize,
}

impl<'a> Rows<'a> {
    pub fn row(&self, index: usize) -> &'a [f32] {
        &self.values[index * self.stride..][..self.width]
    }
}

vectorised!(pub attend(heads: &[Head], output: &Output));

/// Replaces scores by `exp(scale * (score - largest))` and returns the sum of those.
#[inline(always)]
pub fn softmax_powers(scores: &mut [f32], scale: f32) -> f32 {
    const LANES: usize = 16;
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, tail) = scores.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, score) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, *score);
        }
    }
    let largest = lanes
        .iter()
        .chain(tail)
        .copied()
        .fold(f32::NEG_INFINITY, larger);
    for score in scores.iter_mut() {
        *score = exp(scale * (*score - largest));
    }
    let mut lanes = [0.0; LANES];
    let (chunks, tail) = scores.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, power) in lanes.iter_mut().zip(chunk) {
            *lane += power;
        }
    }
    lanes.iter().chain(tail).sum()
}

mod portable {
    use super::*;

    /// All rows of heads of one size.
    #[inline(always)]
    pub fn attend<const FUSED: bool>(heads: &[Head], output: &Output) {
        let (rows, width) = (heads[0].queries.count, heads[0].queries.width);
        let tokens = heads[0].keys.count;
        let mut scores = vec![0.0; heads.len() * tokens];
        let mut sums = vec![0.0; heads.len() * width];
        let mut factors = vec![0.0; heads.len()];
        for row in 0..rows {
            let seen = heads[0].seen(row);
            for token in 0..seen {
                for (head, scores) in heads.iter().zip(scores.chunks_exact_mut(tokens)) {
                    scores[token] = dot::<FUSED>(head.queries.row(row), head.keys.row(token));
                }
            }
            for (head, (scores, factor)) in heads
                .iter()
                .zip(scores.chunks_exact_mut(tokens).zip(&mut factors))
            {
                *factor = 1.0 / softmax_powers(&mut scores[..seen], head.scale());
            }
            sums.fill(0.0);
            for token in 0..seen {
                let weights = scores.chunks_exact(tokens).map(|scores| scores[token]);
                for ((head, sums), weight) in heads
                    .iter()
                    .zip(sums.chunks_exact_mut(width))
                    .zip(weights.zip(&factors).map(|(power, factor)| power * factor))
                {
                    for (sum, value) in sums.iter_mut().zip(head.values.row(token)) {
                        *sum = multiply_add::<FUSED>(weight, *value, *sum);
                    }
                }
            }
            for (head, sums) in heads.iter().zip(sums.chunks_exact(width)) {
                // SAFETY: each head has columns of its own.
                unsafe { output.write(row, head.column, sums) };
            }
        }
    }
}
