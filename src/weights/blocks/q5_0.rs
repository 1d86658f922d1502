//! Q5_0: 32 5-bit numbers and a half-precision scale. The fifth bits come as one 32-bit word, the
//! rest as in Q4_0.

use super::half_at;

const BYTES: usize = 22;

pub(super) fn dequantize(bytes: &[u8], values: &mut [f32]) {
    for (block, values) in bytes
        .as_chunks::<BYTES>()
        .0
        .iter()
        .zip(values.as_chunks_mut::<32>().0)
    {
        let scale = half_at(block, 0);
        let fifth_bits = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
        let (low, high) = values.split_at_mut(16);
        for (index, ((low, high), &byte)) in low.iter_mut().zip(high).zip(&block[6..]).enumerate() {
            let low_bit = (fifth_bits >> index & 1) << 4;
            let high_bit = (fifth_bits >> (index + 16) & 1) << 4;
            *low = ((u32::from(byte & 15) | low_bit) as i32 - 16) as f32 * scale;
            *high = ((u32::from(byte >> 4) | high_bit) as i32 - 16) as f32 * scale;
        }
    }
}
