//! Vector registers of 16-bit integers and of the 32-bit sums of their products.

#[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
pub use arrays::{Ints, Shorts};
#[cfg(target_arch = "wasm32")]
pub use wasm::{Ints, Shorts};
#[cfg(target_arch = "x86_64")]
pub use x86::{Ints, Shorts};

#[cfg(not(target_arch = "wasm32"))]
use super::LANES;
#[cfg(not(target_arch = "wasm32"))]
use std::array::from_fn;

/// What takes and gives registers, for instructions that are used elsewhere.
#[cfg(any(target_arch = "wasm32", target_arch = "x86_64"))]
macro_rules! registers {
    ($register:ty: $($vector:ident),*) => {$(
        impl<const FUSED: bool> From<$register> for $vector<FUSED> {
            #[inline(always)]
            fn from(register: $register) -> Self {
                Self(register)
            }
        }

        impl<const FUSED: bool> From<$vector<FUSED>> for $register {
            #[inline(always)]
            fn from(vector: $vector<FUSED>) -> Self {
                vector.0
            }
        }
    )*};
}
#[cfg(any(target_arch = "wasm32", target_arch = "x86_64"))]
use registers;

#[cfg(target_arch = "wasm32")]
mod wasm {
    use crate::kernels::simd::{LANES, Lanes};
    use std::arch::wasm32::*;

    #[derive(Clone, Copy)]
    pub struct Shorts<const FUSED: bool>(v128);

    #[derive(Clone, Copy)]
    pub struct Ints<const FUSED: bool>(v128);

    super::registers!(v128: Shorts, Ints);

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
            Lanes::from(f32x4_convert_i32x4(self.0))
        }
    }
}

/// The first pairs of all rows, the second ones, and so on.
#[cfg(not(target_arch = "wasm32"))]
#[inline(always)]
fn transposed<const N: usize>(rows: [[i16; N]; LANES]) -> [[i16; N]; LANES] {
    from_fn(|pair| from_fn(|place| rows[place / 2][2 * pair + place % 2]))
}

/// See [`Lanes`](super::Lanes) for `FUSED` and what makes the calls safe.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use crate::kernels::simd::{LANES, Lanes};
    use std::arch::x86_64::*;
    use std::array::from_fn;
    use std::mem::transmute;

    #[derive(Clone, Copy)]
    pub struct Shorts<const FUSED: bool>(__m256i);

    #[derive(Clone, Copy)]
    pub struct Ints<const FUSED: bool>(__m256i);

    super::registers!(__m256i: Shorts, Ints);

    impl<const FUSED: bool> Shorts<FUSED> {
        // SAFETY: both are sixteen integers, and any bits are valid in both.
        pub const ZERO: Self =
            Self(unsafe { transmute::<[i16; 2 * LANES], __m256i>([0; 2 * LANES]) });

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
                        let (low, high) =
                            (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
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
                return Lanes::from(unsafe { _mm256_cvtepi32_ps(self.0) });
            }
            Lanes::load(&self.to_array().map(|value| value as f32))
        }
    }
}

#[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
mod arrays {
    use crate::kernels::simd::{LANES, Lanes};
    use std::array::from_fn;

    #[derive(Clone, Copy)]
    pub struct Shorts<const FUSED: bool>([i16; 2 * LANES]);

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
}
