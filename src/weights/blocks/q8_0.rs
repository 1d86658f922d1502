//! Q8_0: 32 signed bytes and a half-precision scale.

use super::{INFINITE, half_at, largest_magnitude};

const BYTES: usize = 34;

pub(super) fn dequantize(bytes: &[u8], values: &mut [f32]) {
    for (block, values) in bytes
        .as_chunks::<BYTES>()
        .0
        .iter()
        .zip(values.as_chunks_mut::<32>().0)
    {
        let scale = half_at(block, 0);
        for (value, &byte) in values.iter_mut().zip(&block[2..]) {
            *value = f32::from(byte as i8) * scale;
        }
    }
}

/// False if a value was not finite.
pub(super) fn quantize(values: &[f32], bytes: &mut [u8]) -> bool {
    let mut largest_of_all = 0;
    for (values, block) in values
        .as_chunks::<32>()
        .0
        .iter()
        .zip(bytes.as_chunks_mut::<BYTES>().0)
    {
        let largest = largest_magnitude(values);
        largest_of_all = largest_of_all.max(largest);
        let scale = f32::from_bits(largest) / 127.0;
        let inverse = inverse_scale(scale);
        block[..2].copy_from_slice(&half::f16::from_f32(scale).to_le_bytes());
        for (byte, value) in block[2..].iter_mut().zip(values) {
            *byte = round(value * inverse) as u8;
        }
    }
    largest_of_all < INFINITE
}

/// What values are multiplied by. A scale so small that its inverse overflows is stored as zero,
/// and the reference then writes zeros.
#[inline(always)]
fn inverse_scale(scale: f32) -> f32 {
    let inverse = 1.0 / scale;
    if inverse.is_finite() { inverse } else { 0.0 }
}

/// C's `roundf`, half away from zero, for magnitudes far below 2^22. Neither WebAssembly nor older
/// processors have an instruction for it; adding the largest float below one half and cutting off
/// the fraction is the same.
#[inline(always)]
fn round(value: f32) -> i32 {
    const BELOW_HALF: f32 = 0.5 - f32::EPSILON / 4.0;
    (value + BELOW_HALF.copysign(value)) as i32
}

#[cfg(test)]
mod tests {
    use super::round;

    #[test]
    fn rounding_is_half_away_from_zero() {
        for step in -130 * 64..=130 * 64 {
            let value = step as f32 / 64.0;
            for value in [value, value.next_up(), value.next_down()] {
                assert_eq!(round(value), value.round() as i32, "{value:e}");
            }
        }
    }
}
