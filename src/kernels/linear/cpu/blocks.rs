//! Few rows, weights in quantized blocks: dot products in integers.
//!
//! Turning each weight into a float would cost more than all else here, as it is used but once or twice.
//! So the input is turned into integers instead, once for all weights.

use super::job::Job;
use super::rounding::round_block;
use crate::kernels::PackedFormat;
use crate::kernels::layout::{BLOCK, SHORTS_IN_BLOCK, unpack_bytes, unpack_nibbles};
use crate::kernels::simd::{LANES, Lanes, Output, Shorts, for_each, vectorised};

/// Rows at most.
pub const FEW_ROWS: usize = 3;
/// Outputs of one task.
const TASK: usize = 64;

/// A block of a row of the input as integers, and what they are to be multiplied by.
#[derive(Clone, Copy, Default)]
#[repr(align(16))]
struct Input {
    values: [[i16; 2 * LANES]; SHORTS_IN_BLOCK],
    scale: f32,
}

/// Computes the layer for up to [`FEW_ROWS`] rows, if they can be turned into integers.
pub fn few_rows(job: &Job, input: &[f32], output: &Output) -> bool {
    let mut inputs = vec![Input::default(); input.len() / BLOCK];
    round(job, input, &mut inputs);
    if !inputs.iter().all(|input| input.scale.is_finite()) {
        return false;
    }
    for_each(
        job.shape.rows.div_ceil(TASK),
        || (),
        |(), task| match job.shape.format {
            PackedFormat::Q4 => dot_nibbles(job, &inputs, task * TASK, output),
            _ => dot_bytes(job, &inputs, task * TASK, output),
        },
    );
    true
}

vectorised!(round(job: &Job, input: &[f32], inputs: &mut [Input]));
vectorised!(dot_bytes(job: &Job, inputs: &[Input], first: usize, output: &Output));
vectorised!(dot_nibbles(job: &Job, inputs: &[Input], first: usize, output: &Output));

mod portable {
    use super::*;

    /// `[rows, blocks]` gives `[blocks, rows]`.
    #[inline(always)]
    pub fn round<const FUSED: bool>(job: &Job, input: &[f32], inputs: &mut [Input]) {
        let blocks = job.shape.blocks_per_row();
        for (index, values) in input.as_chunks().0.iter().enumerate() {
            let (values, scale) = round_block::<FUSED>(values);
            inputs[index % blocks * job.rows + index / blocks] = Input {
                values: bytemuck::cast(values),
                scale,
            };
        }
    }

    #[inline(always)]
    pub fn dot_bytes<const FUSED: bool>(
        job: &Job,
        inputs: &[Input],
        first: usize,
        output: &Output,
    ) {
        dot_task::<FUSED, BLOCK>(job, inputs, first, output, unpack_bytes);
    }

    #[inline(always)]
    pub fn dot_nibbles<const FUSED: bool>(
        job: &Job,
        inputs: &[Input],
        first: usize,
        output: &Output,
    ) {
        dot_task::<FUSED, { BLOCK / 2 }>(job, inputs, first, output, unpack_nibbles);
    }

    /// The outputs of the task that starts at column `first`. `unpack` takes the bytes of a block of
    /// weights.
    #[inline(always)]
    fn dot_task<const FUSED: bool, const BYTES: usize>(
        job: &Job,
        inputs: &[Input],
        first: usize,
        output: &Output,
        unpack: impl Fn(&[u8; BYTES]) -> [Shorts<FUSED>; SHORTS_IN_BLOCK],
    ) {
        match job.rows {
            0 => {}
            1 => dot_columns::<FUSED, BYTES, 1>(job, inputs, first, output, unpack),
            2 => dot_columns::<FUSED, BYTES, 2>(job, inputs, first, output, unpack),
            FEW_ROWS => dot_columns::<FUSED, BYTES, FEW_ROWS>(job, inputs, first, output, unpack),
            rows => unreachable!("{rows} rows are not few"),
        }
    }

    #[inline(always)]
    fn dot_columns<const FUSED: bool, const BYTES: usize, const ROWS: usize>(
        job: &Job,
        inputs: &[Input],
        first: usize,
        output: &Output,
        unpack: impl Fn(&[u8; BYTES]) -> [Shorts<FUSED>; SHORTS_IN_BLOCK],
    ) {
        let columns = TASK.min(job.shape.rows - first);
        let per_row = job.shape.blocks_per_row();
        let (values, scales) = (job.words).split_at(job.shape.rows * job.shape.words_per_row());
        let (values, _) = bytemuck::cast_slice::<u32, u8>(values).as_chunks::<BYTES>();
        let scales: &[f32] = bytemuck::cast_slice(scales);
        let (inputs, _) = inputs.as_chunks::<ROWS>();
        let mut sums = [[0.0; TASK]; ROWS];
        for column in 0..columns {
            // One column after the other, so that memory is read from its beginning to its end.
            let range = (first + column) * per_row..(first + column + 1) * per_row;
            let (values, scales) = (&values[range.clone()], &scales[range]);
            let mut totals = [Lanes::splat(0.0); ROWS];
            for ((inputs, values), scale) in inputs.iter().zip(values).zip(scales) {
                let weights = unpack(values);
                for (input, total) in inputs.iter().zip(&mut totals) {
                    let scale = Lanes::splat(scale * input.scale);
                    *total = dot_block(&input.values, weights).multiply_add(scale, *total);
                }
            }
            for (sums, total) in sums.iter_mut().zip(totals) {
                sums[column] = total.sum();
            }
        }
        job.finish(first, TASK, sums.as_flattened_mut());
        for (row, sums) in sums.iter_mut().enumerate() {
            job.add_residual(row, first, &mut sums[..columns]);
            // SAFETY: each task has columns of its own.
            unsafe { output.write(row, first, &sums[..columns]) };
        }
    }

    /// The products of a block of the input with one of weights, to be summed over the lanes.
    #[inline(always)]
    fn dot_block<const FUSED: bool>(
        inputs: &[[i16; 2 * LANES]; SHORTS_IN_BLOCK],
        weights: [Shorts<FUSED>; SHORTS_IN_BLOCK],
    ) -> Lanes<FUSED> {
        let mut sum = weights[0].dot(Shorts::load(&inputs[0]));
        for part in 1..SHORTS_IN_BLOCK {
            sum = sum.add(weights[part].dot(Shorts::load(&inputs[part])));
        }
        sum.to_floats()
    }
}
