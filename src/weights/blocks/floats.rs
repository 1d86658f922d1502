//! Floats of other widths. F16 goes by arithmetic on bits that the compiler can do in SIMD: the
//! `half` crate converts one number at a time where the processor has no instruction for it, as
//! in WebAssembly.

pub(super) fn f32_to_f32(bytes: &[u8], values: &mut [f32]) {
    for (value, bytes) in values.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *value = f32::from_le_bytes(*bytes);
    }
}

pub(super) fn f64_to_f32(bytes: &[u8], values: &mut [f32]) {
    for (value, bytes) in values.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *value = f64::from_le_bytes(*bytes) as f32;
    }
}

pub(super) fn bf16_to_f32(bytes: &[u8], values: &mut [f32]) {
    for (value, bytes) in values.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *value = f32::from_bits(u32::from(u16::from_le_bytes(*bytes)) << 16);
    }
}

pub(super) fn f16_to_f32(bytes: &[u8], values: &mut [f32]) {
    for (value, bytes) in values.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *value = widen(u16::from_le_bytes(*bytes));
    }
}

/// Half to single precision without a branch.
#[inline(always)]
fn widen(half: u16) -> f32 {
    /// What the exponent's bias grows by, in place.
    const REBIAS: u32 = (127 - 15) << 23;
    /// 2^-14, the smallest normal half: a subnormal one is this much too large if read as normal.
    const SMALLEST: u32 = 113 << 23;
    let sign = (u32::from(half) & 0x8000) << 16;
    let magnitude = (u32::from(half) & 0x7fff) << 13;
    let normal = magnitude + REBIAS;
    let special = normal + REBIAS;
    let subnormal = (f32::from_bits(magnitude + SMALLEST) - f32::from_bits(SMALLEST)).to_bits();
    let finite = if magnitude < 1 << 23 {
        subnormal
    } else {
        normal
    };
    let bits = if magnitude >= 31 << 23 {
        special
    } else {
        finite
    };
    f32::from_bits(bits | sign)
}

pub(super) fn f32_from_f32(values: &[f32], bytes: &mut [u8]) -> bool {
    for (value, bytes) in values.iter().zip(bytes.as_chunks_mut::<4>().0) {
        *bytes = value.to_le_bytes();
    }
    true
}

pub(super) fn f16_from_f32(values: &[f32], bytes: &mut [u8]) -> bool {
    for (value, bytes) in values.iter().zip(bytes.as_chunks_mut::<2>().0) {
        *bytes = narrow(*value).to_le_bytes();
    }
    true
}

/// Single to half precision without a branch, rounding to the nearest, ties to even.
#[inline(always)]
fn narrow(value: f32) -> u16 {
    /// What the exponent's bias shrinks by, in place.
    const REBIAS: u32 = (127 - 15) << 23;
    /// 2^-14, below which halves are subnormal.
    const SMALLEST: u32 = 113 << 23;
    /// 2^16, from which on there are no finite halves.
    const TOO_LARGE: u32 = 143 << 23;
    const INFINITE: u32 = 255 << 23;
    let bits = value.to_bits();
    let sign = (bits >> 16) & 0x8000;
    let magnitude = bits & 0x7fff_ffff;
    // In 0.5 the last bit weighs 2^-24, as in a subnormal half: adding it makes the processor round.
    let subnormal = (f32::from_bits(magnitude) + 0.5)
        .to_bits()
        .wrapping_sub(0.5_f32.to_bits());
    let odd = (magnitude >> 13) & 1;
    let normal = magnitude.wrapping_sub(REBIAS).wrapping_add(0xfff + odd) >> 13;
    let special = if magnitude > INFINITE { 0x7e00 } else { 0x7c00 };
    let finite = if magnitude < SMALLEST {
        subnormal
    } else {
        normal
    };
    let half = if magnitude >= TOO_LARGE {
        special
    } else {
        finite
    };
    (half | sign) as u16
}

#[cfg(test)]
mod tests {
    use super::{narrow, widen};
    use half::f16;

    #[test]
    fn every_half_widens_as_the_half_crate_does() {
        for bits in 0..=u16::MAX {
            let expected = f16::from_bits(bits).to_f32();
            let found = widen(bits);
            assert!(
                found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(),
                "{bits:#06x}: {found} instead of {expected}"
            );
        }
    }

    #[test]
    fn floats_narrow_as_the_half_crate_does() {
        let check = |value: f32| {
            let (found, expected) = (f16::from_bits(narrow(value)), f16::from_f32(value));
            assert!(
                found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(),
                "{value:e}: {found} instead of {expected}"
            );
        };
        // Every half, the middle between it and the next, and their neighbours.
        for bits in 0..u16::MAX {
            let value = f16::from_bits(bits).to_f32();
            let middle = (value + f16::from_bits(bits + 1).to_f32()) / 2.0;
            for value in [value, middle] {
                check(value);
                check(value.next_up());
                check(value.next_down());
            }
        }
        // And floats of every exponent.
        for bits in (0..u32::MAX).step_by(9973) {
            check(f32::from_bits(bits));
        }
    }
}
