//! What the CPU kernels share: a register tile of products, dot products, and how a loop is
//! compiled for the instruction set at hand. Plain Rust that LLVM vectorises: SIMD128 in wasm, AVX2
//! with FMA on x86-64 where it is found at run time, NEON on aarch64.

/// Rows and columns of the register tile: accumulators fill the vector registers but a few.
#[cfg(target_arch = "x86_64")]
const TILE: (usize, usize) = (6, 16);
#[cfg(not(target_arch = "x86_64"))]
const TILE: (usize, usize) = (4, 8);
/// Rows of the register tile.
pub const TILE_ROWS: usize = TILE.0;
/// Columns of the register tile.
pub const TILE_COLUMNS: usize = TILE.1;

/// Defines `$name`, which runs `portable::$name::<FUSED>`, the same loop written once, through the
/// best instruction set of the machine. `FUSED` says whether `a * b + c` is one instruction there.
macro_rules! vectorised {
    ($name:ident($($argument:ident: $type:ty),*)) => {
        #[cfg(target_arch = "x86_64")]
        fn $name($($argument: $type),*) {
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($argument: $type),*) {
                portable::$name::<true>($($argument),*)
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                // SAFETY: the two features that `avx2` is compiled for were just detected.
                unsafe { avx2($($argument),*) }
            } else {
                portable::$name::<false>($($argument),*)
            }
        }

        // The target's baseline already has all the vector instructions that are used.
        #[cfg(not(target_arch = "x86_64"))]
        fn $name($($argument: $type),*) {
            portable::$name::<{ cfg!(target_arch = "aarch64") }>($($argument),*)
        }
    };
}
pub(super) use vectorised;

/// `a * b + c`, fused where the instruction set has it.
#[inline(always)]
pub fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// `sums += tileᵀ · weights`: `[depth, TILE_ROWS]` and `[depth, TILE_COLUMNS]` give
/// `[TILE_ROWS, TILE_COLUMNS]`, held in registers all along.
#[inline(always)]
pub fn add_tile<const FUSED: bool>(tile: &[f32], weights: &[f32], sums: &mut [f32]) {
    let mut registers = [[0.0_f32; TILE_COLUMNS]; TILE_ROWS];
    for (register, sums) in registers.iter_mut().zip(sums.chunks_exact(TILE_COLUMNS)) {
        register.copy_from_slice(sums);
    }
    let inputs = tile.chunks_exact(TILE_ROWS);
    for (input, weight) in inputs.zip(weights.chunks_exact(TILE_COLUMNS)) {
        for row in 0..TILE_ROWS {
            for column in 0..TILE_COLUMNS {
                registers[row][column] =
                    multiply_add::<FUSED>(input[row], weight[column], registers[row][column]);
            }
        }
    }
    for (register, sums) in registers.iter().zip(sums.chunks_exact_mut(TILE_COLUMNS)) {
        sums.copy_from_slice(register);
    }
}

/// Independent sums of a dot product, enough to hide the latency of the additions.
const LANES: usize = 16;

/// A dot product.
#[inline(always)]
pub fn dot<const FUSED: bool>(left: &[f32], right: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (left, right) = (left.chunks_exact(LANES), right.chunks_exact(LANES));
    let tail = left.remainder().iter().zip(right.remainder());
    let tail: f32 = tail.map(|(a, b)| a * b).sum();
    for (left, right) in left.zip(right) {
        for lane in 0..LANES {
            lanes[lane] = multiply_add::<FUSED>(left[lane], right[lane], lanes[lane]);
        }
    }
    lanes.iter().sum::<f32>() + tail
}

/// Rearranges rows of `columns` into tiles of [`TILE_ROWS`], each `[columns, TILE_ROWS]`,
/// zero-padded at the end.
pub fn pack_rows(rows: &[f32], columns: usize) -> Vec<f32> {
    let count = rows.len() / columns;
    let mut tiles = vec![0.0; count.next_multiple_of(TILE_ROWS) * columns];
    let packed = tiles.chunks_exact_mut(TILE_ROWS * columns);
    for (rows, tile) in rows.chunks(TILE_ROWS * columns).zip(packed) {
        for (lane, row) in rows.chunks_exact(columns).enumerate() {
            for (slot, value) in tile.chunks_exact_mut(TILE_ROWS).zip(row) {
                slot[lane] = *value;
            }
        }
    }
    tiles
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
