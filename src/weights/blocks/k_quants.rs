//! Q4_K, Q5_K and Q6_K: 256 numbers in groups whose own scales are quantized too. Read only.

use super::half_at;

const Q4_K_BYTES: usize = 144;
const Q5_K_BYTES: usize = 176;
const Q6_K_BYTES: usize = 210;

pub(super) fn dequantize_q4_k(bytes: &[u8], values: &mut [f32]) {
    let blocks = bytes.as_chunks::<Q4_K_BYTES>().0;
    for (block, values) in blocks.iter().zip(values.as_chunks_mut::<256>().0) {
        let groups = groups(block);
        let pairs = values
            .as_chunks_mut::<64>()
            .0
            .iter_mut()
            .zip(block[16..].as_chunks::<32>().0);
        for (pair, (values, nibbles)) in pairs.enumerate() {
            let (low, high) = values.split_at_mut(32);
            let (low_group, high_group) = (groups[2 * pair], groups[2 * pair + 1]);
            for ((low, high), &byte) in low.iter_mut().zip(high).zip(nibbles) {
                *low = low_group.value(byte & 15);
                *high = high_group.value(byte >> 4);
            }
        }
    }
}

pub(super) fn dequantize_q5_k(bytes: &[u8], values: &mut [f32]) {
    let blocks = bytes.as_chunks::<Q5_K_BYTES>().0;
    for (block, values) in blocks.iter().zip(values.as_chunks_mut::<256>().0) {
        let groups = groups(block);
        let (fifth_bits, nibbles) = block[16..].split_at(32);
        let pairs = values
            .as_chunks_mut::<64>()
            .0
            .iter_mut()
            .zip(nibbles.as_chunks::<32>().0);
        for (pair, (values, nibbles)) in pairs.enumerate() {
            let (low, high) = values.split_at_mut(32);
            let (low_group, high_group) = (groups[2 * pair], groups[2 * pair + 1]);
            let rows = low.iter_mut().zip(high).zip(nibbles).zip(fifth_bits);
            for (((low, high), &byte), &bits) in rows {
                let bits = bits >> (2 * pair);
                *low = low_group.value(byte & 15 | (bits & 1) << 4);
                *high = high_group.value(byte >> 4 | (bits & 2) << 3);
            }
        }
    }
}

pub(super) fn dequantize_q6_k(bytes: &[u8], values: &mut [f32]) {
    let blocks = bytes.as_chunks::<Q6_K_BYTES>().0;
    for (block, values) in blocks.iter().zip(values.as_chunks_mut::<256>().0) {
        let scale = half_at(block, 208);
        for (half, values) in values.as_chunks_mut::<128>().0.iter_mut().enumerate() {
            let low_bits = &block[64 * half..][..64];
            let high_bits = &block[128 + 32 * half..][..32];
            let scales = &block[192 + 8 * half..][..8];
            for (group, values) in values.as_chunks_mut::<16>().0.iter_mut().enumerate() {
                let scale = scale * f32::from(scales[group] as i8);
                let low_bits = &low_bits[16 * (group % 4)..][..16];
                let high_bits = &high_bits[16 * (group % 2)..][..16];
                let (low_shift, high_shift) = (4 * (group / 4), 2 * (group / 2));
                for ((value, low), high) in values.iter_mut().zip(low_bits).zip(high_bits) {
                    let number = low >> low_shift & 15 | (high >> high_shift & 3) << 4;
                    *value = scale * (i32::from(number) - 32) as f32;
                }
            }
        }
    }
}

/// The scale and minimum of 32 numbers.
#[derive(Clone, Copy)]
struct Group {
    scale: f32,
    minimum: f32,
}

impl Group {
    #[inline(always)]
    fn value(self, number: u8) -> f32 {
        self.scale * f32::from(number) - self.minimum
    }
}

/// The eight groups of a Q4_K or Q5_K block. It begins with the scale of the scales, the scale of
/// the minima, and 12 bytes of 6-bit numbers: four scales, four minima, each with two bits to spare
/// in which the upper bits of the other four lie, whose lower bits make up the last four bytes.
fn groups(block: &[u8]) -> [Group; 8] {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    let packed = &block[4..16];
    std::array::from_fn(|index| {
        let (scale_bits, minimum_bits) = if index < 4 {
            (packed[index] & 63, packed[index + 4] & 63)
        } else {
            let lower = packed[index + 4];
            (
                lower & 15 | packed[index - 4] >> 6 << 4,
                lower >> 4 | packed[index] >> 6 << 4,
            )
        };
        Group {
            scale: scale * f32::from(scale_bits),
            minimum: minimum * f32::from(minimum_bits),
        }
    })
}
