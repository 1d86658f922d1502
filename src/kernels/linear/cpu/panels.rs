//! Many rows: weights are decoded a panel at a time and multiplied by a register tile; of some rows, floats as they are
//! stored.

use super::columns::fetch;
use super::job::Job;
use crate::kernels::PackedFormat;
use crate::kernels::layout::{decode_vectors, for_each_vector};
use crate::kernels::simd::{
    LANES, Output, Step, TILE_COLUMNS, TILE_ROWS, TileSums, add_tile, add_tile_apart, for_each,
    vectorised,
};

/// Depth of a strip: the strips of a panel stay in the first-level cache.
const DEPTH: usize = 384;
const STEPS: usize = DEPTH / LANES;

/// Tiles side by side in a panel.
const TILES: usize = 4;
const PANEL: usize = TILES * TILE_COLUMNS;

/// A part of the depth of `N` rows, vectors side by side, zero-padded.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Strip<const N: usize>([Step<N>; STEPS]);

impl<const N: usize> Strip<N> {
    const ZERO: Self = Self([[[0.0; LANES]; N]; STEPS]);
}

/// Rows up to which weights in floats are read where they are: then a tile takes a fourteenth longer, and nothing is copied.
const STORED_ROWS: usize = 32;

/// Sums of a panel, by tiles.
type Sums = [TileSums; TILES];

/// What one thread works on, panel after panel.
struct Scratch {
    /// A panel of weights, all of its depth.
    weights: Vec<[Strip<TILE_COLUMNS>; TILES]>,
    /// Its sums, of two rows each.
    sums: Vec<Sums>,
    /// The same in the order of the output.
    values: Vec<[f32; PANEL]>,
}

/// Computes the layer for any number of rows.
pub fn many_rows(job: &Job, input: &[f32], output: &Output) {
    let strips = pack(input, job.shape.columns);
    let stored = stored_floats(job);
    let decoded = if stored.is_some() {
        0
    } else {
        job.shape.columns.div_ceil(DEPTH)
    };
    let start = || Scratch {
        weights: vec![[Strip::ZERO; TILES]; decoded],
        sums: vec![[[[0.0; TILE_COLUMNS]; TILE_ROWS]; TILES]; job.rows.div_ceil(TILE_ROWS)],
        values: vec![[0.0; PANEL]; job.rows],
    };
    for_each(job.shape.rows.div_ceil(PANEL), start, |scratch, panel| {
        let first = panel * PANEL;
        scratch.sums.fill([[[0.0; TILE_COLUMNS]; TILE_ROWS]; TILES]);
        match stored {
            Some(stored) => multiply_stored(job, stored, &strips, first, &mut scratch.sums),
            None => {
                decode_panel(job, first, &mut scratch.weights);
                multiply_panel(job, &strips, first, scratch);
            }
        }
        write_panel(job, first, scratch, output);
    });
}

/// `[rows, depth]` as strips: `[depth / DEPTH, rows / TILE_ROWS]`.
fn pack(input: &[f32], depth: usize) -> Vec<Strip<TILE_ROWS>> {
    let tiles = (input.len() / depth).div_ceil(TILE_ROWS);
    let mut strips = vec![Strip::ZERO; depth.div_ceil(DEPTH) * tiles];
    for (row, values) in input.chunks_exact(depth).enumerate() {
        for (part, values) in values.chunks(DEPTH).enumerate() {
            let strip = &mut strips[part * tiles + row / TILE_ROWS];
            for_each_vector(values, |step, values| {
                strip.0[step][row % TILE_ROWS] = *values
            });
        }
    }
    strips
}

/// The sums of a panel that starts at column `first`, for all rows.
fn multiply_panel(job: &Job, strips: &[Strip<TILE_ROWS>], first: usize, scratch: &mut Scratch) {
    let depth = job.shape.columns;
    let tiles = job.rows.div_ceil(TILE_ROWS);
    let used = (job.shape.rows - first).div_ceil(TILE_COLUMNS);
    let parts = strips.chunks_exact(tiles).zip(&scratch.weights).enumerate();
    for (part, (strips, weights)) in parts {
        let steps = DEPTH.min(depth - part * DEPTH).div_ceil(LANES);
        for (rows, sums) in strips.iter().zip(&mut scratch.sums) {
            for (columns, sums) in weights.iter().zip(sums).take(used) {
                add_tile(&rows.0[..steps], &columns.0[..steps], sums);
            }
        }
    }
}

/// The weights as vectors, row after row, if they are floats that fill whole ones and laying them side by side would
/// take longer than it saves.
fn stored_floats<'a>(job: &Job<'a>) -> Option<&'a [[f32; LANES]]> {
    let is_float = job.shape.format == PackedFormat::F32;
    let fits = is_float && job.shape.columns.is_multiple_of(LANES) && job.rows <= STORED_ROWS;
    fits.then(|| bytemuck::cast_slice::<u32, f32>(job.words).as_chunks().0)
}

/// As [`multiply_panel`], with weights where they are.
fn multiply_stored(
    job: &Job,
    stored: &[[f32; LANES]],
    strips: &[Strip<TILE_ROWS>],
    first: usize,
    sums: &mut [Sums],
) {
    let per_row = job.shape.columns / LANES;
    let last = job.shape.rows - 1;
    let used = (job.shape.rows - first).div_ceil(TILE_COLUMNS).min(TILES);
    let panel = first * per_row..(first + PANEL).min(job.shape.rows) * per_row;
    fetch(bytemuck::cast_slice(&stored[panel]));
    let strips = strips.chunks_exact(job.rows.div_ceil(TILE_ROWS));
    for (part, strips) in strips.enumerate() {
        let start = part * STEPS;
        let steps = STEPS.min(per_row - start);
        for (rows, sums) in strips.iter().zip(&mut *sums) {
            for (tile, sums) in sums[..used].iter_mut().enumerate() {
                // Behind the last column that one again, whose sums nobody reads.
                let columns = std::array::from_fn(|column| {
                    let column = (first + tile * TILE_COLUMNS + column).min(last);
                    &stored[column * per_row + start..][..steps]
                });
                add_tile_apart(&rows.0[..steps], columns, sums);
            }
        }
    }
}

vectorised!(decode_panel(job: &Job, first: usize, weights: &mut [[Strip<TILE_COLUMNS>; TILES]]));
vectorised!(write_panel(job: &Job, first: usize, scratch: &mut Scratch, output: &Output));
mod portable {
    use super::*;

    /// The weights of a panel. One output after the other, so that memory is read from its beginning
    /// to its end.
    #[inline(always)]
    pub fn decode_panel<const FUSED: bool>(
        job: &Job,
        first: usize,
        weights: &mut [[Strip<TILE_COLUMNS>; TILES]],
    ) {
        let depth = job.shape.columns;
        for column in 0..PANEL.min(job.shape.rows - first) {
            for (part, weights) in weights.iter_mut().enumerate() {
                let (start, row) = (part * DEPTH, first + column);
                let length = DEPTH.min(depth - start);
                let strip = &mut weights[column / TILE_COLUMNS];
                decode_vectors::<FUSED>(
                    job.words,
                    job.shape,
                    row,
                    start,
                    length,
                    |step, vector| {
                        strip.0[step][column % TILE_COLUMNS] = vector.to_array();
                    },
                );
            }
        }
    }

    /// Puts the sums of a panel in order, finishes them and writes them out.
    #[inline(always)]
    pub fn write_panel<const FUSED: bool>(
        job: &Job,
        first: usize,
        Scratch { sums, values, .. }: &mut Scratch,
        output: &Output,
    ) {
        for (rows, sums) in values.chunks_mut(TILE_ROWS).zip(sums) {
            for (row, values) in rows.iter_mut().enumerate() {
                for (values, sums) in values.as_chunks_mut().0.iter_mut().zip(&*sums) {
                    *values = sums[row];
                }
            }
        }
        job.write_panel(first, values, output);
    }
}
