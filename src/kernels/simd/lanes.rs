//! A vector register of floats, and the few operations on it that the kernels are made of. They are
//! the instructions themselves where it matters: left alone, the compiler makes single numbers of
//! arrays, and has no name for wasm's fused multiplication.

#[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
pub use arrays::Lanes;
#[cfg(target_arch = "wasm32")]
pub use wasm::Lanes;
#[cfg(target_arch = "x86_64")]
pub use x86::Lanes;

/// Floats of a [`Lanes`].
#[cfg(target_arch = "x86_64")]
pub const LANES: usize = 8;
/// Floats of a [`Lanes`].
#[cfg(not(target_arch = "x86_64"))]
pub const LANES: usize = 4;

/// The largest of so many values without their signs; not finite if one of them is not.
#[cfg(not(target_arch = "wasm32"))]
#[inline(always)]
fn largest<const N: usize>(values: &[f32; N]) -> f32 {
    // Without its sign, the bits of a larger number are a larger number, and those of no number the largest.
    let mut largest = [0_u32; LANES];
    for values in values.as_chunks::<LANES>().0 {
        largest =
            std::array::from_fn(|lane| largest[lane].max(f32::to_bits(values[lane]) & 0x7fff_ffff));
    }
    f32::from_bits(largest.into_iter().fold(0, u32::max))
}

/// SIMD128; with `FUSED` its relaxed instructions, too.
#[cfg(target_arch = "wasm32")]
mod wasm {
    use super::LANES;
    use std::arch::wasm32::*;

    #[derive(Clone, Copy)]
    pub struct Lanes<const FUSED: bool>(v128);

    impl<const FUSED: bool> From<v128> for Lanes<FUSED> {
        #[inline(always)]
        fn from(floats: v128) -> Self {
            Self(floats)
        }
    }

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
            let mut largest = f32x4_splat(0.0);
            for values in values.as_chunks().0 {
                largest = f32x4_max(largest, f32x4_abs(Self::load(values).0));
            }
            let [a, b, c, d] = Self(largest).to_array();
            let larger = |a: f32, b: f32| if a > b || a.is_nan() { a } else { b };
            larger(larger(a, b), larger(c, d))
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
}

/// With `FUSED`, AVX2 and FMA; else whatever the compiler makes of it, for processors from before 2013.
///
/// `FUSED` is only true within functions that are compiled for these instructions, as
/// [`vectorised`](super::vectorised) sees to: that is what makes the calls below safe.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::LANES;
    use std::arch::x86_64::*;
    use std::mem::transmute;

    #[derive(Clone, Copy)]
    pub struct Lanes<const FUSED: bool>(__m256);

    impl<const FUSED: bool> From<__m256> for Lanes<FUSED> {
        #[inline(always)]
        fn from(floats: __m256) -> Self {
            Self(floats)
        }
    }

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
                // SAFETY: both are eight integers; and see `FUSED` above.
                return Self(unsafe {
                    _mm256_cvtph_ps(transmute::<[u16; LANES], __m128i>(*halves))
                });
            }
            Self::load(&halves.map(super::super::widen_half))
        }

        #[inline(always)]
        pub fn to_array(self) -> [f32; LANES] {
            // SAFETY: both are eight floats, and any bits are valid in both.
            unsafe { transmute::<__m256, [f32; LANES]>(self.0) }
        }

        #[inline(always)]
        fn zip(self, other: Self, operation: impl Fn(f32, f32) -> f32) -> Self {
            let (left, right) = (self.to_array(), other.to_array());
            Self::load(&std::array::from_fn(|lane| {
                operation(left[lane], right[lane])
            }))
        }

        #[inline(always)]
        pub fn add(self, other: Self) -> Self {
            if FUSED {
                // SAFETY: see `FUSED` above.
                return Self(unsafe { _mm256_add_ps(self.0, other.0) });
            }
            self.zip(other, |a, b| a + b)
        }

        #[inline(always)]
        pub fn mul(self, other: Self) -> Self {
            if FUSED {
                // SAFETY: see `FUSED` above.
                return Self(unsafe { _mm256_mul_ps(self.0, other.0) });
            }
            self.zip(other, |a, b| a * b)
        }

        /// `self * factor + summand`.
        #[inline(always)]
        pub fn multiply_add(self, factor: Self, summand: Self) -> Self {
            if FUSED {
                // SAFETY: see `FUSED` above.
                return Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, summand.0) });
            }
            self.mul(factor).add(summand)
        }

        /// The largest of so many values without their signs; not finite if one of them is not.
        #[inline(always)]
        pub fn largest<const N: usize>(values: &[f32; N]) -> f32 {
            super::largest(values)
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
                // SAFETY: see `FUSED` above; the last two are four floats.
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
}

/// Arrays, which the compiler keeps in whatever registers there are.
#[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
mod arrays {
    use super::LANES;
    use std::array::from_fn;

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
            Self(halves.map(super::super::widen_half))
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
                super::super::multiply_add::<FUSED>(self.0[lane], factor.0[lane], summand.0[lane])
            }))
        }

        /// The largest of so many values without their signs; not finite if one of them is not.
        #[inline(always)]
        pub fn largest<const N: usize>(values: &[f32; N]) -> f32 {
            super::largest(values)
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
}
