//! Many rows, weights in quantized blocks: a register tile of integers.
//!
//! A vector holds twice as many 16-bit integers as floats, and one instruction multiplies them and adds
//! up pairs. The lanes are columns, so that a block's scales are vectors, too, and nothing is summed across lanes.

use super::columns::StoredColumns;
use super::job::Job;
use super::rounding::round_block;
use crate::kernels::PackedFormat;
use crate::kernels::layout::{BLOCK, SHORTS_IN_BLOCK, unpack_bytes, unpack_nibbles};
use crate::kernels::simd::{Ints, LANES, Lanes, Output, Shorts, for_each, vectorised};

/// Rows and vectors of columns of the tile: eight sums, and what they are made of, stay in registers.
const TILE_ROWS: usize = 4;
const VECTORS: usize = 2;
const TILE_COLUMNS: usize = VECTORS * LANES;

/// Tiles side by side in a panel.
const TILES: usize = 4;
const PANEL: usize = TILES * TILE_COLUMNS;

/// Neighbours along the depth, which one instruction multiplies and adds up.
const PAIRS: usize = BLOCK / 2;

/// A block of some rows of the input.
#[derive(Clone, Copy, Default)]
#[repr(align(16))]
struct Inputs {
    pairs: [[[i16; 2]; TILE_ROWS]; PAIRS],
    scales: [f32; TILE_ROWS],
}

/// A block of some columns of weights.
#[derive(Clone, Copy, Default)]
#[repr(align(32))]
struct Weights {
    pairs: [[[i16; 2 * LANES]; VECTORS]; PAIRS],
    scales: [[f32; LANES]; VECTORS],
}

/// What a tile gives.
type Sums = [[[f32; LANES]; VECTORS]; TILE_ROWS];

/// What one thread works on, panel after panel.
struct Scratch {
    /// A panel of weights: the blocks of each tile, one after the other.
    weights: Vec<Weights>,
    /// Its sums, in the order of the output.
    values: Vec<[f32; PANEL]>,
}

/// Computes the layer, if its input can be turned into integers.
pub fn many_rows(job: &Job, input: &[f32], output: &Output) -> bool {
    let blocks = job.shape.blocks_per_row();
    let mut inputs = vec![Inputs::default(); job.rows.div_ceil(TILE_ROWS) * blocks];
    let mut is_finite = true;
    pack(input, blocks, &mut inputs, &mut is_finite);
    if !is_finite {
        return false;
    }
    let start = || Scratch {
        weights: vec![Weights::default(); TILES * blocks],
        values: vec![[0.0; PANEL]; job.rows.next_multiple_of(TILE_ROWS)],
    };
    for_each(job.shape.rows.div_ceil(PANEL), start, |scratch, panel| {
        let first = panel * PANEL;
        match job.shape.format {
            PackedFormat::Q4 => unpack_panel_of_nibbles(job, first, &mut scratch.weights),
            _ => unpack_panel_of_bytes(job, first, &mut scratch.weights),
        }
        let tiles = (job.shape.rows - first).div_ceil(TILE_COLUMNS).min(TILES);
        let rows = inputs.chunks_exact(blocks);
        for (inputs, values) in rows.zip(scratch.values.chunks_exact_mut(TILE_ROWS)) {
            let weights = scratch.weights.chunks_exact(blocks).take(tiles);
            for (tile, weights) in weights.enumerate() {
                let mut sums = Sums::default();
                multiply_tile(inputs, weights, &mut sums);
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

vectorised!(pack(input: &[f32], blocks: usize, inputs: &mut [Inputs], is_finite: &mut bool));
vectorised!(unpack_panel_of_bytes(job: &Job, first: usize, weights: &mut [Weights]));
vectorised!(unpack_panel_of_nibbles(job: &Job, first: usize, weights: &mut [Weights]));
// A function of its own: the compilers keep everything in registers only where nothing is around.
vectorised!(multiply_tile(inputs: &[Inputs], weights: &[Weights], sums: &mut Sums));
vectorised!(write_panel(job: &Job, first: usize, values: &mut [[f32; PANEL]], output: &Output));

mod portable {
    use super::*;

    /// `[rows, depth]` as integers: `[rows / TILE_ROWS, blocks]`. Clears `is_finite` where some value is
    /// not.
    #[inline(always)]
    pub fn pack<const FUSED: bool>(
        input: &[f32],
        blocks: usize,
        inputs: &mut [Inputs],
        is_finite: &mut bool,
    ) {
        let (rows, _) = input.as_chunks::<BLOCK>();
        for (row, values) in rows.chunks_exact(blocks).enumerate() {
            let inputs = &mut inputs[row / TILE_ROWS * blocks..][..blocks];
            let row = row % TILE_ROWS;
            for (values, inputs) in values.iter().zip(inputs) {
                let (shorts, scale) = round_block::<FUSED>(values);
                *is_finite &= scale.is_finite();
                inputs.scales[row] = scale;
                let pairs = inputs.pairs.iter_mut().zip(shorts.as_chunks().0);
                pairs.for_each(|(pairs, pair)| pairs[row] = *pair);
            }
        }
    }

    #[inline(always)]
    pub fn unpack_panel_of_bytes<const FUSED: bool>(
        job: &Job,
        first: usize,
        weights: &mut [Weights],
    ) {
        unpack_panel::<FUSED, BLOCK>(job, first, weights, unpack_bytes);
    }

    #[inline(always)]
    pub fn unpack_panel_of_nibbles<const FUSED: bool>(
        job: &Job,
        first: usize,
        weights: &mut [Weights],
    ) {
        unpack_panel::<FUSED, { BLOCK / 2 }>(job, first, weights, unpack_nibbles);
    }

    /// The weights of a panel. `unpack` takes the bytes of a block.
    #[inline(always)]
    fn unpack_panel<const FUSED: bool, const BYTES: usize>(
        job: &Job,
        first: usize,
        weights: &mut [Weights],
        unpack: impl Fn(&[u8; BYTES]) -> [Shorts<FUSED>; SHORTS_IN_BLOCK],
    ) {
        let blocks = job.shape.blocks_per_row();
        let columns = StoredColumns::<BYTES>::new(job, first, PANEL);
        for group in 0..PANEL / LANES {
            let weights = &mut weights[group / VECTORS * blocks..][..blocks];
            let (vector, columns) = (group % VECTORS, columns.group(group));
            for (block, weights) in weights.iter_mut().enumerate() {
                let mut parts = [[Shorts::ZERO; LANES]; SHORTS_IN_BLOCK];
                for (lane, (values, scales)) in columns.iter().enumerate() {
                    weights.scales[vector][lane] = scales[block];
                    for (part, shorts) in parts.iter_mut().zip(unpack(&values[block])) {
                        part[lane] = shorts;
                    }
                }
                let pairs = weights.pairs.as_chunks_mut::<LANES>().0;
                for (part, pairs) in parts.into_iter().zip(pairs) {
                    for (shorts, pairs) in Shorts::transpose(part).iter().zip(pairs) {
                        pairs[vector] = shorts.to_array();
                    }
                }
            }
        }
    }

    /// `inputs · weightsᵀ`. Loops, not `map`: the closures of `map` became calls, which took twice as long.
    #[inline(always)]
    pub fn multiply_tile<const FUSED: bool>(
        inputs: &[Inputs],
        weights: &[Weights],
        sums: &mut Sums,
    ) {
        for (inputs, weights) in inputs.iter().zip(weights) {
            let mut totals = [[Ints::<FUSED>::ZERO; VECTORS]; TILE_ROWS];
            for (inputs, weights) in inputs.pairs.iter().zip(&weights.pairs) {
                for (pair, totals) in inputs.iter().zip(&mut totals) {
                    let pair = Shorts::splat(*pair);
                    for (weights, total) in weights.iter().zip(totals) {
                        *total = total.add(Shorts::load(weights).dot(pair));
                    }
                }
            }
            for ((totals, sums), scale) in totals.iter().zip(&mut *sums).zip(&inputs.scales) {
                let scale = Lanes::splat(*scale);
                for ((total, sum), scales) in totals.iter().zip(sums).zip(&weights.scales) {
                    let scale = Lanes::load(scales).mul(scale);
                    let total = total.to_floats().multiply_add(scale, Lanes::load(sum));
                    *sum = total.to_array();
                }
            }
        }
    }

    #[inline(always)]
    pub fn write_panel<const FUSED: bool>(
        job: &Job,
        first: usize,
        values: &mut [[f32; PANEL]],
        output: &Output,
    ) {
        job.write_panel(first, &mut values[..job.rows], output);
    }
}
