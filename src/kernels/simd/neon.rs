//! Registers of aarch64: NEON, which every such processor has.

use super::LANES;
use std::arch::aarch64::*;
use std::array::from_fn;
use std::mem::transmute;

/// Calls of NEON's instructions.
macro_rules! neon {
    ($calls:expr) => {
        // SAFETY: the target's baseline has them.
        unsafe { $calls }
    };
}

/// Floats.
#[derive(Clone, Copy)]
pub struct Lanes<const FUSED: bool>(pub(super) float32x4_t);

impl<const FUSED: bool> Lanes<FUSED> {
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self(neon!(vdupq_n_f32(value)))
    }

    #[inline(always)]
    pub fn load(values: &[f32; LANES]) -> Self {
        // SAFETY: both are four floats, and any bits are valid in both.
        Self(unsafe { transmute::<[f32; LANES], float32x4_t>(*values) })
    }

    /// Widens half precision, infinities and subnormal numbers included.
    #[inline(always)]
    pub fn from_halves(halves: &[u16; LANES]) -> Self {
        Self::load(&halves.map(super::widen_half))
    }

    #[inline(always)]
    pub fn to_array(self) -> [f32; LANES] {
        // SAFETY: both are four floats, and any bits are valid in both.
        unsafe { transmute::<float32x4_t, [f32; LANES]>(self.0) }
    }

    #[inline(always)]
    pub fn add(self, other: Self) -> Self {
        Self(neon!(vaddq_f32(self.0, other.0)))
    }

    #[inline(always)]
    pub fn mul(self, other: Self) -> Self {
        Self(neon!(vmulq_f32(self.0, other.0)))
    }

    /// `self * factor + summand`.
    #[inline(always)]
    pub fn multiply_add(self, factor: Self, summand: Self) -> Self {
        if FUSED {
            return Self(neon!(vfmaq_f32(summand.0, self.0, factor.0)));
        }
        self.mul(factor).add(summand)
    }

    /// The largest of so many values without their signs; not finite if one of them is not.
    #[inline(always)]
    pub fn largest<const N: usize>(values: &[f32; N]) -> f32 {
        super::largest_of(values)
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
        let pairs = |a, b| neon!(vpaddq_f32(a, b));
        Self(pairs(pairs(a.0, b.0), pairs(c.0, d.0))).to_array()
    }
}

/// Integers of 16 bits, twice as many.
#[derive(Clone, Copy)]
pub struct Shorts<const FUSED: bool>(pub(super) int16x8_t);

/// The sums of their products, of 32 bits.
#[derive(Clone, Copy)]
pub struct Ints<const FUSED: bool>(pub(super) int32x4_t);

impl<const FUSED: bool> Shorts<FUSED> {
    // SAFETY: both are eight integers, and any bits are valid in both.
    pub const ZERO: Self =
        Self(unsafe { transmute::<[i16; 2 * LANES], int16x8_t>([0; 2 * LANES]) });

    #[inline(always)]
    pub fn load(values: &[i16; 2 * LANES]) -> Self {
        // SAFETY: both are eight integers, and any bits are valid in both.
        Self(unsafe { transmute::<[i16; 2 * LANES], int16x8_t>(*values) })
    }

    #[inline(always)]
    pub fn to_array(self) -> [i16; 2 * LANES] {
        // SAFETY: both are eight integers, and any bits are valid in both.
        unsafe { transmute::<int16x8_t, [i16; 2 * LANES]>(self.0) }
    }

    /// The integers that [`ROUNDING`](super::ROUNDING) has left in the lowest bits.
    #[inline(always)]
    pub fn from_rounded(floats: [Lanes<FUSED>; 2]) -> Self {
        let [low, high] = floats.map(|half| neon!(vmovn_s32(vreinterpretq_s32_f32(half.0))));
        Self(neon!(vcombine_s16(low, high)))
    }

    /// The pair in all lanes.
    #[inline(always)]
    pub fn splat(pair: [i16; 2]) -> Self {
        let pair = bytemuck::cast(pair);
        Self(neon!(vreinterpretq_s16_s32(vdupq_n_s32(pair))))
    }

    /// The first pairs of all, the second ones, and so on.
    #[inline(always)]
    pub fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        neon!({
            let [a, b, c, d] = rows.map(|row| vreinterpretq_s32_s16(row.0));
            let halves = [
                [vzip1q_s32(a, b), vzip1q_s32(c, d)],
                [vzip2q_s32(a, b), vzip2q_s32(c, d)],
            ];
            from_fn(|place| {
                let [ab, cd] = halves[place / 2].map(|half| vreinterpretq_s64_s32(half));
                Self(vreinterpretq_s16_s64(match place % 2 {
                    0 => vzip1q_s64(ab, cd),
                    _ => vzip2q_s64(ab, cd),
                }))
            })
        })
    }

    /// Widens bytes.
    #[inline(always)]
    pub fn from_bytes(bytes: &[i8; 2 * LANES]) -> Self {
        // SAFETY: both are eight integers, and any bits are valid in both.
        let bytes = unsafe { transmute::<[i8; 2 * LANES], int8x8_t>(*bytes) };
        Self(neon!(vmovl_s8(bytes)))
    }

    /// The low halves of the bytes less 8, then the high ones, each in order.
    #[inline(always)]
    pub fn from_nibbles(bytes: &[u8; 16]) -> [Self; 4] {
        // SAFETY: both are sixteen bytes, and any bits are valid in both.
        let bytes = unsafe { transmute::<[u8; 16], uint8x16_t>(*bytes) };
        neon!({
            let nibbles = [vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8::<4>(bytes)];
            let [low, high] =
                nibbles.map(|half| vsubq_s8(vreinterpretq_s8_u8(half), vdupq_n_s8(8)));
            [
                Self(vmovl_s8(vget_low_s8(low))),
                Self(vmovl_high_s8(low)),
                Self(vmovl_s8(vget_low_s8(high))),
                Self(vmovl_high_s8(high)),
            ]
        })
    }

    /// Sums of the products of pairs of neighbours.
    #[inline(always)]
    pub fn dot(self, other: Self) -> Ints<FUSED> {
        Ints(neon!({
            let low = vmull_s16(vget_low_s16(self.0), vget_low_s16(other.0));
            vpaddq_s32(low, vmull_high_s16(self.0, other.0))
        }))
    }

    /// The lower half, then the upper one.
    #[inline(always)]
    pub fn to_floats(self) -> [Lanes<FUSED>; 2] {
        neon!([vmovl_s16(vget_low_s16(self.0)), vmovl_high_s16(self.0)])
            .map(|half| Ints(half).to_floats())
    }
}

impl<const FUSED: bool> Ints<FUSED> {
    // SAFETY: both are four integers, and any bits are valid in both.
    pub const ZERO: Self = Self(unsafe { transmute::<[i32; LANES], int32x4_t>([0; LANES]) });

    #[inline(always)]
    pub fn add(self, other: Self) -> Self {
        Self(neon!(vaddq_s32(self.0, other.0)))
    }

    #[inline(always)]
    pub fn to_floats(self) -> Lanes<FUSED> {
        Lanes(neon!(vcvtq_f32_s32(self.0)))
    }
}
