//! In place of `src/kernels/linear`, whose tensors are Burn's: its ways to compute a layer, over slices.

#[path = "../../../src/kernels/linear/cpu"]
mod cpu {
    mod blocks;
    pub mod bytes;
    mod columns;
    mod floats;
    mod integers;
    pub mod job;
    mod panels;
    mod rounding;

    use super::Way;
    use crate::kernels::PackedFormat;
    use crate::kernels::simd::Output;
    use job::Job;

    /// Whether this way is there for the job; if so, its output has been computed.
    pub fn compute(job: &Job, way: Way, input: &[f32], output: &Output) -> bool {
        let is_quantized = matches!(job.shape.format, PackedFormat::Q8 | PackedFormat::Q4);
        match way {
            Way::Floats if !is_quantized && job.rows == 1 => floats::few_rows(job, input, output),
            Way::Floats => panels::many_rows(job, input, output),
            Way::Shorts if is_quantized && job.rows <= blocks::FEW_ROWS => {
                return blocks::few_rows(job, input, output);
            }
            Way::Shorts => return is_quantized && integers::many_rows(job, input, output),
            Way::Bytes(_) => return is_quantized && bytes::many_rows(job, input, output),
        }
        true
    }
}
#[path = "../../../src/kernels/linear/naive.rs"]
pub mod naive;

use super::simd::Output;
use super::{Activation, PackedFormat, PackedShape};

/// How inputs are multiplied with weights.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    Floats,
    Shorts,
    /// With the largest of them.
    Bytes(u8),
}

/// The largest byte of an input, if this processor multiplies bytes.
pub fn exact_levels() -> Option<u8> {
    cpu::bytes::levels(PackedFormat::Q8)
}

/// `pretend_pairs` is for tests with Burn.
pub fn pretends_pairs() -> bool {
    false
}

/// `input · weightᵀ + bias` in this way, if there is such a way to compute it.
pub fn compute(
    way: Way,
    rows: usize,
    input: &[f32],
    words: &[u32],
    bias: &[f32],
    shape: PackedShape,
) -> Option<Vec<f32>> {
    let job = cpu::job::Job {
        rows,
        words,
        bias: Some(bias),
        residual: None,
        shape,
        activation: Activation::None,
        is_exact: false,
    };
    let mut values = vec![0.0; rows * shape.rows];
    let output = Output::new(&mut values, shape.rows);
    let is_computed = cpu::compute(&job, way, input, &output);
    is_computed.then_some(values)
}
