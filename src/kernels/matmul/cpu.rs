//! A product of matrices on the CPU: each row of the result is a weighted sum of rows, a loop that
//! runs along memory.

use crate::kernels::simd::{for_each_chunk, multiply_add, vectorised};
use burn::tensor::TensorData;
use burn_flex::FlexTensor;

/// See [`crate::kernels::matmul()`].
pub fn matmul(left: FlexTensor, right: FlexTensor) -> FlexTensor {
    let [batch, rows, depth]: [usize; 3] = left.layout().shape().dims();
    let [_, _, columns]: [usize; 3] = right.layout().shape().dims();
    let [left, right] = [left, right].map(|tensor| tensor.to_contiguous());
    let left: &[f32] = left.as_slice().expect("contiguous f32 values");
    let right: &[f32] = right.as_slice().expect("contiguous f32 values");
    let mut output = vec![0.0; batch * rows * columns];
    for_each_chunk(&mut output, columns, |row, output| {
        let left = &left[row * depth..(row + 1) * depth];
        let right = &right[row / rows * depth * columns..][..depth * columns];
        weighted_sum(left, right, output);
    });
    FlexTensor::from_data(TensorData::new(output, [batch, rows, columns]))
}

vectorised!(weighted_sum(weights: &[f32], rows: &[f32], sum: &mut [f32]));

mod portable {
    use super::*;

    /// `rows` is `[weights, sum]`; `sum` starts as zeros.
    #[inline(always)]
    pub fn weighted_sum<const FUSED: bool>(weights: &[f32], rows: &[f32], sum: &mut [f32]) {
        for (weight, row) in weights.iter().zip(rows.chunks_exact(sum.len())) {
            for (sum, value) in sum.iter_mut().zip(row) {
                *sum = multiply_add::<FUSED>(*weight, *value, *sum);
            }
        }
    }
}
