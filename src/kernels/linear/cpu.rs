//! Packed linear layers on the CPU: a register tile over decoded weight panels for many rows, a
//! decoded dot product for few. Plain Rust that LLVM vectorises for the instruction set at hand:
//! SIMD128 in wasm, AVX2 with FMA on x86-64 where it is found at run time, NEON on aarch64.

use crate::kernels::{Activation, Epilogue, PackedShape, packed::decode};
use burn::tensor::TensorData;
use burn_flex::FlexTensor;

/// Rows and columns of the register tile: accumulators fill the vector registers but a few.
#[cfg(target_arch = "x86_64")]
const TILE: (usize, usize) = (6, 16);
#[cfg(not(target_arch = "x86_64"))]
const TILE: (usize, usize) = (4, 8);
const TILE_ROWS: usize = TILE.0;
const TILE_COLUMNS: usize = TILE.1;
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
    let output = linear(
        input,
        bytemuck::cast_slice(words),
        bias,
        shape,
        epilogue.activation,
    );
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
                vectorised::dot_columns(self, input, chunk * FEW_ROWS_COLUMNS, sums);
            },
        );
        let mut output = vec![0.0; by_column.len()];
        let columns = self.shape.rows;
        for (row, output) in output.chunks_exact_mut(columns).enumerate() {
            for (column, value) in output.iter_mut().enumerate() {
                *value = by_column[column * self.rows + row];
            }
            vectorised::epilogue(self, 0, output);
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
        for_each_chunk(&mut by_panel, panel_length, |panel, sums| {
            vectorised::panel(self, &tiles, panel * TILE_COLUMNS, sums);
        });
        let mut output = vec![0.0; self.rows * self.shape.rows];
        for_each_chunk(&mut output, self.shape.rows, |row, output| {
            for (panel, values) in output.chunks_mut(TILE_COLUMNS).enumerate() {
                let start = panel * panel_length + row * TILE_COLUMNS;
                values.copy_from_slice(&by_panel[start..start + values.len()]);
            }
            vectorised::epilogue(self, 0, output);
        });
        output
    }
}

/// Rearranges rows into tiles of [`TILE_ROWS`], each `[columns, TILE_ROWS]`, zero-padded at the end.
fn pack_rows(input: &[f32], columns: usize) -> Vec<f32> {
    let rows = input.len() / columns;
    let mut tiles = vec![0.0; rows.next_multiple_of(TILE_ROWS) * columns];
    for (rows, tile) in input
        .chunks(TILE_ROWS * columns)
        .zip(tiles.chunks_exact_mut(TILE_ROWS * columns))
    {
        for (lane, row) in rows.chunks_exact(columns).enumerate() {
            for (slot, value) in tile.chunks_exact_mut(TILE_ROWS).zip(row) {
                slot[lane] = *value;
            }
        }
    }
    tiles
}

/// Calls `work(index, chunk)` for every chunk, on all cores where there are threads.
fn for_each_chunk(
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

/// The inner loops, written once and compiled for each instruction set.
mod portable {
    use super::*;

    /// `a * b + c`, fused where the instruction set has it.
    #[inline(always)]
    fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
        if FUSED { a.mul_add(b, c) } else { a * b + c }
    }

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

    /// `sums += tileᵀ · weights`: `[depth, TILE_ROWS]` and `[depth, TILE_COLUMNS]` give
    /// `[TILE_ROWS, TILE_COLUMNS]`, held in registers all along.
    #[inline(always)]
    fn add_tile<const FUSED: bool>(tile: &[f32], weights: &[f32], sums: &mut [f32]) {
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

    /// Dot products of every input row with each weight row from `first` on: `[columns, rows]`.
    #[inline(always)]
    pub fn dot_columns<const FUSED: bool>(
        job: &Job,
        input: &[f32],
        first: usize,
        sums: &mut [f32],
    ) {
        let depth = job.shape.columns;
        let mut decoded = [0.0; PANEL_DEPTH];
        for (column, sums) in sums.chunks_exact_mut(job.rows).enumerate() {
            for start in (0..depth).step_by(PANEL_DEPTH) {
                let length = PANEL_DEPTH.min(depth - start);
                decode(
                    job.words,
                    job.shape,
                    first + column,
                    start,
                    &mut decoded[..length],
                );
                for (row, sum) in input.chunks_exact(depth).zip(sums.iter_mut()) {
                    *sum += dot::<FUSED>(&row[start..start + length], &decoded[..length]);
                }
            }
        }
    }

    /// A dot product in 16 independent sums, enough to hide the latency of the additions.
    #[inline(always)]
    fn dot<const FUSED: bool>(left: &[f32], right: &[f32]) -> f32 {
        const LANES: usize = 16;
        let mut lanes = [0.0_f32; LANES];
        let (left, right) = (left.chunks_exact(LANES), right.chunks_exact(LANES));
        let tail: f32 = left
            .remainder()
            .iter()
            .zip(right.remainder())
            .map(|(a, b)| a * b)
            .sum();
        for (left, right) in left.zip(right) {
            for lane in 0..LANES {
                lanes[lane] = multiply_add::<FUSED>(left[lane], right[lane], lanes[lane]);
            }
        }
        lanes.iter().sum::<f32>() + tail
    }

    /// Adds the bias from column `first` on and applies the activation, in place.
    #[inline(always)]
    pub fn epilogue(job: &Job, first: usize, values: &mut [f32]) {
        if let Some(bias) = job.bias {
            for (value, bias) in values.iter_mut().zip(&bias[first..]) {
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

/// [`portable`], entered through the best instruction set of this machine.
#[cfg(target_arch = "x86_64")]
mod vectorised {
    use super::*;

    /// Defines `name`, which runs `portable::name` with AVX2 and FMA where the machine has them.
    macro_rules! dispatch {
        ($name:ident, $avx2:path, $baseline:path, ($($argument:ident: $type:ty),*)) => {
            pub fn $name($($argument: $type),*) {
                #[target_feature(enable = "avx2,fma,f16c")]
                fn avx2($($argument: $type),*) {
                    $avx2($($argument),*)
                }
                if is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
                {
                    // SAFETY: the three features that `avx2` is compiled for were just detected.
                    unsafe { avx2($($argument),*) }
                } else {
                    $baseline($($argument),*)
                }
            }
        };
    }

    dispatch!(panel, portable::panel::<true>, portable::panel::<false>,
        (job: &Job, tiles: &[f32], first: usize, sums: &mut [f32]));
    dispatch!(dot_columns, portable::dot_columns::<true>, portable::dot_columns::<false>,
        (job: &Job, input: &[f32], first: usize, sums: &mut [f32]));
    dispatch!(epilogue, portable::epilogue, portable::epilogue,
        (job: &Job, first: usize, values: &mut [f32]));
}

/// [`portable`] as it is: the target's baseline already has all the vector instructions we use.
#[cfg(not(target_arch = "x86_64"))]
mod vectorised {
    use super::*;

    const FUSED: bool = cfg!(target_arch = "aarch64");

    pub fn panel(job: &Job, tiles: &[f32], first: usize, sums: &mut [f32]) {
        portable::panel::<FUSED>(job, tiles, first, sums)
    }

    pub fn dot_columns(job: &Job, input: &[f32], first: usize, sums: &mut [f32]) {
        portable::dot_columns::<FUSED>(job, input, first, sums)
    }

    pub fn epilogue(job: &Job, first: usize, values: &mut [f32]) {
        portable::epilogue(job, first, values)
    }
}
