//! Attention of few rows of a head: a dot product with each key, then a weighted sum of
//! the values. All heads take a few tokens in turn, for what they look at mostly lies side by side: so
//! memory is read from its beginning to its end, and what is loaded of a query or a sum serves a few times.

use super::head::Head;
use crate::kernels::activation::exp;
use crate::kernels::simd::{Lanes, Output, vectorised};
use std::array::from_fn;

/// Tokens taken at once.
const GROUP: usize = 4;

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
        let groups = heads[0].keys.count.div_ceil(GROUP);
        let mut scores = vec![[0.0; GROUP]; heads.len() * groups];
        let mut sums = vec![0.0; heads.len() * width];
        for row in 0..rows {
            let seen = heads[0].seen(row);
            // Those that are not there are the last one, again.
            let tokens = |group: usize| -> [usize; GROUP] {
                from_fn(|next| (group * GROUP + next).min(seen - 1))
            };
            for group in 0..seen.div_ceil(GROUP) {
                let tokens = tokens(group);
                for (head, scores) in heads.iter().zip(scores.chunks_exact_mut(groups)) {
                    let keys = tokens.map(|token| head.keys.row(token));
                    scores[group] = dots::<FUSED>(head.queries.row(row), keys);
                }
            }
            for (head, scores) in heads.iter().zip(scores.chunks_exact_mut(groups)) {
                let (scores, absent) = scores.as_flattened_mut().split_at_mut(seen);
                let factor = 1.0 / softmax_powers(scores, head.scale());
                scores.iter_mut().for_each(|score| *score *= factor);
                absent.fill(0.0);
            }
            sums.fill(0.0);
            for group in 0..seen.div_ceil(GROUP) {
                let tokens = tokens(group);
                for ((head, scores), sums) in heads
                    .iter()
                    .zip(scores.chunks_exact(groups))
                    .zip(sums.chunks_exact_mut(width))
                {
                    let values = tokens.map(|token| head.values.row(token));
                    add_scaled::<FUSED>(sums, scores[group], values);
                }
            }
            for (head, sums) in heads.iter().zip(sums.chunks_exact(width)) {
                // SAFETY: each head of an entry has columns of its own, each entry rows.
                unsafe { output.write(head.row + row, head.column, sums) };
            }
        }
    }

    /// The dot products of a row with some others.
    #[inline(always)]
    fn dots<const FUSED: bool>(row: &[f32], others: [&[f32]; GROUP]) -> [f32; GROUP] {
        let (row, row_tail) = row.as_chunks();
        let others = others.map(|other| other.as_chunks());
        let mut sums = [Lanes::<FUSED>::splat(0.0); GROUP];
        for (index, row) in row.iter().enumerate() {
            for (sum, (other, _)) in sums.iter_mut().zip(&others) {
                *sum = Lanes::load(row).multiply_add(Lanes::load(&other[index]), *sum);
            }
        }
        let mut sums = Lanes::sums(sums);
        for (index, row) in row_tail.iter().enumerate() {
            for (sum, (_, other)) in sums.iter_mut().zip(&others) {
                *sum += row * other[index];
            }
        }
        sums
    }

    /// Adds rows to `sums`, each times a factor.
    #[inline(always)]
    fn add_scaled<const FUSED: bool>(
        sums: &mut [f32],
        factors: [f32; GROUP],
        rows: [&[f32]; GROUP],
    ) {
        let (sums, sums_tail) = sums.as_chunks_mut();
        let rows = rows.map(|row| row.as_chunks());
        let vectors = factors.map(Lanes::<FUSED>::splat);
        for (index, sums) in sums.iter_mut().enumerate() {
            let mut sum = Lanes::load(sums);
            for (factor, (row, _)) in vectors.iter().zip(&rows) {
                sum = Lanes::load(&row[index]).multiply_add(*factor, sum);
            }
            *sums = sum.to_array();
        }
        for (index, sum) in sums_tail.iter_mut().enumerate() {
            for (factor, (_, row)) in factors.iter().zip(&rows) {
                *sum += factor * row[index];
            }
        }
    }
}
