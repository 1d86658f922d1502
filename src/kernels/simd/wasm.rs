//! Registers of a browser: SIMD128; with `FUSED` its relaxed instructions, too.

use super::LANES;
use std::arch::wasm32::*;

/// Floats.
#[derive(Clone, Copy)]
pub struct Lanes<const FUSED: bool>(pub(super) v128);

impl<const FUSED: bool> Lanes<FUSED> {
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self(f32x4_splat(value))
    }

    #[inline(always)]
    pub fn load(values: &[f32; LANES]) -> Self {
        // SAFETY: both are four floats, and any bits are valid in both.
        Self(unsafe { std::mem::transmute::<[f32; LANES], v128>(*values) })
    }

    /// Widens half precision, infinities and subnormal numbers included.
    #[inline(always)]
    pub fn from_halves(halves: &[u16; LANES]) -> Self {
        // SAFETY: the instruction reads eight bytes from any address; there they are.
        let signed = unsafe { i32x4_load_extend_i16x4(halves.as_ptr().cast()) };
        // Exponent and mantissa at the places of single precision, and the sign at its own; then
        // the exponents' different biases are a factor.
        let moved = v128_and(i32x4_shl(signed, 13), u32x4_splat(0x8fff_e000));
        let value = f32x4_mul(moved, f32x4_splat(f32::from_bits((127 + 112) << 23)));
        let special = f32x4_ge(f32x4_abs(value), f32x4_splat(65_536.0));
        Self(v128_or(value, v128_and(special, u32x4_splat(0x7f80_0000))))
    }

    #[inline(always)]
    pub fn to_array(self) -> [f32; LANES] {
        // SAFETY: both are four floats, and any bits are valid in both.
        unsafe { std::mem::transmute::<v128, [f32; LANES]>(self.0) }
    }

    #[inline(always)]
    pub fn add(self, other: Self) -> Self {
        Self(f32x4_add(self.0, other.0))
    }

    #[inline(always)]
    pub fn mul(self, other: Self) -> Self {
        Self(f32x4_mul(self.0, other.0))
    }

    /// `self * factor + summand`.
    #[inline(always)]
    pub fn multiply_add(self, factor: Self, summand: Self) -> Self {
        #[cfg(feature = "relaxed-simd")]
        if FUSED {
            return Self(f32x4_relaxed_madd(self.0, factor.0, summand.0));
        }
        self.mul(factor).add(summand)
    }

    /// The largest of so many values without their signs; not finite if one of them is not.
    #[inline(always)]
    pub fn largest<const N: usize>(values: &[f32; N]) -> f32 {
        // Without its sign, the bits of a larger number are a larger integer, and those of no number the largest:
        // a single instruction, and no branch that nobody can predict.
        let (mut largest, magnitude) = (i32x4_splat(0), i32x4_splat(i32::MAX));
        for values in values.as_chunks().0 {
            largest = i32x4_max(largest, v128_and(Self::load(values).0, magnitude));
        }
        let largest = i32x4_max(largest, i32x4_shuffle::<2, 3, 0, 1>(largest, largest));
        let largest = i32x4_max(largest, i32x4_shuffle::<1, 0, 3, 2>(largest, largest));
        f32::from_bits(i32x4_extract_lane::<0>(largest) as u32)
    }

    /// The sum of the lanes.
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let [a, b, c, d] = self.to_array();
        (a + b) + (c + d)
    }

    /// The sum of the lanes of each of four.
    #[inline(always)]
    pub fn sums([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        let pairs = |a: Self, b: Self| {
            f32x4_add(
                i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0),
                i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0),
            )
        };
        let (ab, cd) = (pairs(a, b), pairs(c, d));
        let sums = f32x4_add(
            i32x4_shuffle::<0, 1, 4, 5>(ab, cd),
            i32x4_shuffle::<2, 3, 6, 7>(ab, cd),
        );
        Self(sums).to_array()
    }
}

/// Integers of 16 bits, twice as many.
#[derive(Clone, Copy)]
pub struct Shorts<const FUSED: bool>(pub(super) v128);

/// The sums of their products, of 32 bits.
#[derive(Clone, Copy)]
pub struct Ints<const FUSED: bool>(pub(super) v128);

impl<const FUSED: bool> Shorts<FUSED> {
    pub const ZERO: Self = Self(i16x8(0, 0, 0, 0, 0, 0, 0, 0));

    #[inline(always)]
    pub fn load(values: &[i16; 2 * LANES]) -> Self {
        // SAFETY: both are eight integers, and any bits are valid in both.
        Self(unsafe { std::mem::transmute::<[i16; 2 * LANES], v128>(*values) })
    }

    #[inline(always)]
    pub fn to_array(self) -> [i16; 2 * LANES] {
        // SAFETY: both are eight integers, and any bits are valid in both.
        unsafe { std::mem::transmute::<v128, [i16; 2 * LANES]>(self.0) }
    }

    /// The integers that [`ROUNDING`](super::ROUNDING) has left in the lowest bits.
    #[inline(always)]
    pub fn from_rounded(floats: [Lanes<FUSED>; 2]) -> Self {
        let low = |floats: Lanes<FUSED>| {
            i32x4_sub(floats.0, i32x4_splat(super::ROUNDING.to_bits() as i32))
        };
        let [first, second] = floats.map(low);
        Self(i16x8_narrow_i32x4(first, second))
    }

    /// The pair in all lanes.
    #[inline(always)]
    pub fn splat(pair: [i16; 2]) -> Self {
        Self(i32x4_splat(bytemuck::cast(pair)))
    }

    /// The first pairs of all, the second ones, and so on.
    #[inline(always)]
    pub fn transpose([a, b, c, d]: [Self; LANES]) -> [Self; LANES] {
        let low = |a: Self, b: Self| i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0);
        let high = |a: Self, b: Self| i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0);
        let first = |ab: v128, cd: v128| Self(i32x4_shuffle::<0, 1, 4, 5>(ab, cd));
        let second = |ab: v128, cd: v128| Self(i32x4_shuffle::<2, 3, 6, 7>(ab, cd));
        let (ab, cd) = (low(a, b), low(c, d));
        let (ab_high, cd_high) = (high(a, b), high(c, d));
        [
            first(ab, cd),
            second(ab, cd),
            first(ab_high, cd_high),
            second(ab_high, cd_high),
        ]
    }

    /// Widens bytes.
    #[inline(always)]
    pub fn from_bytes(bytes: &[i8; 2 * LANES]) -> Self {
        // SAFETY: the instruction reads eight bytes from any address; there they are.
        Self(unsafe { i16x8_load_extend_i8x8(bytes.as_ptr()) })
    }

    /// The low halves of the bytes less 8, then the high ones, each in order.
    #[inline(always)]
    pub fn from_nibbles(bytes: &[u8; 16]) -> [Self; 4] {
        // SAFETY: both are sixteen bytes, and any bits are valid in both.
        let bytes = unsafe { std::mem::transmute::<[u8; 16], v128>(*bytes) };
        let (mask, offset) = (u8x16_splat(15), i8x16_splat(8));
        let low = i8x16_sub(v128_and(bytes, mask), offset);
        let high = i8x16_sub(v128_and(u16x8_shr(bytes, 4), mask), offset);
        [
            Self(i16x8_extend_low_i8x16(low)),
            Self(i16x8_extend_high_i8x16(low)),
            Self(i16x8_extend_low_i8x16(high)),
            Self(i16x8_extend_high_i8x16(high)),
        ]
    }

    /// Sums of the products of pairs of neighbours.
    #[inline(always)]
    pub fn dot(self, other: Self) -> Ints<FUSED> {
        Ints(i32x4_dot_i16x8(self.0, other.0))
    }

    /// The lower half, then the upper one.
    #[inline(always)]
    pub fn to_floats(self) -> [Lanes<FUSED>; 2] {
        [
            Ints::<FUSED>(i32x4_extend_low_i16x8(self.0)).to_floats(),
            Ints::<FUSED>(i32x4_extend_high_i16x8(self.0)).to_floats(),
        ]
    }
}

impl<const FUSED: bool> Ints<FUSED> {
    pub const ZERO: Self = Self(i32x4(0, 0, 0, 0));

    #[inline(always)]
    pub fn add(self, other: Self) -> Self {
        Self(i32x4_add(self.0, other.0))
    }

    #[inline(always)]
    pub fn to_floats(self) -> Lanes<FUSED> {
        Lanes(f32x4_convert_i32x4(self.0))
    }
}
