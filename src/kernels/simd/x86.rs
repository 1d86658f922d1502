//! Registers of x86-64: with `FUSED` AVX2 and FMA; else whatever the compiler makes of it, for processors from
//! before 2013.
//!
//! `FUSED` is only true within functions that are compiled for these instructions, as
//! [`vectorised`](super::vectorised) sees to: that is what makes the calls below safe.

use super::LANES;
use std::arch::x86_64::*;
use std::array::from_fn;
use std::mem::transmute;

/// Floats.
#[derive(Clone, Copy)]
pub struct Lanes<const FUSED: bool>(pub(super) __m256);

impl<const FUSED: bool> Lanes<FUSED> {
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self::load(&[value; LANES])
    }

    #[inline(always)]
    pub fn load(values: &[f32; LANES]) -> Self {
        // SAFETY: both are eight floats, and any bits are valid in both.
        Self(unsafe { transmute::<[f32; LANES], __m256>(*values) })
    }

    /// Widens half precision, infinities and subnormal numbers included.
    #[inline(always)]
    pub fn from_halves(halves: &[u16; LANES]) -> Self {
        if FUSED {
            // SAFETY: both are eight integers; and see `FUSED`.
            return Self(unsafe { _mm256_cvtph_ps(transmute::<[u16; LANES], __m128i>(*halves)) });
        }
        Self::load(&halves.map(super::widen_half))
    }

    #[inline(always)]
    pub fn to_array(self) -> [f32; LANES] {
        // SAFETY: both are eight floats, and any bits are valid in both.
        unsafe { transmute::<__m256, [f32; LANES]>(self.0) }
    }

    #[inline(always)]
    fn zip(self, other: Self, operation: impl Fn(f32, f32) -> f32) -> Self {
        let (left, right) = (self.to_array(), other.to_array());
        Self::load(&from_fn(|lane| operation(left[lane], right[lane])))
    }

    #[inline(always)]
    pub fn add(self, other: Self) -> Self {
        if FUSED {
            // SAFETY: see `FUSED`.
            return Self(unsafe { _mm256_add_ps(self.0, other.0) });
        }
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    pub fn mul(self, other: Self) -> Self {
        if FUSED {
            // SAFETY: see `FUSED`.
            return Self(unsafe { _mm256_mul_ps(self.0, other.0) });
        }
        self.zip(other, |a, b| a * b)
    }

    /// `self * factor + summand`.
    #[inline(always)]
    pub fn multiply_add(self, factor: Self, summand: Self) -> Self {
        if FUSED {
            // SAFETY: see `FUSED`.
            return Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, summand.0) });
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
        let [a, b, c, d, e, f, g, h] = self.to_array();
        ((a + e) + (b + f)) + ((c + g) + (d + h))
    }

    /// The sum of the lanes of each of four.
    #[inline(always)]
    pub fn sums([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        if FUSED {
            // SAFETY: see `FUSED`; the last two are four floats.
            return unsafe {
                let (ab, cd) = (_mm256_hadd_ps(a.0, b.0), _mm256_hadd_ps(c.0, d.0));
                let halves = _mm256_hadd_ps(ab, cd);
                let (low, high) = (
                    _mm256_castps256_ps128(halves),
                    _mm256_extractf128_ps::<1>(halves),
                );
                transmute::<__m128, [f32; 4]>(_mm_add_ps(low, high))
            };
        }
        [a, b, c, d].map(Self::sum)
    }
}

/// Integers of 16 bits, twice as many.
#[derive(Clone, Copy)]
pub struct Shorts<const FUSED: bool>(pub(super) __m256i);

/// The sums of their products, of 32 bits.
#[derive(Clone, Copy)]
pub struct Ints<const FUSED: bool>(pub(super) __m256i);

impl<const FUSED: bool> Shorts<FUSED> {
    // SAFETY: both are sixteen integers, and any bits are valid in both.
    pub const ZERO: Self = Self(unsafe { transmute::<[i16; 2 * LANES], __m256i>([0; 2 * LANES]) });

    #[inline(always)]
    pub fn load(values: &[i16; 2 * LANES]) -> Self {
        // SAFETY: both are sixteen integers, and any bits are valid in both.
        Self(unsafe { transmute::<[i16; 2 * LANES], __m256i>(*values) })
    }

    #[inline(always)]
    pub fn to_array(self) -> [i16; 2 * LANES] {
        // SAFETY: both are sixteen integers, and any bits are valid in both.
        unsafe { transmute::<__m256i, [i16; 2 * LANES]>(self.0) }
    }

    /// The integers that [`ROUNDING`](super::ROUNDING) has left in the lowest bits.
    #[inline(always)]
    pub fn from_rounded(floats: [Lanes<FUSED>; 2]) -> Self {
        let halves = floats.map(|half| half.to_array().map(|value| value.to_bits() as i16));
        Self::load(bytemuck::cast_ref(&halves))
    }

    /// The pair in all lanes.
    #[inline(always)]
    pub fn splat(pair: [i16; 2]) -> Self {
        Self::load(bytemuck::cast_ref(&[pair; LANES]))
    }

    /// The first pairs of all, the second ones, and so on.
    #[inline(always)]
    pub fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        if FUSED {
            // SAFETY: see `FUSED`.
            return unsafe {
                let [a, b, c, d, e, f, g, h] = rows.map(|row| row.0);
                let four = |a, b, c, d| {
                    let (low, high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
                    let (lower, higher) =
                        (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
                    [
                        _mm256_unpacklo_epi64(low, lower),
                        _mm256_unpackhi_epi64(low, lower),
                        _mm256_unpacklo_epi64(high, higher),
                        _mm256_unpackhi_epi64(high, higher),
                    ]
                };
                let (left, right) = (four(a, b, c, d), four(e, f, g, h));
                from_fn(|place| {
                    let (left, right) = (left[place % 4], right[place % 4]);
                    Self(match place < 4 {
                        true => _mm256_permute2x128_si256::<0x20>(left, right),
                        false => _mm256_permute2x128_si256::<0x31>(left, right),
                    })
                })
            };
        }
        super::transposed(rows.map(Self::to_array)).map(|pairs| Self::load(&pairs))
    }

    /// Widens bytes.
    #[inline(always)]
    pub fn from_bytes(bytes: &[i8; 2 * LANES]) -> Self {
        if FUSED {
            // SAFETY: both are sixteen bytes; and see `FUSED`.
            return Self(unsafe {
                _mm256_cvtepi8_epi16(transmute::<[i8; 2 * LANES], __m128i>(*bytes))
            });
        }
        Self::load(&bytes.map(i16::from))
    }

    /// The low halves of the bytes less 8, then the high ones, each in order.
    #[inline(always)]
    pub fn from_nibbles(bytes: &[u8; 16]) -> [Self; 2] {
        let low = bytes.map(|byte| (byte & 15) as i8 - 8);
        let high = bytes.map(|byte| (byte >> 4) as i8 - 8);
        [Self::from_bytes(&low), Self::from_bytes(&high)]
    }

    /// Sums of the products of pairs of neighbours.
    #[inline(always)]
    pub fn dot(self, other: Self) -> Ints<FUSED> {
        if FUSED {
            // SAFETY: see `FUSED`.
            return Ints(unsafe { _mm256_madd_epi16(self.0, other.0) });
        }
        let (left, right) = (self.to_array(), other.to_array());
        let product = |lane: usize| i32::from(left[lane]) * i32::from(right[lane]);
        Ints::from_array(from_fn(|lane| product(2 * lane) + product(2 * lane + 1)))
    }

    /// The lower half, then the upper one.
    #[inline(always)]
    pub fn to_floats(self) -> [Lanes<FUSED>; 2] {
        if FUSED {
            // SAFETY: see `FUSED`.
            let [low, high] = unsafe {
                [
                    _mm256_castsi256_si128(self.0),
                    _mm256_extracti128_si256::<1>(self.0),
                ]
                .map(|half| _mm256_cvtepi16_epi32(half))
            };
            return [Ints(low).to_floats(), Ints(high).to_floats()];
        }
        let values = self.to_array();
        let (halves, _) = values.as_chunks::<LANES>();
        [halves[0], halves[1]].map(|half| Lanes::load(&half.map(f32::from)))
    }
}

impl<const FUSED: bool> Ints<FUSED> {
    // SAFETY: both are eight integers, and any bits are valid in both.
    pub const ZERO: Self = Self(unsafe { transmute::<[i32; LANES], __m256i>([0; LANES]) });

    #[inline(always)]
    fn from_array(values: [i32; LANES]) -> Self {
        // SAFETY: both are eight integers, and any bits are valid in both.
        Self(unsafe { transmute::<[i32; LANES], __m256i>(values) })
    }

    #[inline(always)]
    fn to_array(self) -> [i32; LANES] {
        // SAFETY: both are eight integers, and any bits are valid in both.
        unsafe { transmute::<__m256i, [i32; LANES]>(self.0) }
    }

    #[inline(always)]
    pub fn add(self, other: Self) -> Self {
        if FUSED {
            // SAFETY: see `FUSED`.
            return Self(unsafe { _mm256_add_epi32(self.0, other.0) });
        }
        let (left, right) = (self.to_array(), other.to_array());
        Self::from_array(from_fn(|lane| left[lane].wrapping_add(right[lane])))
    }

    #[inline(always)]
    pub fn to_floats(self) -> Lanes<FUSED> {
        if FUSED {
            // SAFETY: see `FUSED`.
            return Lanes(unsafe { _mm256_cvtepi32_ps(self.0) });
        }
        Lanes::load(&self.to_array().map(|value| value as f32))
    }
}
