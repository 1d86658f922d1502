//! The input as integers of 16 bits, for weights in quantized blocks; [`super::bytes`] has those of 8.
//!
//! Each block of the input has a scale of its own, as each of the weights has: its products with weights
//! of up to 8 bits then add up exactly in 32 bits, and only their sum becomes a float. What rounding
//! loses is a 250th of what the weights have lost by theirs to 8 bits (docs/parity.md).

use crate::kernels::layout::BLOCK;
use crate::kernels::simd::{LANES, Lanes};

/// Added to a number of up to 22 bits it leaves the nearest integer in the lowest bits.
pub const ROUNDING: f32 = 12_582_912.0; // 1.5 * 2^23

/// The nearest integers to a block's values divided by the scale, which comes with them: it is not finite
/// if a value is not.
#[inline(always)]
pub fn round_block<const FUSED: bool>(values: &[f32; BLOCK]) -> ([i16; BLOCK], f32) {
    const LARGEST: f32 = i16::MAX as f32;
    let largest = Lanes::<FUSED>::largest(values);
    let factor = if largest > 0.0 {
        LARGEST / largest
    } else {
        0.0
    };
    let (factor, rounding) = (Lanes::<FUSED>::splat(factor), Lanes::splat(ROUNDING));
    let mut shorts = [0; BLOCK];
    let vectors = values.as_chunks::<LANES>().0.iter();
    for (values, shorts) in vectors.zip(shorts.as_chunks_mut::<LANES>().0) {
        // Not fused, so that all machines round alike.
        let rounded = Lanes::load(values).mul(factor).add(rounding);
        *shorts = rounded.to_array().map(|value| value.to_bits() as i16);
    }
    (shorts, largest / LARGEST)
}
