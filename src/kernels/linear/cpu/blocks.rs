//! Few rows, weights in quantized blocks: dot products in integers.
//!
//! Turning each weight into a float would cost more than all else here, as it is used but once or twice.
//! So the input is turned into integers instead, once for all weights.

use super::job::Job;
use super::rounding::round_row;
use crate::kernels::PackedFormat;
use crate::kernels::layout::{BLOCK, SHORTS_IN_BLOCK, unpack_bytes, unpack_nibbles};
use crate::kernels::simd::{LANES, Lanes, Output, Shorts, for_each, vectorised};

/// Rows at most.
pub const FEW_ROWS: usize = 3;
/// Outputs of one task.
const TASK: usize = 64;

/// A block of a row of the input as integers.
type Input = [[i16; 2 * LANES]; SHORTS_IN_BLOCK];

/// Computes the layer for up to [`FEW_ROWS`] rows, if they can be turned into integers.
pub fn few_rows(job: &Job, input: &[f32], output: &Output) -> bool {
    let mut inputs = vec![Input::default(); input.len() / BLOCK];
    let mut scales = [0.0; FEW_ROWS];
    round(job, input, &mut inputs, &mut scales);
    if !scales.iter().all(|scale| scale.is_finite()) {
        return false;
    }
    for_each(
        job.shape.rows.div_ceil(TASK),
        || (),
        |(), task| match job.shape.format {
            PackedFormat::Q4 => dot_nibbles(job, &inputs, &scales, task * TASK, output),
            _ => dot_bytes(job, &inputs, &scales, task * TASK, output),
        },
    );
    true
}

/// Of each row.
type Scales = [f32; FEW_ROWS];

vectorised!(round(job: &Job, input: &[f32], inputs: &mut [Input], scales: &mut Scales));
vectorised!(dot_bytes(job: &Job, inputs: &[Input], scales: &Scales, first: usize, output: &Output));
vectorised!(dot_nibbles(job: &Job, inputs: &[Input], scales: &Scales, first: usize, output: &Output));

mod portable {
    use super::*;

    /// `[rows, blocks]` gives `[blocks, rows]`.
    #[inline(always)]
    pub fn round<const FUSED: bool>(
        job: &Job,
        input: &[f32],
        inputs: &mut [Input],
        scales: &mut Scales,
    ) {
        let rows = input.as_chunks().0.chunks_exact(job.shape.blocks_per_row());
        for (row, (values, scale)) in rows.zip(scales).enumerate() {
            *scale = round_row::<FUSED>(values, |block, shorts| {
                inputs[block * job.rows + row] = shorts;
            });
        }
    }

    #[inline(always)]
    pub fn dot_bytes<const FUSED: bool>(
        job: &Job,
        inputs: &[Input],
        scales: &Scales,
        first: usize,
        output: &Output,
    ) {
        dot_task::<FUSED, BLOCK>(job, inputs, scales, first, output, unpack_bytes);
    }

    #[inline(always)]
    pub fn dot_nibbles<const FUSED: bool>(
        job: &Job,
        inputs: &[Input],
        scales: &Scales,
        first: usize,
        output: &Output,
    ) {
        dot_task::<FUSED, { BLOCK / 2 }>(job, inputs, scales, first, output, unpack_nibbles);
    }

    /// The outputs of the task that starts at column `first`. `unpack` takes the bytes of a block of
    /// weights.
    #[inline(always)]
    fn dot_task<const FUSED: bool, const BYTES: usize>(
        job: &Job,
        inputs: &[Input],
        scales: &Scales,
        first: usize,
        output: &Output,
        unpack: impl Fn(&[u8; BYTES]) -> [Shorts<FUSED>; SHORTS_IN_BLOCK],
    ) {
        match job.rows {
            0 => {}
            1 => dot_columns::<FUSED, BYTES, 1>(job, inputs, scales, first, output, unpack),
            2 => dot_columns::<FUSED, BYTES, 2>(job, inputs, scales, first, output, unpack),
            FEW_ROWS => {
                dot_columns::<FUSED, BYTES, FEW_ROWS>(job, inputs, scales, first, output, unpack)
            }
            rows => unreachable!("{rows} rows are not few"),
        }
    }

    #[inline(always)]
    fn dot_columns<const FUSED: bool, const BYTES: usize, const ROWS: usize>(
        job: &Job,
        inputs: &[Input],
        scales: &Scales,
        first: usize,
        output: &Output,
        unpack: impl Fn(&[u8; BYTES]) -> [Shorts<FUSED>; SHORTS_IN_BLOCK],
    ) {
        let columns = TASK.min(job.shape.rows - first);
        let per_row = job.shape.blocks_per_row();
        let (values, of_weights) = (job.words).split_at(job.shape.rows * job.shape.words_per_row());
        let (values, _) = bytemuck::cast_slice::<u32, u8>(values).as_chunks::<BYTES>();
        let of_weights: &[f32] = bytemuck::cast_slice(of_weights);
        let (inputs, _) = inputs.as_chunks::<ROWS>();
        let mut sums = [[0.0; TASK]; ROWS];
        for column in 0..columns {
            // One column after the other, so that memory is read from its beginning to its end.
            let range = (first + column) * per_row..(first + column + 1) * per_row;
            let (values, of_weights) = (&values[range.clone()], &of_weights[range]);
            let mut totals = [Lanes::splat(0.0); ROWS];
            for ((inputs, values), scale) in inputs.iter().zip(values).zip(of_weights) {
                let (weights, scale) = (unpack(values), Lanes::splat(*scale));
                for (input, total) in inputs.iter().zip(&mut totals) {
                    *total = dot_block(input, weights).multiply_add(scale, *total);
                }
            }
            for ((sums, total), scale) in sums.iter_mut().zip(totals).zip(scales) {
                sums[column] = total.sum() * scale;
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
