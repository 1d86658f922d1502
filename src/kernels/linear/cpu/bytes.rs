//! Many rows, weights in quantized blocks, inputs of 8 bits: the same register tile as for 16 bits
//! ([`super::integers`]), where the machine multiplies bytes faster.
//!
//! An input is `low + scale * byte`, with both of its row and block. The sum of its products is that of
//! the bytes, times the scales of both sides, and `low` times the sum of the weights.

mod rounding;

use super::columns::StoredColumns;
use super::job::Job;
use crate::kernels::PackedFormat;
use crate::kernels::layout::BLOCK;
use crate::kernels::simd::bytes::{BYTES, Dots, Levels, Plain, Sums, splat_quad};
use crate::kernels::simd::{LANES, Lanes, Output, Shorts, for_each};
use rounding::round_to_bytes;

/// See [`super::integers`].
const TILE_ROWS: usize = 4;
const VECTORS: usize = 2;
const TILE_COLUMNS: usize = VECTORS * LANES;
const TILES: usize = 4;
const PANEL: usize = TILES * TILE_COLUMNS;

/// Neighbours along the depth, whose products are added up first.
const QUADS: usize = BLOCK / 4;
/// Vectors that a column's block fills.
const PARTS: usize = BLOCK / BYTES;

/// A block of some rows of the input.
#[derive(Clone, Copy, Default)]
#[repr(align(16))]
struct Inputs {
    quads: [[[u8; 4]; TILE_ROWS]; QUADS],
    scales: [f32; TILE_ROWS],
    lows: [f32; TILE_ROWS],
}

/// A block of some columns of weights.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Weights {
    quads: [[[i16; 2 * LANES]; VECTORS]; QUADS],
    scales: [[f32; LANES]; VECTORS],
    /// The sums of the weights.
    sums: [[f32; LANES]; VECTORS],
}

impl Weights {
    const ZERO: Self = Self {
        quads: [[[0; 2 * LANES]; VECTORS]; QUADS],
        scales: [[0.0; LANES]; VECTORS],
        sums: [[0.0; LANES]; VECTORS],
    };
}

/// What a tile gives.
type Products = [[[f32; LANES]; VECTORS]; TILE_ROWS];

/// What one thread works on, panel after panel.
struct Scratch {
    weights: Vec<Weights>,
    values: Vec<[f32; PANEL]>,
}

/// How bytes are multiplied where weights are in this format, if that is the faster way.
fn dots(format: PackedFormat) -> Option<Dots> {
    let of_pairs = crate::kernels::linear::pretends_pairs();
    match format {
        PackedFormat::Q8 => Dots::find(false, of_pairs),
        PackedFormat::Q4 => Dots::find(true, of_pairs),
        PackedFormat::F32 | PackedFormat::F16 => None,
    }
}

/// See [`crate::kernels::linear::fast_levels`].
pub fn levels(format: PackedFormat) -> Option<u8> {
    dots(format).map(|dots| dots.levels().largest)
}

/// Computes the layer, if bytes are faster here and its input can be turned into such.
pub fn many_rows(job: &Job, input: &[f32], output: &Output) -> bool {
    dots(job.shape.format).is_some_and(|dots| multiply(job, dots, input, output))
}

fn multiply(job: &Job, dots: Dots, input: &[f32], output: &Output) -> bool {
    let blocks = job.shape.blocks_per_row();
    let mut inputs = vec![Inputs::default(); job.rows.div_ceil(TILE_ROWS) * blocks];
    let mut is_finite = true;
    pack(input, blocks, dots.levels(), &mut inputs, &mut is_finite);
    if !is_finite {
        return false;
    }
    let start = || Scratch {
        weights: vec![Weights::ZERO; TILES * blocks],
        values: vec![[0.0; PANEL]; job.rows.next_multiple_of(TILE_ROWS)],
    };
    for_each(job.shape.rows.div_ceil(PANEL), start, |scratch, panel| {
        let first = panel * PANEL;
        arrange_panel(job, first, &mut scratch.weights);
        let tiles = (job.shape.rows - first).div_ceil(TILE_COLUMNS).min(TILES);
        let rows = inputs.chunks_exact(blocks);
        for (inputs, values) in rows.zip(scratch.values.chunks_exact_mut(TILE_ROWS)) {
            let weights = scratch.weights.chunks_exact(blocks).take(tiles);
            for (tile, weights) in weights.enumerate() {
                let mut sums = Products::default();
                multiply_tile(dots, inputs, weights, &mut sums);
                for (values, sums) in values.iter_mut().zip(&sums) {
                    values[tile * TILE_COLUMNS..][..TILE_COLUMNS]
                        .copy_from_slice(sums.as_flattened());
                }
            }
        }
        write_panel(job, first, &mut scratch.values, output);
    });
    true
}

/// Defines a function that runs `portable`'s of the same name by instructions that [`Dots::find`] has
/// detected, whatever it found.
macro_rules! detected {
    ($name:ident($($argument:ident: $type:ty),*)) => {
        fn $name($($argument: $type),*) {
            #[cfg_attr(target_arch = "aarch64", target_feature(enable = "dotprod"))]
            #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2,fma"))]
            #[cfg_attr(target_arch = "wasm32", target_feature(enable = "relaxed-simd"))]
            #[inline(never)]
            fn best($($argument: $type),*) {
                portable::$name($($argument),*)
            }
            // SAFETY: without these features there are no `Dots`, and nobody calls this.
            #[cfg_attr(target_arch = "wasm32", expect(unused_unsafe, reason = "wasm checks a file as a whole"))]
            unsafe {
                best($($argument),*)
            }
        }
    };
}

detected!(pack(input: &[f32], blocks: usize, levels: Levels, inputs: &mut [Inputs], is_finite: &mut bool));
detected!(arrange_panel(job: &Job, first: usize, weights: &mut [Weights]));
detected!(write_panel(job: &Job, first: usize, values: &mut [[f32; PANEL]], output: &Output));

/// [`tile`] by the instructions at hand: a function for each.
#[cfg(target_arch = "x86_64")]
fn multiply_tile(dots: Dots, inputs: &[Inputs], weights: &[Weights], sums: &mut Products) {
    use crate::kernels::simd::bytes::{Avx, Avx512, Pairs};

    #[target_feature(enable = "avx2,fma,avx512vnni,avx512vl")]
    fn avx512(inputs: &[Inputs], weights: &[Weights], sums: &mut Products) {
        tile::<Avx512>(inputs, weights, sums);
    }
    #[target_feature(enable = "avx2,fma,avxvnni")]
    fn avx(inputs: &[Inputs], weights: &[Weights], sums: &mut Products) {
        tile::<Avx>(inputs, weights, sums);
    }
    #[target_feature(enable = "avx2,fma")]
    fn pairs(inputs: &[Inputs], weights: &[Weights], sums: &mut Products) {
        tile::<Pairs>(inputs, weights, sums);
    }
    // SAFETY: `Dots::find` has detected the features that each is compiled for.
    unsafe {
        match dots {
            Dots::Avx512 => avx512(inputs, weights, sums),
            Dots::Avx => avx(inputs, weights, sums),
            Dots::Pairs => pairs(inputs, weights, sums),
        }
    }
}

/// See x86-64's.
#[cfg(target_arch = "aarch64")]
fn multiply_tile(Dots::Quads: Dots, inputs: &[Inputs], weights: &[Weights], sums: &mut Products) {
    #[target_feature(enable = "dotprod")]
    fn quads(inputs: &[Inputs], weights: &[Weights], sums: &mut Products) {
        tile::<Plain>(inputs, weights, sums);
    }
    // SAFETY: `Dots::find` has detected the feature.
    unsafe { quads(inputs, weights, sums) }
}

/// See x86-64's.
#[cfg(target_arch = "wasm32")]
fn multiply_tile(dots: Dots, inputs: &[Inputs], weights: &[Weights], sums: &mut Products) {
    use crate::kernels::simd::bytes::{Pairs, Quads};

    #[inline(never)]
    #[target_feature(enable = "relaxed-simd")]
    fn quads(inputs: &[Inputs], weights: &[Weights], sums: &mut Products) {
        tile::<Quads>(inputs, weights, sums);
    }
    #[inline(never)]
    #[target_feature(enable = "relaxed-simd")]
    fn pairs(inputs: &[Inputs], weights: &[Weights], sums: &mut Products) {
        tile::<Pairs>(inputs, weights, sums);
    }
    match dots {
        Dots::Quads(_) => quads(inputs, weights, sums),
        Dots::Pairs(_) => pairs(inputs, weights, sums),
    }
}

/// `inputs · weightsᵀ`.
#[inline(always)]
fn tile<S: Sums>(inputs: &[Inputs], weights: &[Weights], sums: &mut Products) {
    for (inputs, weights) in inputs.iter().zip(weights) {
        let mut totals = [[S::ZERO; VECTORS]; TILE_ROWS];
        for (inputs, weights) in inputs.quads.iter().zip(&weights.quads) {
            for (quad, totals) in inputs.iter().zip(&mut totals) {
                let quad = splat_quad(*quad);
                for (weights, total) in weights.iter().zip(totals) {
                    *total = total.add_dots(Shorts::load(weights), quad);
                }
            }
        }
        for (row, (totals, sums)) in totals.iter().zip(&mut *sums).enumerate() {
            let [scale, low] = [inputs.scales, inputs.lows].map(|of| Lanes::splat(of[row]));
            for (vector, (total, sum)) in totals.iter().zip(sums).enumerate() {
                let bytes = total.total().to_floats().mul(scale);
                let all = Lanes::load(&weights.sums[vector]).multiply_add(low, bytes);
                let scales = Lanes::load(&weights.scales[vector]);
                *sum = all.multiply_add(scales, Lanes::load(sum)).to_array();
            }
        }
    }
}

mod portable {
    use super::*;

    /// `[rows, depth]` as bytes: `[rows / TILE_ROWS, blocks]`. Clears `is_finite` where some value is not.
    #[inline(always)]
    pub fn pack(
        input: &[f32],
        blocks: usize,
        levels: Levels,
        inputs: &mut [Inputs],
        is_finite: &mut bool,
    ) {
        let (rows, _) = input.as_chunks::<BLOCK>();
        for (row, values) in rows.chunks_exact(blocks).enumerate() {
            let inputs = &mut inputs[row / TILE_ROWS * blocks..][..blocks];
            let row = row % TILE_ROWS;
            for (values, inputs) in values.iter().zip(inputs) {
                let (bytes, scale, low) = round_to_bytes::<true>(values, levels);
                *is_finite &= scale.is_finite() && low.is_finite();
                (inputs.scales[row], inputs.lows[row]) = (scale, low);
                let quads = inputs.quads.iter_mut().zip(bytes.as_chunks().0);
                quads.for_each(|(quads, quad)| quads[row] = *quad);
            }
        }
    }

    #[inline(always)]
    pub fn arrange_panel(job: &Job, first: usize, weights: &mut [Weights]) {
        match job.shape.format {
            PackedFormat::Q4 => arrange::<{ BLOCK / 2 }>(job, first, weights, from_nibbles),
            _ => arrange::<BLOCK>(job, first, weights, from_bytes),
        }
    }

    #[inline(always)]
    fn from_bytes(block: &[u8; BLOCK]) -> [i8; BLOCK] {
        bytemuck::cast(*block)
    }

    /// The low halves less 8, then the high ones.
    #[inline(always)]
    fn from_nibbles(block: &[u8; BLOCK / 2]) -> [i8; BLOCK] {
        let mut values = [0; BLOCK];
        let (low, high) = values.split_at_mut(BLOCK / 2);
        for ((byte, low), high) in block.iter().zip(low).zip(high) {
            (*low, *high) = ((byte & 15) as i8 - 8, (byte >> 4) as i8 - 8);
        }
        values
    }

    /// The weights of a panel. `unpack` takes the bytes of a block.
    #[inline(always)]
    fn arrange<const STORED: usize>(
        job: &Job,
        first: usize,
        weights: &mut [Weights],
        unpack: impl Fn(&[u8; STORED]) -> [i8; BLOCK],
    ) {
        let blocks = job.shape.blocks_per_row();
        let columns = StoredColumns::<STORED>::new(job, first, PANEL);
        for group in 0..PANEL / LANES {
            let weights = &mut weights[group / VECTORS * blocks..][..blocks];
            let (vector, columns) = (group % VECTORS, columns.group(group));
            for (block, weights) in weights.iter_mut().enumerate() {
                let mut parts = [[Shorts::ZERO; LANES]; PARTS];
                for (lane, (values, scales)) in columns.iter().enumerate() {
                    weights.scales[vector][lane] = scales[block];
                    let bytes: [[i16; 2 * LANES]; PARTS] = bytemuck::cast(unpack(&values[block]));
                    for (part, bytes) in parts.iter_mut().zip(bytes) {
                        part[lane] = Shorts::load(&bytes);
                    }
                }
                // Sums of 32 bytes have 16 bits.
                let mut sums = Plain::ZERO;
                let quads = weights.quads.as_chunks_mut::<LANES>().0;
                for (part, quads) in parts.into_iter().zip(quads) {
                    for (bytes, quads) in Shorts::transpose(part).into_iter().zip(quads) {
                        sums = sums.add_dots(bytes, splat_quad([1; 4]));
                        quads[vector] = bytes.to_array();
                    }
                }
                weights.sums[vector] = sums.total().to_floats().to_array();
            }
        }
    }

    #[inline(always)]
    pub fn write_panel(job: &Job, first: usize, values: &mut [[f32; PANEL]], output: &Output) {
        job.write_panel(first, &mut values[..job.rows], output);
    }
}
