//! What the CPU kernels share: vectors, a register tile of products, dot products, and how a loop is
//! compiled for the instruction set at hand: SIMD128 in wasm, AVX2 with FMA on x86-64 where it is
//! found at run time, NEON on aarch64.
//!
//! A machine's file has its vector registers of floats ([`Lanes`]), of 16-bit integers ([`Shorts`]) and of the
//! sums of their products ([`Ints`]), and the few operations that the kernels are made of. They are
//! the instructions themselves where it matters: left alone, the compiler makes single numbers of
//! arrays, and has no name for wasm's fused multiplication.

// Where machines have products of bytes.
#[cfg(any(
    target_arch = "aarch64",
    target_arch = "x86_64",
    all(target_arch = "wasm32", feature = "relaxed-simd")
))]
pub mod bytes;
#[cfg_attr(target_arch = "aarch64", path = "neon.rs")]
#[cfg_attr(target_arch = "wasm32", path = "wasm.rs")]
#[cfg_attr(target_arch = "x86_64", path = "x86.rs")]
#[cfg_attr(
    not(any(
        target_arch = "aarch64",
        target_arch = "wasm32",
        target_arch = "x86_64"
    )),
    path = "arrays.rs"
)]
mod machine;
mod output;
mod tile;

pub use machine::{Ints, Lanes, Shorts};
pub use output::Output;
pub use tile::{Step, TILE_COLUMNS, TILE_ROWS, TileSums, add_tile, add_tile_apart};

/// Floats of a [`Lanes`].
#[cfg(target_arch = "x86_64")]
pub const LANES: usize = 8;
/// Floats of a [`Lanes`].
#[cfg(not(target_arch = "x86_64"))]
pub const LANES: usize = 4;

/// Added to a number of up to 22 bits it leaves the nearest integer in the lowest bits.
pub const ROUNDING: f32 = 12_582_912.0; // 1.5 * 2^23

/// Defines `$name`, which runs `portable::$name::<FUSED>`, the same loop written once, through the
/// best instruction set of the machine. `FUSED` says whether `a * b + c` is one instruction there.
macro_rules! vectorised {
    ($visibility:vis $name:ident($($argument:ident: $type:ty),*)) => {
        #[cfg(target_arch = "x86_64")]
        $visibility fn $name($($argument: $type),*) {
            #[target_feature(enable = "avx2,fma,f16c")]
            fn avx2($($argument: $type),*) {
                portable::$name::<true>($($argument),*)
            }
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c")
            {
                // SAFETY: the features that `avx2` is compiled for were just detected.
                unsafe { avx2($($argument),*) }
            } else {
                portable::$name::<false>($($argument),*)
            }
        }

        // The target's baseline already has all the vector instructions that are used.
        #[cfg(not(target_arch = "x86_64"))]
        #[inline(never)]
        $visibility fn $name($($argument: $type),*) {
            #[cfg(all(target_arch = "wasm32", feature = "relaxed-simd"))]
            {
                #[target_feature(enable = "relaxed-simd")]
                fn relaxed($($argument: $type),*) {
                    portable::$name::<true>($($argument),*)
                }
                relaxed($($argument),*)
            }
            #[cfg(not(all(target_arch = "wasm32", feature = "relaxed-simd")))]
            portable::$name::<{ cfg!(target_arch = "aarch64") }>($($argument),*)
        }
    };
}
pub(super) use vectorised;

/// `a * b + c`, fused where the instruction set has it.
#[inline(always)]
pub fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    // wasm's only fused multiplication is one of vectors: here it would be a call.
    if FUSED && !cfg!(target_arch = "wasm32") {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}

/// Half precision to single without a branch, so that loops vectorise.
#[cfg(not(target_arch = "wasm32"))]
#[inline(always)]
pub fn widen_half(half: u16) -> f32 {
    let half = u32::from(half);
    let moved = f32::from_bits((half & 0x7fff) << 13) * f32::from_bits((127 + 112) << 23);
    let special = if moved >= 65_536.0 { 0x7f80_0000 } else { 0 };
    f32::from_bits(moved.to_bits() | special | (half & 0x8000) << 16)
}

/// The largest of so many values without their signs; not finite if one of them is not.
#[cfg(not(target_arch = "wasm32"))]
#[inline(always)]
fn largest_of<const N: usize>(values: &[f32; N]) -> f32 {
    // Without its sign, the bits of a larger number are a larger number, and those of no number the largest.
    let mut largest = [0_u32; LANES];
    for values in values.as_chunks::<LANES>().0 {
        largest =
            std::array::from_fn(|lane| largest[lane].max(f32::to_bits(values[lane]) & 0x7fff_ffff));
    }
    f32::from_bits(largest.into_iter().fold(0, u32::max))
}

/// The first pairs of all rows, the second ones, and so on.
#[cfg(not(any(target_arch = "aarch64", target_arch = "wasm32")))]
#[inline(always)]
fn transposed<const N: usize>(rows: [[i16; N]; LANES]) -> [[i16; N]; LANES] {
    use std::array::from_fn;
    from_fn(|pair| from_fn(|place| rows[place / 2][2 * pair + place % 2]))
}

/// A dot product.
#[inline(always)]
pub fn dot<const FUSED: bool>(left: &[f32], right: &[f32]) -> f32 {
    dot_with(left, right, Lanes::<FUSED>::load)
}

/// A dot product with what `load` makes of `right`.
#[inline(always)]
pub fn dot_with<const FUSED: bool, T: Copy + Default>(
    left: &[f32],
    right: &[T],
    load: impl Fn(&[T; LANES]) -> Lanes<FUSED>,
) -> f32 {
    assert_eq!(left.len(), right.len(), "lengths of a dot product's sides");
    let ((left, left_tail), (right, right_tail)) = (left.as_chunks(), right.as_chunks());
    let add = |left: &[f32; LANES], right: &[T; LANES], sum| {
        Lanes::load(left).multiply_add(load(right), sum)
    };
    // Four sums hide the latency of the additions.
    let mut sums = [Lanes::splat(0.0); 4];
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<4>(), right.as_chunks::<4>());
    for ([a, b, c, d], [e, f, g, h]) in left.iter().zip(right) {
        let [i, j, k, l] = sums;
        sums = [add(a, e, i), add(b, f, j), add(c, g, k), add(d, h, l)];
    }
    for (left, right) in left_rest.iter().zip(right_rest) {
        sums[0] = add(left, right, sums[0]);
    }
    if !left_tail.is_empty() {
        let (mut left, mut right) = ([0.0; LANES], [T::default(); LANES]);
        left[..left_tail.len()].copy_from_slice(left_tail);
        right[..right_tail.len()].copy_from_slice(right_tail);
        sums[0] = add(&left, &right, sums[0]);
    }
    let [a, b, c, d] = sums;
    a.add(b).add(c.add(d)).sum()
}

/// Threads that [`for_each`] may use.
pub fn thread_count() -> usize {
    #[cfg(feature = "threads")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "threads"))]
    1
}

/// Calls `work` for each of `0..count`, on all cores where there are threads. What `start` makes is
/// handed from call to call.
pub fn for_each<S>(
    count: usize,
    start: impl Fn() -> S + Send + Sync,
    work: impl Fn(&mut S, usize) + Send + Sync,
) {
    #[cfg(feature = "threads")]
    {
        use rayon::prelude::*;
        (0..count).into_par_iter().for_each_init(start, work);
    }
    #[cfg(not(feature = "threads"))]
    {
        let mut state = start();
        (0..count).for_each(|index| work(&mut state, index));
    }
}

/// Calls `work(index, chunk)` for every chunk, on all cores where there are threads.
pub fn for_each_chunk(
    values: &mut [f32],
    length: usize,
    work: impl Fn(usize, &mut [f32]) + Send + Sync,
) {
    #[cfg(feature = "threads")]
    {
        use rayon::prelude::*;
        let chunks = values.par_chunks_mut(length).enumerate();
        chunks.for_each(|(index, chunk)| work(index, chunk));
    }
    #[cfg(not(feature = "threads"))]
    for (index, chunk) in values.chunks_mut(length).enumerate() {
        work(index, chunk);
    }
}
