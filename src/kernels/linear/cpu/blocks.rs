//! Few rows, weights in quantized blocks: dot products in integers.
//!
//! Turning each weight into a float would cost more than all else here, as it is used but once. So
//! the input is turned into integers instead, once for all weights, of 30 bits, in two halves of
//! 16 bits each: products with weights of up to 8 bits then add up exactly in 32 bits, two a
//! lane and instruction. Nothing is lost that a float would have kept.

use super::job::Job;
use crate::kernels::PackedFormat;
use crate::kernels::layout::{BLOCK, SHORTS_IN_BLOCK, unpack_bytes, unpack_nibbles};
use crate::kernels::simd::{LANES, Lanes, Output, Shorts, for_each, vectorised};

/// Bits of the lower half; the upper one then has at most 15 with its sign.
const LOW_BITS: u32 = 15;
/// Outputs of one task.
const TASK: usize = 64;

/// A block of an input as integers: their upper and lower halves.
type FixedBlock = [[[i16; 2 * LANES]; SHORTS_IN_BLOCK]; 2];

/// A row of the input as integers and what they are to be multiplied by.
struct Fixed {
    blocks: Vec<FixedBlock>,
    scale: f32,
}

impl Fixed {
    /// `None` if a value is not finite or all are all but zero.
    fn new(row: &[f32]) -> Option<Self> {
        const LARGEST: f32 = (1 << 29) as f32;
        let finite = row.iter().all(|value| value.is_finite());
        let largest = row
            .iter()
            .fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let factor = LARGEST / largest;
        if !finite || !factor.is_finite() {
            return None;
        }
        let blocks = row.as_chunks::<BLOCK>().0.iter().map(|values| {
            let mut block = FixedBlock::default();
            let [high, low] = &mut block;
            let (high, low) = (high.as_flattened_mut(), low.as_flattened_mut());
            for ((value, high), low) in values.iter().zip(high).zip(low) {
                let value = (value * factor) as i32;
                let upper = (value + (1 << (LOW_BITS - 1))) >> LOW_BITS;
                (*high, *low) = (upper as i16, (value - (upper << LOW_BITS)) as i16);
            }
            block
        });
        Some(Self {
            blocks: blocks.collect(),
            scale: largest / LARGEST,
        })
    }
}

/// Computes the layer for few rows, if they can be turned into integers.
pub fn few_rows(job: &Job, input: &[f32], output: &Output) -> bool {
    let rows: Option<Vec<Fixed>> = input
        .chunks_exact(job.shape.columns)
        .map(Fixed::new)
        .collect();
    let Some(rows) = rows else { return false };
    let tasks = job.shape.rows.div_ceil(TASK);
    for_each(
        tasks,
        || (),
        |(), task| match job.shape.format {
            PackedFormat::Q4 => dot_nibbles(job, &rows, task * TASK, output),
            _ => dot_bytes(job, &rows, task * TASK, output),
        },
    );
    true
}

vectorised!(dot_bytes(job: &Job, rows: &[Fixed], first: usize, output: &Output));
vectorised!(dot_nibbles(job: &Job, rows: &[Fixed], first: usize, output: &Output));

mod portable {
    use super::*;

    #[inline(always)]
    pub fn dot_bytes<const FUSED: bool>(job: &Job, rows: &[Fixed], first: usize, output: &Output) {
        dot_columns::<FUSED, BLOCK>(job, rows, first, output, unpack_bytes);
    }

    #[inline(always)]
    pub fn dot_nibbles<const FUSED: bool>(
        job: &Job,
        rows: &[Fixed],
        first: usize,
        output: &Output,
    ) {
        dot_columns::<FUSED, { BLOCK / 2 }>(job, rows, first, output, unpack_nibbles);
    }

    /// The outputs of the task that starts at column `first`, for all rows. `unpack` takes the
    /// bytes of a block of weights.
    #[inline(always)]
    fn dot_columns<const FUSED: bool, const BYTES: usize>(
        job: &Job,
        rows: &[Fixed],
        first: usize,
        output: &Output,
        unpack: impl Fn(&[u8; BYTES]) -> [Shorts<FUSED>; SHORTS_IN_BLOCK],
    ) {
        let columns = TASK.min(job.shape.rows - first);
        let per_row = job.shape.blocks_per_row();
        let (values, scales) = job
            .words
            .split_at(job.shape.rows * job.shape.words_per_row());
        let (values, _) = bytemuck::cast_slice::<u32, u8>(values).as_chunks::<BYTES>();
        let scales: &[f32] = bytemuck::cast_slice(scales);
        for (row, input) in rows.iter().enumerate() {
            let mut sums = [0.0; TASK];
            for (column, sum) in sums[..columns].iter_mut().enumerate() {
                // One column after the other, so that memory is read from its beginning to its end.
                let range = (first + column) * per_row..(first + column + 1) * per_row;
                let (values, scales) = (&values[range.clone()], &scales[range]);
                let mut total = Lanes::splat(0.0);
                for ((input, values), scale) in input.blocks.iter().zip(values).zip(scales) {
                    let products = dot_block(input, unpack(values));
                    total = products.multiply_add(Lanes::splat(*scale), total);
                }
                *sum = total.sum() * input.scale;
            }
            job.finish(first, TASK, &mut sums);
            job.add_residual(row, first, &mut sums[..columns]);
            // SAFETY: each task has columns of its own.
            unsafe { output.write(row, first, &sums[..columns]) };
        }
    }

    /// The products of a block of the input with one of weights, to be summed over the lanes.
    #[inline(always)]
    fn dot_block<const FUSED: bool>(
        [high, low]: &FixedBlock,
        weights: [Shorts<FUSED>; SHORTS_IN_BLOCK],
    ) -> Lanes<FUSED> {
        let sum = |input: &[[i16; 2 * LANES]; SHORTS_IN_BLOCK]| -> Lanes<FUSED> {
            let mut sum = weights[0].dot(Shorts::load(&input[0]));
            for part in 1..SHORTS_IN_BLOCK {
                sum = sum.add(weights[part].dot(Shorts::load(&input[part])));
            }
            sum.to_floats()
        };
        sum(high).multiply_add(Lanes::splat((1 << LOW_BITS) as f32), sum(low))
    }
}
