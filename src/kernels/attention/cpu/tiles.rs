//! Attention of many queries: a register tile over keys, then over values.

use super::{head::Head, head::Rows, rows::softmax_powers};
use crate::kernels::layout::for_each_vector;
use crate::kernels::simd::{
    LANES, Output, Step, TILE_COLUMNS, TILE_ROWS, TileSums, add_tile, vectorised,
};

/// Tiles of queries that pass over the keys together, so that each key is fetched the less often.
const TILES: usize = 4;
/// Queries that do.
const ROWS: usize = TILES * TILE_ROWS;

/// What one thread works on, head after head.
#[derive(Default)]
pub struct Scratch {
    /// Tiles of rows.
    queries: Vec<Step<TILE_ROWS>>,
    keys: Vec<Step<TILE_COLUMNS>>,
    /// Tiles of columns.
    values: Vec<Step<TILE_COLUMNS>>,
    /// Of a few queries, `[ROWS, tokens]`.
    scores: Vec<f32>,
    /// Tiles of rows of the softmax's powers.
    powers: Vec<Step<TILE_ROWS>>,
}

/// All rows of a head.
pub fn attend(head: &Head, scratch: &mut Scratch, output: &Output) {
    interleave(&head.queries, &mut scratch.queries);
    interleave(&head.keys, &mut scratch.keys);
    transpose(&head.values, &mut scratch.values);
    for first in (0..head.queries.count).step_by(ROWS) {
        let rows = ROWS.min(head.queries.count - first);
        let seen = head.seen(first + rows - 1);
        compare(head, first, rows, seen, scratch);
        let factors = weigh(head, first, rows, seen, scratch);
        average(head, first, &factors[..rows], seen, scratch, output);
    }
}

/// Rows in tiles of `N`, zero-padded: `[tiles, steps of the width]`.
fn interleave<const N: usize>(rows: &Rows, steps: &mut Vec<Step<N>>) {
    let per_tile = rows.width.div_ceil(LANES);
    steps.clear();
    steps.resize(rows.count.div_ceil(N) * per_tile, [[0.0; LANES]; N]);
    for row in 0..rows.count {
        let tile = &mut steps[row / N * per_tile..][..per_tile];
        for_each_vector(rows.row(row), |step, values| tile[step][row % N] = *values);
    }
}

/// Columns in tiles of `N`, zero-padded: `[tiles, steps of the count]`.
fn transpose<const N: usize>(rows: &Rows, steps: &mut Vec<Step<N>>) {
    let per_tile = rows.count.div_ceil(LANES);
    steps.clear();
    steps.resize(rows.width.div_ceil(N) * per_tile, [[0.0; LANES]; N]);
    for row in 0..rows.count {
        for (tile, values) in rows.row(row).chunks(N).enumerate() {
            let step = &mut steps[tile * per_tile + row / LANES];
            for (column, value) in step.iter_mut().zip(values) {
                column[row % LANES] = *value;
            }
        }
    }
}

/// The scores of the rows from `first` on with all tokens that one of them sees.
fn compare(head: &Head, first: usize, rows: usize, seen: usize, scratch: &mut Scratch) {
    let stride = seen.next_multiple_of(TILE_COLUMNS);
    scratch.scores.resize(ROWS * stride, 0.0);
    let per_tile = head.queries.width.div_ceil(LANES);
    let queries = scratch.queries[first / TILE_ROWS * per_tile..].chunks_exact(per_tile);
    let queries = queries.take(rows.div_ceil(TILE_ROWS));
    let keys = scratch.keys.chunks_exact(per_tile);
    for (place, keys) in keys.take(stride / TILE_COLUMNS).enumerate() {
        for (tile, queries) in queries.clone().enumerate() {
            let mut sums = TileSums::default();
            add_tile(queries, keys, &mut sums);
            for (row, sums) in sums.iter().enumerate() {
                let start = (tile * TILE_ROWS + row) * stride + place * TILE_COLUMNS;
                let scores = scratch.scores[start..].first_chunk_mut();
                *scores.expect("rows of whole tiles") = *sums;
            }
        }
    }
}

/// Makes powers of the scores; they are weights once multiplied by the result, a factor for each row.
fn weigh(
    head: &Head,
    first: usize,
    rows: usize,
    seen: usize,
    scratch: &mut Scratch,
) -> [f32; ROWS] {
    let stride = seen.next_multiple_of(TILE_COLUMNS);
    let steps = seen.div_ceil(LANES);
    scratch.powers.clear();
    scratch
        .powers
        .resize(TILES * steps, [[0.0; LANES]; TILE_ROWS]);
    let mut factors = [0.0; ROWS];
    let scores = scratch.scores.chunks_exact_mut(stride).enumerate();
    for (row, scores) in scores.take(rows) {
        let scores = &mut scores[..head.seen(first + row)];
        raise(scores, head.scale(), &mut factors[row]);
        let tile = &mut scratch.powers[row / TILE_ROWS * steps..][..steps];
        for_each_vector(scores, |step, powers| tile[step][row % TILE_ROWS] = *powers);
    }
    factors
}

/// The values' weighted sums.
fn average(
    head: &Head,
    first: usize,
    factors: &[f32],
    seen: usize,
    scratch: &Scratch,
    output: &Output,
) {
    let (steps, per_tile) = (seen.div_ceil(LANES), head.keys.count.div_ceil(LANES));
    for (place, values) in scratch.values.chunks_exact(per_tile).enumerate() {
        let column = place * TILE_COLUMNS;
        let columns = TILE_COLUMNS.min(head.values.width - column);
        let tiles = scratch.powers.chunks_exact(steps);
        for (tile, factors) in factors.chunks(TILE_ROWS).enumerate() {
            let powers = tiles.clone().nth(tile).expect("a tile for each of rows");
            let mut sums = TileSums::default();
            add_tile(powers, &values[..steps], &mut sums);
            for (row, (sums, factor)) in sums.iter().zip(factors).enumerate() {
                let row = head.row + first + tile * TILE_ROWS + row;
                let sums = sums.map(|sum| sum * factor);
                // SAFETY: each head of an entry has columns of its own, each entry rows.
                unsafe {
                    match columns {
                        TILE_COLUMNS => output.write(row, head.column + column, &sums),
                        _ => output.write(row, head.column + column, &sums[..columns]),
                    }
                }
            }
        }
    }
}

vectorised!(raise(scores: &mut [f32], scale: f32, factor: &mut f32));

mod portable {
    use super::*;

    /// Replaces the scores of a row by their powers.
    #[inline(always)]
    pub fn raise<const FUSED: bool>(scores: &mut [f32], scale: f32, factor: &mut f32) {
        *factor = 1.0 / softmax_powers(scores, scale);
    }
}
