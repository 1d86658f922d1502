//! Products of matrices that are both computed.

use crate::kernels;
use burn::tensor::Tensor;

/// `left · right` over the last two dimensions, in batches over those before: `[..., rows, depth]` and
/// `[..., depth, columns]` to `[..., rows, columns]`.
pub fn matmul<const D: usize>(left: Tensor<D>, right: Tensor<D>) -> Tensor<D> {
    // Training takes Burn's, for its gradient. The browser does not train, and Burn's would be a third
    // of the code that it has to fetch.
    if cfg!(feature = "train") {
        return left.matmul(right);
    }
    let (mut shape, right_shape) = (left.dims(), right.dims());
    let [rows, depth, columns] = [shape[D - 2], shape[D - 1], right_shape[D - 1]];
    let batch = shape[..D - 2].iter().product::<usize>();
    let left = left.reshape([batch, rows, depth]);
    let right = right.reshape([batch, depth, columns]);
    shape[D - 1] = columns;
    kernels::matmul(left, right).reshape(shape)
}
