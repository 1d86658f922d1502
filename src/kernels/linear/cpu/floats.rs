//! Few rows, weights in floats: dot products with one row of weights after the other, so that memory
//! is read from its beginning to its end.

use super::job::Job;
use crate::kernels::PackedFormat;
use crate::kernels::simd::{Lanes, Output, dot, dot_with, for_each, vectorised};

/// Outputs of one task.
const TASK: usize = 64;
/// Computes the layer for few rows.
pub fn few_rows(job: &Job, input: &[f32], output: &Output) {
    let tasks = job.shape.rows.div_ceil(TASK);
    for_each(
        tasks,
        || (),
        |(), task| dot_columns(job, input, task * TASK, output),
    );
}

vectorised!(dot_columns(job: &Job, input: &[f32], first: usize, output: &Output));

mod portable {
    use super::*;

    /// The outputs of the task that starts at column `first`, for all rows.
    #[inline(always)]
    pub fn dot_columns<const FUSED: bool>(job: &Job, input: &[f32], first: usize, output: &Output) {
        let (depth, columns) = (job.shape.columns, TASK.min(job.shape.rows - first));
        for (row, input) in input.chunks_exact(depth).enumerate() {
            let mut sums = [0.0; TASK];
            for (column, sum) in sums[..columns].iter_mut().enumerate() {
                let start = (first + column) * job.shape.words_per_row();
                let words = &job.words[start..start + job.shape.words_per_row()];
                *sum = match job.shape.format {
                    PackedFormat::F16 => {
                        let halves: &[u16] = bytemuck::cast_slice(words);
                        dot_with(input, &halves[..depth], Lanes::<FUSED>::from_halves)
                    }
                    _ => dot::<FUSED>(input, bytemuck::cast_slice(&words[..depth])),
                };
            }
            job.finish(first, TASK, &mut sums);
            job.add_residual(row, first, &mut sums[..columns]);
            // SAFETY: each task has columns of its own.
            unsafe { output.write(row, first, &sums[..columns]) };
        }
    }
}
