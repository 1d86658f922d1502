//! Q4_0: 32 4-bit numbers and a half-precision scale; Q4_1 has a minimum as well. Number `i` is in
//! the low half of byte `i`, number `i + 16` in the high half.

use super::{INFINITE, half_at, largest_magnitude, magnitude};

const BYTES: usize = 18;
const BYTES_WITH_MINIMUM: usize = 20;

pub(super) fn dequantize(bytes: &[u8], values: &mut [f32]) {
    for (block, values) in bytes
        .as_chunks::<BYTES>()
        .0
        .iter()
        .zip(values.as_chunks_mut::<32>().0)
    {
        let scale = half_at(block, 0);
        let (low, high) = values.split_at_mut(16);
        for ((low, high), &byte) in low.iter_mut().zip(high).zip(&block[2..]) {
            *low = (i32::from(byte & 15) - 8) as f32 * scale;
            *high = (i32::from(byte >> 4) - 8) as f32 * scale;
        }
    }
}

pub(super) fn dequantize_with_minimum(bytes: &[u8], values: &mut [f32]) {
    let blocks = bytes.as_chunks::<BYTES_WITH_MINIMUM>().0;
    for (block, values) in blocks.iter().zip(values.as_chunks_mut::<32>().0) {
        let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
        let (low, high) = values.split_at_mut(16);
        for ((low, high), &byte) in low.iter_mut().zip(high).zip(&block[4..]) {
            *low = f32::from(byte & 15) * scale + minimum;
            *high = f32::from(byte >> 4) * scale + minimum;
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
        let scale = signed(values, largest) / -8.0;
        block[..2].copy_from_slice(&half::f16::from_f32(scale).to_le_bytes());
        quantize_block(values, scale, &mut block[2..]);
    }
    largest_of_all < INFINITE
}

fn quantize_block(values: &[f32; 32], scale: f32, nibbles: &mut [u8]) {
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    if inverse.is_infinite() {
        nibbles.fill(0); // as the reference: the scale is stored as zero anyway
        return;
    }
    let (low, high) = values.split_at(16);
    for ((nibble, low), high) in nibbles.iter_mut().zip(low).zip(high) {
        let low = ((low * inverse + 8.5) as i32).min(15);
        let high = ((high * inverse + 8.5) as i32).min(15);
        *nibble = (low | high << 4) as u8;
    }
}

/// The first value of that magnitude, with its sign.
#[inline(always)]
fn signed(values: &[f32; 32], largest: u32) -> f32 {
    let mut first = values.len() - 1;
    for (index, value) in values.iter().enumerate() {
        let candidate = if magnitude(*value) == largest {
            index
        } else {
            values.len() - 1
        };
        first = first.min(candidate);
    }
    values[first]
}
