//! The input as integers of 16 bits, for weights in quantized blocks; [`super::bytes`] has those of 8.
//!
//! Each row of the input has a scale of its own, and each block of the weights: their products, with weights of up to 8
//! bits, add up exactly in 32 bits, and only the sum of a block becomes a float. What rounding loses is little beside what
//! the weights have lost by theirs to 8 bits (docs/parity.md), even where a row's largest value is a hundred times its usual
//! one.

use crate::kernels::layout::{BLOCK, SHORTS_IN_BLOCK};
use crate::kernels::simd::{LANES, Lanes, ROUNDING, Shorts};

/// Calls `put(block, integers)` with the nearest integers to a row's values divided by a scale, which it gives: it is not
/// finite if a value is not.
#[inline(always)]
pub fn round_row<const FUSED: bool>(
    row: &[[f32; BLOCK]],
    mut put: impl FnMut(usize, [[i16; 2 * LANES]; SHORTS_IN_BLOCK]),
) -> f32 {
    const LARGEST: f32 = i16::MAX as f32;
    // By their bits, among which those of no number are the largest, so that none gets lost.
    let largest = row
        .iter()
        .map(|block| Lanes::<FUSED>::largest(block).to_bits());
    let largest = f32::from_bits(largest.fold(0, u32::max));
    let factor = if largest > 0.0 {
        LARGEST / largest
    } else {
        0.0
    };
    let (factor, rounding) = (Lanes::<FUSED>::splat(factor), Lanes::splat(ROUNDING));
    // Not fused, so that all machines round alike.
    let round = |values: &[f32; LANES]| Lanes::load(values).mul(factor).add(rounding);
    for (index, block) in row.iter().enumerate() {
        let mut shorts = [[0; 2 * LANES]; SHORTS_IN_BLOCK];
        let pairs = block.as_chunks::<LANES>().0.as_chunks::<2>().0.iter();
        for ([low, high], shorts) in pairs.zip(&mut shorts) {
            *shorts = Shorts::from_rounded([round(low), round(high)]).to_array();
        }
        put(index, shorts);
    }
    largest / LARGEST
}
