//! The input as bytes, each block of it by a scale of its own.

use crate::kernels::layout::BLOCK;
use crate::kernels::simd::bytes::Levels;
use crate::kernels::simd::{LANES, Lanes, ROUNDING};

/// The nearest of so many evenly spaced numbers to a block's values, from the least to the largest of them,
/// as bytes; with the space between two, and what the byte 0 stands for. They are not finite if a value is
/// not.
#[inline(always)]
pub fn round_to_bytes<const FUSED: bool>(
    values: &[f32; BLOCK],
    levels: Levels,
) -> ([u8; BLOCK], f32, f32) {
    if !Lanes::<FUSED>::largest(values).is_finite() {
        return ([0; BLOCK], f32::NAN, f32::NAN);
    }
    let [mut least, mut most] = [[values[0]; LANES]; 2];
    for values in values.as_chunks::<LANES>().0 {
        for ((value, least), most) in values.iter().zip(&mut least).zip(&mut most) {
            *least = if *value < *least { *value } else { *least };
            *most = if *value > *most { *value } else { *most };
        }
    }
    // Halves of the lanes with one another: one after the other takes as long as all else here.
    for half in [LANES / 2, LANES / 4, LANES / 8] {
        for lane in 0..half {
            let [left, right] = [least[lane], least[lane + half]];
            least[lane] = if right < left { right } else { left };
            let [left, right] = [most[lane], most[lane + half]];
            most[lane] = if right > left { right } else { left };
        }
    }
    let (least, range) = (least[0], most[0] - least[0]);
    let largest = f32::from(levels.largest);
    let factor = largest / range;
    let factor = if factor.is_finite() { factor } else { 0.0 };
    let (factor, rounding) = (Lanes::<FUSED>::splat(factor), Lanes::splat(ROUNDING));
    let minus = Lanes::splat(-least);
    let mut bytes = [0; BLOCK];
    let vectors = values.as_chunks::<LANES>().0.iter();
    for (values, bytes) in vectors.zip(bytes.as_chunks_mut::<LANES>().0) {
        let rounded = Lanes::load(values).add(minus).mul(factor).add(rounding);
        *bytes = rounded
            .to_array()
            .map(|value| (value.to_bits() as u8).wrapping_sub(levels.zero));
    }
    let scale = range / largest;
    (bytes, scale, least + f32::from(levels.zero) * scale)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_machine_stand_for_the_numbers_nearest_to_the_inputs() {
        let mut blocks = [[0.0; BLOCK]; 4];
        blocks[0] = std::array::from_fn(|place| (place * place % 37) as f32 - 5.0);
        blocks[1] = std::array::from_fn(|place| -1e-3 * place as f32);
        blocks[2] = [7.0; BLOCK];
        for levels in [Levels::UNSIGNED, Levels::SIGNED, Levels::SEVEN_BITS] {
            for values in blocks {
                let (bytes, scale, low) = round_to_bytes::<false>(&values, levels);
                for (byte, value) in bytes.into_iter().zip(values) {
                    let number = match levels {
                        Levels::SIGNED => f32::from(byte as i8),
                        _ => f32::from(byte),
                    };
                    let error = (low + scale * number - value).abs();
                    assert!(
                        error <= 0.501 * scale,
                        "{levels:?}: {value} is off by {error}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_is_seen() {
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = [1.0; BLOCK];
            values[17] = wrong;
            let (_, scale, low) = round_to_bytes::<false>(&values, Levels::UNSIGNED);
            assert!(!scale.is_finite() && !low.is_finite(), "{wrong}");
        }
    }
}
