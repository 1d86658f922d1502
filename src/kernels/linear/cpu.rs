//! Packed linear layers on the CPU: a register tile over decoded weight panels for many rows, a
//! dot product with each decoded weight row for few.

use crate::kernels::simd::{TILE_COLUMNS, TILE_ROWS, for_each_chunk, pack_rows, vectorised};
use crate::kernels::{Activation, Epilogue, PackedShape, packed::decode};
use burn::tensor::TensorData;
use burn_flex::FlexTensor;

/// Depth of a decoded panel: it stays in the first-level cache while all rows pass over it.
const PANEL_DEPTH: usize = 256;
/// Up to here a dot product per output beats filling the tile with padding.
const FEW_ROWS: usize = 3;
/// Columns that one task of the few-rows path computes.
const FEW_ROWS_COLUMNS: usize = 64;

/// See [`crate::kernels::linear()`].
pub fn packed_linear(
    input: FlexTensor,
    words: FlexTensor,
    bias: FlexTensor,
    residual: FlexTensor,
    shape: PackedShape,
    epilogue: Epilogue,
) -> FlexTensor {
    let input = input.to_contiguous();
    let input: &[f32] = input.as_slice().expect("a contiguous f32 input");
    let words: &[i32] = words.as_slice().expect("contiguous words");
    let bias = bias.to_contiguous();
    let bias = epilogue
        .bias
        .then(|| bias.as_slice::<f32>().expect("a contiguous f32 bias"));
    let mut output = linear(
        input,
        bytemuck::cast_slice(words),
        bias,
        shape,
        epilogue.activation,
    );
    if epilogue.residual {
        let residual = residual.to_contiguous();
        let residual: &[f32] = residual.as_slice().expect("a contiguous f32 residual");
        for (value, residual) in output.iter_mut().zip(residual) {
            *value += residual;
        }
    }
    let rows = output.len() / shape.rows;
    FlexTensor::from_data(TensorData::new(output, [rows, shape.rows]))
}

/// The same over slices: `input` `[rows, shape.columns]` gives `[rows, shape.rows]`.
pub fn linear(
    input: &[f32],
    words: &[u32],
    bias: Option<&[f32]>,
    shape: PackedShape,
    activation: Activation,
) -> Vec<f32> {
    let job = Job {
        rows: input.len() / shape.columns,
        words,
        bias,
        shape,
        activation,
    };
    if job.rows <= FEW_ROWS {
        job.few_rows(input)
    } else {
        job.many_rows(input)
    }
}

struct Job<'a> {
    rows: usize,
    words: &'a [u32],
    bias: Option<&'a [f32]>,
    shape: PackedShape,
    activation: Activation,
}

impl Job<'_> {
    /// One dot product per output. Results are gathered column by column, `[columns, rows]`.
    fn few_rows(&self, input: &[f32]) -> Vec<f32> {
        let mut by_column = vec![0.0; self.shape.rows * self.rows];
        for_each_chunk(
            &mut by_column,
            FEW_ROWS_COLUMNS * self.rows,
            |chunk, sums| {
                dot_columns(self, input, chunk * FEW_ROWS_COLUMNS, sums);
            },
        );
        let mut output = vec![0.0; by_column.len()];
        let columns = self.shape.rows;
        for (row, output) in output.chunks_exact_mut(columns).enumerate() {
            for (column, value) in output.iter_mut().enumerate() {
                *value = by_column[column * self.rows + row];
            }
            epilogue(self, output);
        }
        output
    }

    /// Panels of [`TILE_COLUMNS`] outputs, `[panels, padded rows, TILE_COLUMNS]`, then a pass that
    /// puts them in row order and applies bias and activation.
    fn many_rows(&self, input: &[f32]) -> Vec<f32> {
        let tiles = pack_rows(input, self.shape.columns);
        let padded_rows = self.rows.next_multiple_of(TILE_ROWS);
        let panels = self.shape.rows.div_ceil(TILE_COLUMNS);
        let panel_length = padded_rows * TILE_COLUMNS;
        let mut by_panel = vec![0.0; panels * panel_length];
        for_each_chunk(&mut by_panel, panel_length, |index, sums| {
            panel(self, &tiles, index * TILE_COLUMNS, sums);
        });
        let mut output = vec![0.0; self.rows * self.shape.rows];
        for_each_chunk(&mut output, self.shape.rows, |row, output| {
            for (panel, values) in output.chunks_mut(TILE_COLUMNS).enumerate() {
                let start = panel * panel_length + row * TILE_COLUMNS;
                values.copy_from_slice(&by_panel[start..start + values.len()]);
            }
            epilogue(self, output);
        });
        output
    }
}

vectorised!(panel(job: &Job, tiles: &[f32], first: usize, sums: &mut [f32]));
vectorised!(dot_columns(job: &Job, input: &[f32], first: usize, sums: &mut [f32]));
vectorised!(epilogue(job: &Job, values: &mut [f32]));

/// The inner loops, written once and compiled for each instruction set.
mod portable {
    use super::*;
    use crate::kernels::PackedFormat;
    use crate::kernels::simd::{add_tile, dot};

    /// Sums of [`TILE_COLUMNS`] columns from `first` on, for all rows: `[padded rows, TILE_COLUMNS]`.
    #[inline(always)]
    pub fn panel<const FUSED: bool>(job: &Job, tiles: &[f32], first: usize, sums: &mut [f32]) {
        let depth = job.shape.columns;
        let columns = TILE_COLUMNS.min(job.shape.rows - first);
        let mut decoded = [0.0; PANEL_DEPTH];
        let mut weights = [0.0; PANEL_DEPTH * TILE_COLUMNS];
        for start in (0..depth).step_by(PANEL_DEPTH) {
            let length = PANEL_DEPTH.min(depth - start);
            for column in 0..columns {
                decode(
                    job.words,
                    job.shape,
                    first + column,
                    start,
                    &mut decoded[..length],
                );
                for (slot, value) in weights
                    .chunks_exact_mut(TILE_COLUMNS)
                    .zip(&decoded[..length])
                {
                    slot[column] = *value;
                }
            }
            let weights = &weights[..length * TILE_COLUMNS];
            let tiles = tiles.chunks_exact(TILE_ROWS * depth);
            for (tile, sums) in tiles.zip(sums.chunks_exact_mut(TILE_ROWS * TILE_COLUMNS)) {
                let tile = &tile[start * TILE_ROWS..(start + length) * TILE_ROWS];
                add_tile::<FUSED>(tile, weights, sums);
            }
        }
    }

    /// Dot products of every input row with each weight row from `first` on: `[columns, rows]`.
    #[inline(always)]
    pub fn dot_columns<const FUSED: bool>(
        job: &Job,
        input: &[f32],
        first: usize,
        sums: &mut [f32],
    ) {
        // One copy of the loop for each format: with the choice inside, it does not vectorise.
        macro_rules! dot_as {
            ($($format:ident),*) => {
                match job.shape.format {
                    $(PackedFormat::$format => {
                        let shape = PackedShape { format: PackedFormat::$format, ..job.shape };
                        dot_columns_of::<FUSED>(job, shape, input, first, sums)
                    })*
                }
            };
        }
        dot_as!(F32, F16, Q8, Q4)
    }

    #[inline(always)]
    fn dot_columns_of<const FUSED: bool>(
        job: &Job,
        shape: PackedShape,
        input: &[f32],
        first: usize,
        sums: &mut [f32],
    ) {
        let depth = shape.columns;
        let mut decoded = [0.0; PANEL_DEPTH];
        for (column, sums) in sums.chunks_exact_mut(job.rows).enumerate() {
            for start in (0..depth).step_by(PANEL_DEPTH) {
                let decoded = &mut decoded[..PANEL_DEPTH.min(depth - start)];
                decode(job.words, shape, first + column, start, decoded);
                for (row, sum) in input.chunks_exact(depth).zip(sums.iter_mut()) {
                    *sum += dot::<FUSED>(&row[start..start + decoded.len()], decoded);
                }
            }
        }
    }

    /// Adds the bias to a row and applies the activation, in place.
    #[inline(always)]
    pub fn epilogue<const FUSED: bool>(job: &Job, values: &mut [f32]) {
        if let Some(bias) = job.bias {
            for (value, bias) in values.iter_mut().zip(bias) {
                *value += bias;
            }
        }
        match job.activation {
            Activation::None => {}
            Activation::Gelu => values
                .iter_mut()
                .for_each(|value| *value = Activation::Gelu.apply(*value)),
            Activation::QuickGelu => values
                .iter_mut()
                .for_each(|value| *value = Activation::QuickGelu.apply(*value)),
        }
    }
}
