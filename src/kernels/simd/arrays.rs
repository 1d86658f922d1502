//! Registers of any other machine: arrays, which the compiler keeps in whatever there is.

use super::LANES;
use std::array::from_fn;

/// Floats.
#[derive(Clone, Copy)]
pub struct Lanes<const FUSED: bool>([f32; LANES]);

impl<const FUSED: bool> Lanes<FUSED> {
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    pub fn load(values: &[f32; LANES]) -> Self {
        Self(*values)
    }

    /// Widens half precision, infinities and subnormal numbers included.
    #[inline(always)]
    pub fn from_halves(halves: &[u16; LANES]) -> Self {
        Self(halves.map(super::widen_half))
    }

    #[inline(always)]
    pub fn to_array(self) -> [f32; LANES] {
        self.0
    }

    #[inline(always)]
    pub fn add(self, other: Self) -> Self {
        Self(from_fn(|lane| self.0[lane] + other.0[lane]))
    }

    #[inline(always)]
    pub fn mul(self, other: Self) -> Self {
        Self(from_fn(|lane| self.0[lane] * other.0[lane]))
    }

    /// `self * factor + summand`.
    #[inline(always)]
    pub fn multiply_add(self, factor: Self, summand: Self) -> Self {
        Self(from_fn(|lane| {
            super::multiply_add::<FUSED>(self.0[lane], factor.0[lane], summand.0[lane])
        }))
    }

    /// The largest of so many values without their signs; not finite if one of them is not.
    #[inline(always)]
    pub fn largest<const N: usize>(values: &[f32; N]) -> f32 {
        super::largest_of(values)
    }

    /// The sum of the lanes.
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let [a, b, c, d] = self.0;
        (a + b) + (c + d)
    }

    /// The sum of the lanes of each of four.
    #[inline(always)]
    pub fn sums(vectors: [Self; 4]) -> [f32; 4] {
        vectors.map(Self::sum)
    }
}

/// Integers of 16 bits, twice as many.
#[derive(Clone, Copy)]
pub struct Shorts<const FUSED: bool>([i16; 2 * LANES]);

/// The sums of their products, of 32 bits.
#[derive(Clone, Copy)]
pub struct Ints<const FUSED: bool>([i32; LANES]);

impl<const FUSED: bool> Shorts<FUSED> {
    pub const ZERO: Self = Self([0; 2 * LANES]);

    #[inline(always)]
    pub fn load(values: &[i16; 2 * LANES]) -> Self {
        Self(*values)
    }

    #[inline(always)]
    pub fn to_array(self) -> [i16; 2 * LANES] {
        self.0
    }

    /// The integers that [`ROUNDING`](super::ROUNDING) has left in the lowest bits.
    #[inline(always)]
    pub fn from_rounded(floats: [Lanes<FUSED>; 2]) -> Self {
        let halves = floats.map(|half| half.to_array().map(|value| value.to_bits() as i16));
        Self(bytemuck::cast(halves))
    }

    /// The pair in all lanes.
    #[inline(always)]
    pub fn splat(pair: [i16; 2]) -> Self {
        Self(bytemuck::cast([pair; LANES]))
    }

    /// The first pairs of all, the second ones, and so on.
    #[inline(always)]
    pub fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        super::transposed(rows.map(Self::to_array)).map(Self)
    }

    /// Widens bytes.
    #[inline(always)]
    pub fn from_bytes(bytes: &[i8; 2 * LANES]) -> Self {
        Self(bytes.map(i16::from))
    }

    /// The low halves of the bytes less 8, then the high ones, each in order.
    #[inline(always)]
    pub fn from_nibbles(bytes: &[u8; 16]) -> [Self; 16 / LANES] {
        from_fn(|part| {
            Self(from_fn(|lane| {
                let place = part * 2 * LANES + lane;
                let byte = bytes[place % 16];
                i16::from(if place < 16 { byte & 15 } else { byte >> 4 }) - 8
            }))
        })
    }

    /// Sums of the products of pairs of neighbours.
    #[inline(always)]
    pub fn dot(self, other: Self) -> Ints<FUSED> {
        let product = |lane: usize| i32::from(self.0[lane]) * i32::from(other.0[lane]);
        Ints(from_fn(|lane| product(2 * lane) + product(2 * lane + 1)))
    }

    /// The lower half, then the upper one.
    #[inline(always)]
    pub fn to_floats(self) -> [Lanes<FUSED>; 2] {
        let (halves, _) = self.0.as_chunks::<LANES>();
        [halves[0], halves[1]].map(|half| Lanes::load(&half.map(f32::from)))
    }
}

impl<const FUSED: bool> Ints<FUSED> {
    pub const ZERO: Self = Self([0; LANES]);

    #[inline(always)]
    pub fn add(self, other: Self) -> Self {
        Self(from_fn(|lane| self.0[lane].wrapping_add(other.0[lane])))
    }

    #[inline(always)]
    pub fn to_floats(self) -> Lanes<FUSED> {
        Lanes::load(&self.0.map(|value| value as f32))
    }
}
