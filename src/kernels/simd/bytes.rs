//! Products of bytes: weights of 8 or 4 bits, with a sign, times inputs of 8. What machines have for them
//! differs in speed and in what it takes, so it is found at run time.
//!
//! | Machine | Instruction | Inputs |
//! |---|---|---|
//! | x86-64 with AVX-512 VNNI or AVX-VNNI | `vpdpbusd`: four products added to 32 bits | without a sign |
//! | x86-64 with AVX2 | `vpmaddubsw`: two added in 16 bits, which is enough for a block of 4-bit weights | without |
//! | aarch64 with dotprod (Apple's M1, Cortex-A76 and newer) | `sdot`: four products added to 32 bits | with a sign |
//! | a browser with relaxed SIMD | either, as its machine has it | without a sign, on ARM with one |
//!
//! Two products of 8-bit weights overflow 16 bits, so that without the first instruction they are better
//! off with inputs of 16 ([`super::Shorts`]): to widen sums twice costs what it saves.

use super::{Ints, LANES, Shorts};

/// Inputs as bytes: the whole numbers from 0 on, or with a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// The largest of them, less the least.
    pub largest: u8,
    /// What is taken away from all.
    pub zero: u8,
}

impl Levels {
    /// What `vpdpbusd` and `vpmaddubsw` take.
    pub const UNSIGNED: Self = Self {
        largest: 255,
        zero: 0,
    };
    /// What ARM's `sdot` takes.
    #[cfg(any(test, not(target_arch = "x86_64")))]
    pub const SIGNED: Self = Self {
        largest: 255,
        zero: 128,
    };
    /// What all take.
    #[cfg(any(test, target_arch = "wasm32"))]
    pub const SEVEN_BITS: Self = Self {
        largest: 127,
        zero: 0,
    };
}

/// How bytes are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dots {
    /// AVX-512 VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX-VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx,
    /// Pairs in 16 bits, for weights of 4 bits: AVX2.
    #[cfg(target_arch = "x86_64")]
    Pairs,
    /// aarch64's dot product of four, in 32 bits.
    #[cfg(target_arch = "aarch64")]
    Quads,
    /// Relaxed SIMD's dot product of four, in 32 bits.
    #[cfg(all(target_arch = "wasm32", feature = "relaxed-simd"))]
    Quads(Levels),
    /// Pairs in 16 bits, for weights of 4 bits: relaxed SIMD.
    #[cfg(all(target_arch = "wasm32", feature = "relaxed-simd"))]
    Pairs(Levels),
}

/// The sums of products that a vector holds.
pub trait Sums: Copy {
    /// None yet.
    const ZERO: Self;

    /// Adds the products of weights with inputs, each in the place of four neighbours.
    fn add_dots(self, weights: Shorts<true>, inputs: Shorts<true>) -> Self;

    /// Of four neighbours each.
    fn total(self) -> Ints<true>;
}

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx, Avx512, Pairs};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    use std::arch::x86_64::*;

    impl Dots {
        /// The best way for weights of 4 bits, if `is_narrow`, or of 8, `of_pairs` if it has to be one of
        /// those; `None` if inputs of 16 bits are no slower.
        pub fn find(is_narrow: bool, of_pairs: bool) -> Option<Self> {
            let fused = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if fused && !of_pairs {
                if is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512vl") {
                    return Some(Self::Avx512);
                }
                if is_x86_feature_detected!("avxvnni") {
                    return Some(Self::Avx);
                }
            }
            (fused && is_narrow).then_some(Self::Pairs)
        }

        pub fn levels(self) -> Levels {
            Levels::UNSIGNED
        }
    }

    /// See [`Dots::Avx512`].
    #[derive(Clone, Copy)]
    pub struct Avx512(Ints<true>);

    /// See [`Dots::Avx`].
    #[derive(Clone, Copy)]
    pub struct Avx(Ints<true>);

    /// See [`Dots::Pairs`].
    #[derive(Clone, Copy)]
    pub struct Pairs(Shorts<true>);

    impl Sums for Avx512 {
        const ZERO: Self = Self(Ints::ZERO);

        #[inline(always)]
        fn add_dots(self, weights: Shorts<true>, inputs: Shorts<true>) -> Self {
            // SAFETY: only functions compiled for the feature use this type, where it was detected.
            let sum = unsafe { _mm256_dpbusd_epi32(self.0.0, inputs.0, weights.0) };
            Self(Ints(sum))
        }

        #[inline(always)]
        fn total(self) -> Ints<true> {
            self.0
        }
    }

    impl Sums for Avx {
        const ZERO: Self = Self(Ints::ZERO);

        #[inline(always)]
        fn add_dots(self, weights: Shorts<true>, inputs: Shorts<true>) -> Self {
            // SAFETY: as above.
            let sum = unsafe { _mm256_dpbusd_avx_epi32(self.0.0, inputs.0, weights.0) };
            Self(Ints(sum))
        }

        #[inline(always)]
        fn total(self) -> Ints<true> {
            self.0
        }
    }

    impl Sums for Pairs {
        const ZERO: Self = Self(Shorts::ZERO);

        /// A block's pairs do not overflow: 8 of them, each of at most 2 * 8 * 255.
        #[inline(always)]
        fn add_dots(self, weights: Shorts<true>, inputs: Shorts<true>) -> Self {
            // SAFETY: as above.
            let sum = unsafe {
                let pairs = _mm256_maddubs_epi16(inputs.0, weights.0);
                _mm256_add_epi16(self.0.0, pairs)
            };
            Self(Shorts(sum))
        }

        #[inline(always)]
        fn total(self) -> Ints<true> {
            self.0.dot(Shorts::splat([1, 1]))
        }
    }
}

#[cfg(target_arch = "x86_64")]
/// What every machine has that has any.
pub use Pairs as Plain;

#[cfg(target_arch = "aarch64")]
pub use neon::Quads as Plain;

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::*;
    use std::arch::asm;

    impl Dots {
        /// See x86-64's.
        pub fn find(_is_narrow: bool, of_pairs: bool) -> Option<Self> {
            let dots = !of_pairs && std::arch::is_aarch64_feature_detected!("dotprod");
            dots.then_some(Self::Quads)
        }

        pub fn levels(self) -> Levels {
            Levels::SIGNED
        }
    }

    /// See [`Dots::Quads`].
    #[derive(Clone, Copy)]
    pub struct Quads(Ints<true>);

    impl Sums for Quads {
        const ZERO: Self = Self(Ints::ZERO);

        #[inline(always)]
        fn add_dots(self, weights: Shorts<true>, inputs: Shorts<true>) -> Self {
            let mut sum = self.0.0;
            // Rust's own name for the instruction is not stable yet.
            // SAFETY: only functions compiled for the feature use this type, where it was detected.
            unsafe {
                asm!(
                    "sdot {sum:v}.4s, {weights:v}.16b, {inputs:v}.16b",
                    sum = inout(vreg) sum,
                    weights = in(vreg) weights.0,
                    inputs = in(vreg) inputs.0,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
            Self(Ints(sum))
        }

        #[inline(always)]
        fn total(self) -> Ints<true> {
            self.0
        }
    }
}

#[cfg(all(target_arch = "wasm32", feature = "relaxed-simd"))]
pub use wasm::{Pairs, Pairs as Plain, Quads};

#[cfg(all(target_arch = "wasm32", feature = "relaxed-simd"))]
mod wasm {
    use super::*;
    use std::arch::wasm32::*;
    use std::hint::black_box;
    use std::sync::OnceLock;

    impl Dots {
        /// See x86-64's.
        pub fn find(is_narrow: bool, of_pairs: bool) -> Option<Self> {
            static FOUND: OnceLock<(Levels, Levels)> = OnceLock::new();
            let (quads, pairs) = *FOUND.get_or_init(|| (probe_quads(), probe_pairs()));
            let is_slow = quads == Levels::SEVEN_BITS || of_pairs;
            match (is_slow, is_narrow) {
                (false, _) => Some(Self::Quads(quads)),
                (true, true) => Some(Self::Pairs(pairs)),
                (true, false) => None,
            }
        }

        pub fn levels(self) -> Levels {
            match self {
                Self::Quads(levels) | Self::Pairs(levels) => levels,
            }
        }
    }

    /// Of inputs of eight bits without and with a sign, those that come out exactly. What multiplies them
    /// exactly does so in one instruction; the others add up pairs in 16 bits, where these overflow.
    fn probe_quads() -> Levels {
        let weights = black_box(i8x16_splat(127));
        let inputs = black_box(u8x16_splat(255));
        let sums = i32x4_relaxed_dot_i8x16_i7x16_add(weights, inputs, i32x4_splat(0));
        level_of(i32x4_extract_lane::<0>(sums), 4 * 127)
    }

    /// The same of weights of 4 bits and pairs.
    fn probe_pairs() -> Levels {
        let weights = black_box(i8x16_splat(-8));
        let inputs = black_box(u8x16_splat(255));
        let sums = i16x8_relaxed_dot_i8x16_i7x16(weights, inputs);
        level_of(i16x8_extract_lane::<0>(sums).into(), 2 * -8)
    }

    /// `sum` is of products with 255, which with a sign is -1.
    fn level_of(sum: i32, weights: i32) -> Levels {
        match sum {
            sum if sum == 255 * weights => Levels::UNSIGNED,
            sum if sum == -weights => Levels::SIGNED,
            _ => Levels::SEVEN_BITS,
        }
    }

    /// See [`Dots::Quads`].
    #[derive(Clone, Copy)]
    pub struct Quads(Ints<true>);

    /// See [`Dots::Pairs`].
    #[derive(Clone, Copy)]
    pub struct Pairs(Shorts<true>);

    impl Sums for Quads {
        const ZERO: Self = Self(Ints::ZERO);

        #[inline(always)]
        fn add_dots(self, weights: Shorts<true>, inputs: Shorts<true>) -> Self {
            let sum = i32x4_relaxed_dot_i8x16_i7x16_add(weights.0, inputs.0, self.0.0);
            Self(Ints(sum))
        }

        #[inline(always)]
        fn total(self) -> Ints<true> {
            self.0
        }
    }

    impl Sums for Pairs {
        const ZERO: Self = Self(Shorts::ZERO);

        /// See x86-64's.
        #[inline(always)]
        fn add_dots(self, weights: Shorts<true>, inputs: Shorts<true>) -> Self {
            let pairs = i16x8_relaxed_dot_i8x16_i7x16(weights.0, inputs.0);
            Self(Shorts(i16x8_add(self.0.0, pairs)))
        }

        #[inline(always)]
        fn total(self) -> Ints<true> {
            self.0.dot(Shorts::splat([1, 1]))
        }
    }
}

/// Four bytes in all lanes.
#[inline(always)]
pub fn splat_quad(quad: [u8; 4]) -> Shorts<true> {
    Shorts::splat(bytemuck::cast(quad))
}

/// So many bytes in one vector.
pub const BYTES: usize = 4 * LANES;
