//! Attention on the CPU, a head at a time and a few queries at a time: their scores with all keys
//! fit the first-level cache, so the matrix of all scores never exists.

use crate::kernels::AttentionShape;
use crate::kernels::simd::{TILE_COLUMNS, TILE_ROWS, for_each_chunk, pack_rows, vectorised};
use burn::tensor::TensorData;
use burn_flex::FlexTensor;

/// Up to here, dot products beat filling the register tile with padding.
const FEW_ROWS: usize = 3;

/// See [`crate::kernels::attention()`].
pub fn attention(
    queries: FlexTensor,
    keys: FlexTensor,
    values: FlexTensor,
    shape: AttentionShape,
) -> FlexTensor {
    let [batch, rows, _]: [usize; 3] = queries.layout().shape().dims();
    let AttentionShape { heads, width, .. } = shape;
    let operands = [queries, keys, values].map(|tensor| tensor.to_contiguous());
    // The operands of one head, `[tokens, width]` each.
    let part = |operand: usize, head: usize, tokens: usize| -> Vec<f32> {
        let tensor = &operands[operand];
        let [_, all_tokens, row]: [usize; 3] = tensor.layout().shape().dims();
        let entry = &tensor.as_slice::<f32>().expect("contiguous f32 operands")
            [head / heads * all_tokens * row..][..tokens * row];
        let first = shape.starts[operand] + head % heads * width;
        let rows = entry.chunks_exact(row);
        rows.flat_map(|row| &row[first..first + width])
            .copied()
            .collect()
    };
    let mut by_head = vec![0.0; batch * heads * rows * width];
    for_each_chunk(&mut by_head, rows * width, |head, output| {
        let job = Head {
            queries: &part(0, head, rows),
            keys: &part(1, head, shape.context),
            values: &part(2, head, shape.context),
            width,
            causal: shape.causal,
        };
        if rows <= FEW_ROWS {
            attend_rows(&job, output);
        } else {
            attend_tiles(&job, output);
        }
    });
    let mut output = vec![0.0; by_head.len()];
    for (index, row) in by_head.chunks_exact(width).enumerate() {
        let (head, token) = (index / rows, index % rows);
        let first = (head / heads * rows + token) * heads + head % heads;
        output[first * width..(first + 1) * width].copy_from_slice(row);
    }
    FlexTensor::from_data(TensorData::new(output, [batch, rows, heads * width]))
}

/// One head: `queries` `[rows, width]`, `keys` and `values` `[tokens, width]`.
struct Head<'a> {
    queries: &'a [f32],
    keys: &'a [f32],
    values: &'a [f32],
    width: usize,
    causal: bool,
}

impl Head<'_> {
    fn tokens(&self) -> usize {
        self.keys.len() / self.width
    }

    fn scale(&self) -> f32 {
        1.0 / (self.width as f32).sqrt()
    }

    /// Tokens that a query sees.
    fn seen(&self, row: usize) -> usize {
        match self.causal {
            true => self.tokens() - self.queries.len() / self.width + row + 1,
            false => self.tokens(),
        }
    }

    /// Keys in panels of [`TILE_COLUMNS`] tokens, each `[width, TILE_COLUMNS]`.
    fn key_panels(&self) -> Vec<f32> {
        let mut panels = vec![0.0; self.tokens().next_multiple_of(TILE_COLUMNS) * self.width];
        for (token, key) in self.keys.chunks_exact(self.width).enumerate() {
            let panel = &mut panels[token / TILE_COLUMNS * TILE_COLUMNS * self.width..];
            let slots = panel.chunks_exact_mut(TILE_COLUMNS);
            for (slot, value) in slots.zip(key) {
                slot[token % TILE_COLUMNS] = *value;
            }
        }
        panels
    }

    /// Values in panels of [`TILE_COLUMNS`] columns, each `[tokens, TILE_COLUMNS]`.
    fn value_panels(&self) -> Vec<f32> {
        let tokens = self.tokens();
        let mut panels = vec![0.0; self.width.next_multiple_of(TILE_COLUMNS) * tokens];
        for (panel, slots) in panels.chunks_exact_mut(tokens * TILE_COLUMNS).enumerate() {
            let first = panel * TILE_COLUMNS;
            let columns = TILE_COLUMNS.min(self.width - first);
            let rows = self.values.chunks_exact(self.width);
            for (slot, value) in slots.chunks_exact_mut(TILE_COLUMNS).zip(rows) {
                slot[..columns].copy_from_slice(&value[first..first + columns]);
            }
        }
        panels
    }
}

vectorised!(attend_rows(head: &Head, output: &mut [f32]));
vectorised!(attend_tiles(head: &Head, output: &mut [f32]));

/// The inner loops, written once and compiled for each instruction set.
mod portable {
    use super::*;
    use crate::kernels::activation::exp;
    use crate::kernels::simd::{add_tile, dot, multiply_add};

    /// Few queries: a dot product with each key, then a weighted sum of the values.
    #[inline(always)]
    pub fn attend_rows<const FUSED: bool>(head: &Head, output: &mut [f32]) {
        let width = head.width;
        let mut scores = vec![0.0; head.tokens()];
        let rows = head
            .queries
            .chunks_exact(width)
            .zip(output.chunks_exact_mut(width));
        for (row, (query, output)) in rows.enumerate() {
            let scores = &mut scores[..head.seen(row)];
            for (score, key) in scores.iter_mut().zip(head.keys.chunks_exact(width)) {
                *score = dot::<FUSED>(query, key);
            }
            let factor = 1.0 / softmax_powers(scores, head.scale());
            for (weight, value) in scores.iter().zip(head.values.chunks_exact(width)) {
                for (sum, value) in output.iter_mut().zip(value) {
                    *sum = multiply_add::<FUSED>(weight * factor, *value, *sum);
                }
            }
        }
    }

    /// Many queries: tiles of [`TILE_ROWS`] against panels of keys, then of values.
    #[inline(always)]
    pub fn attend_tiles<const FUSED: bool>(head: &Head, output: &mut [f32]) {
        let (width, tokens) = (head.width, head.tokens());
        let (key_panels, value_panels) = (head.key_panels(), head.value_panels());
        let tiles = pack_rows(head.queries, width);
        let stride = tokens.next_multiple_of(TILE_COLUMNS);
        let mut scores = vec![0.0; TILE_ROWS * stride];
        let mut weights = vec![0.0; TILE_ROWS * tokens];
        let mut factors = [0.0; TILE_ROWS];
        let tiles = tiles.chunks_exact(TILE_ROWS * width);
        for (index, (tile, output)) in tiles.zip(output.chunks_mut(TILE_ROWS * width)).enumerate() {
            let rows = output.len() / width;
            for (panel, keys) in key_panels.chunks_exact(TILE_COLUMNS * width).enumerate() {
                let mut sums = [0.0; TILE_ROWS * TILE_COLUMNS];
                add_tile::<FUSED>(tile, keys, &mut sums);
                let rows = scores.chunks_exact_mut(stride);
                for (row, sums) in rows.zip(sums.chunks_exact(TILE_COLUMNS)) {
                    row[panel * TILE_COLUMNS..][..TILE_COLUMNS].copy_from_slice(sums);
                }
            }
            for (row, scores) in scores.chunks_exact_mut(stride).enumerate().take(rows) {
                let seen = head.seen(index * TILE_ROWS + row);
                factors[row] = 1.0 / softmax_powers(&mut scores[..seen], head.scale());
                scores[seen..].fill(0.0);
                for (slot, score) in weights.chunks_exact_mut(TILE_ROWS).zip(scores.iter()) {
                    slot[row] = *score;
                }
            }
            for (panel, values) in value_panels.chunks_exact(tokens * TILE_COLUMNS).enumerate() {
                let mut sums = [0.0; TILE_ROWS * TILE_COLUMNS];
                add_tile::<FUSED>(&weights, values, &mut sums);
                let first = panel * TILE_COLUMNS;
                let rows = output
                    .chunks_exact_mut(width)
                    .zip(sums.chunks_exact(TILE_COLUMNS));
                for ((output, sums), factor) in rows.zip(&factors) {
                    for (output, sum) in output[first..].iter_mut().zip(sums) {
                        *output = sum * factor;
                    }
                }
            }
        }
    }

    /// Replaces scores by `exp(scale * (score - largest))` and returns the sum of those.
    #[inline(always)]
    fn softmax_powers(scores: &mut [f32], scale: f32) -> f32 {
        let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for score in scores.iter_mut() {
            *score = exp(scale * (*score - largest));
        }
        const LANES: usize = 16;
        let mut lanes = [0.0; LANES];
        let chunks = scores.chunks_exact(LANES);
        let tail: f32 = chunks.remainder().iter().sum();
        for chunk in chunks {
            for (lane, power) in lanes.iter_mut().zip(chunk) {
                *lane += power;
            }
        }
        lanes.iter().sum::<f32>() + tail
    }
}
