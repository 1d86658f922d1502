//! Many rows, weights in quantized blocks: a register tile of integers.
//!
//! A vector holds twice as many 16-bit integers as floats, and one instruction multiplies them and adds
//! up pairs. The lanes are columns, so that a block's scales are vectors, too, and nothing is summed across lanes.

use super::columns::StoredColumns;
use super::job::Job;
use super::rounding::round_row;
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
    pairs: [[[i16; 2]; PAIRS]; TILE_ROWS],
}

/// A block of some columns of weights.
#[derive(Clone, Copy, Default)]
#[repr(align(32))]
struct Weights {
    pairs: [[[i16; 2 * LANES]; VECTORS]; PAIRS],
    scales: [[f32; LANES]; VECTORS],
}

/// Sums of some rows of a panel, in the order of the output.
type Values = [[f32; PANEL]];

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
    let mut scales = vec![0.0; job.rows];
    pack(input, blocks, &mut inputs, &mut scales);
    if !scales.iter().all(|scale| scale.is_finite()) {
        return false;
    }
    let start = || Scratch {
        weights: vec![Weights::default(); TILES * blocks],
        values: vec![[0.0; PANEL]; job.rows],
    };
    for_each(job.shape.rows.div_ceil(PANEL), start, |scratch, panel| {
        let first = panel * PANEL;
        match job.shape.format {
            PackedFormat::Q4 => unpack_panel_of_nibbles(job, first, &mut scratch.weights),
            _ => unpack_panel_of_bytes(job, first, &mut scratch.weights),
        }
        let tiles = (job.shape.rows - first).div_ceil(TILE_COLUMNS).min(TILES);
        let rows = inputs.chunks_exact(blocks);
        let values = scratch.values.chunks_mut(TILE_ROWS);
        for ((inputs, values), scales) in rows.zip(values).zip(scales.chunks(TILE_ROWS)) {
            let weights = scratch.weights.chunks_exact(blocks).take(tiles);
            for (tile, weights) in weights.enumerate() {
                match values.len() {
                    TILE_ROWS => multiply_tile(inputs, scales, weights, tile, values),
                    _ => multiply_rest(inputs, scales, weights, tile, values),
                }
            }
        }
        write_panel(job, first, &mut scratch.values, output);
    });
    true
}

vectorised!(pack(input: &[f32], blocks: usize, inputs: &mut [Inputs], scales: &mut [f32]));
vectorised!(unpack_panel_of_bytes(job: &Job, first: usize, weights: &mut [Weights]));
vectorised!(unpack_panel_of_nibbles(job: &Job, first: usize, weights: &mut [Weights]));
// A function of its own: the compilers keep everything in registers only where nothing is around.
vectorised!(multiply_tile(inputs: &[Inputs], scales: &[f32], weights: &[Weights], tile: usize, values: &mut Values));
vectorised!(multiply_rest(inputs: &[Inputs], scales: &[f32], weights: &[Weights], tile: usize, values: &mut Values));
vectorised!(write_panel(job: &Job, first: usize, values: &mut Values, output: &Output));

mod portable {
    use super::*;

    /// `[rows, depth]` as integers: `[rows / TILE_ROWS, blocks]`, with a scale for each row, which is not finite where some
    /// value is not.
    #[inline(always)]
    pub fn pack<const FUSED: bool>(
        input: &[f32],
        blocks: usize,
        inputs: &mut [Inputs],
        scales: &mut [f32],
    ) {
        let (rows, _) = input.as_chunks::<BLOCK>();
        for (row, (values, scale)) in rows.chunks_exact(blocks).zip(scales).enumerate() {
            let inputs = &mut inputs[row / TILE_ROWS * blocks..][..blocks];
            *scale = round_row::<FUSED>(values, |block, shorts| {
                inputs[block].pairs[row % TILE_ROWS] = bytemuck::cast(shorts);
            });
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

    /// `inputs · weightsᵀ`, the sums of tile `tile` of the panel.
    #[inline(always)]
    pub fn multiply_tile<const FUSED: bool>(
        inputs: &[Inputs],
        scales: &[f32],
        weights: &[Weights],
        tile: usize,
        values: &mut Values,
    ) {
        multiply::<FUSED, TILE_ROWS>(inputs, scales, weights, tile, values);
    }

    /// The same of fewer rows, the last ones.
    #[inline(always)]
    pub fn multiply_rest<const FUSED: bool>(
        inputs: &[Inputs],
        scales: &[f32],
        weights: &[Weights],
        tile: usize,
        values: &mut Values,
    ) {
        match values.len() {
            1 => multiply::<FUSED, 1>(inputs, scales, weights, tile, values),
            2 => multiply::<FUSED, 2>(inputs, scales, weights, tile, values),
            _ => multiply::<FUSED, 3>(inputs, scales, weights, tile, values),
        }
    }

    /// Loops, not `map`: the closures of `map` became calls, which took twice as long.
    #[inline(always)]
    fn multiply<const FUSED: bool, const ROWS: usize>(
        inputs: &[Inputs],
        scales: &[f32],
        weights: &[Weights],
        tile: usize,
        values: &mut Values,
    ) {
        let mut sums = [[Lanes::<FUSED>::splat(0.0); VECTORS]; ROWS];
        for (inputs, weights) in inputs.iter().zip(weights) {
            let mut totals = [[Ints::<FUSED>::ZERO; VECTORS]; ROWS];
            for (pair, weights) in weights.pairs.iter().enumerate() {
                for (pairs, totals) in inputs.pairs.iter().zip(&mut totals) {
                    let pair = Shorts::splat(pairs[pair]);
                    for (weights, total) in weights.iter().zip(totals) {
                        *total = total.add(Shorts::load(weights).dot(pair));
                    }
                }
            }
            for (totals, sums) in totals.iter().zip(&mut sums) {
                for ((total, sum), scales) in totals.iter().zip(sums).zip(&weights.scales) {
                    *sum = total.to_floats().multiply_add(Lanes::load(scales), *sum);
                }
            }
        }
        for ((values, sums), scale) in values.iter_mut().zip(sums).zip(scales) {
            let scale = Lanes::splat(*scale);
            let vectors = values.as_chunks_mut().0;
            for (values, sum) in vectors[tile * VECTORS..].iter_mut().zip(sums) {
                *values = sum.mul(scale).to_array();
            }
        }
    }

    #[inline(always)]
    pub fn write_panel<const FUSED: bool>(
        job: &Job,
        first: usize,
        values: &mut Values,
        output: &Output,
    ) {
        job.write_panel(first, values, output);
    }
}
