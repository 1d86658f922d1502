//! Bicubic resizing of a grid of position embeddings, as `torch.nn.functional.interpolate` does it
//! (a = -0.75, `align_corners=False`, no antialiasing): the reference's `interpolate_pos_encoding`.

use super::matmul;
use burn::tensor::{Tensor, TensorData};

/// Keys' cubic convolution kernel at distance `x` with PyTorch's a.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.75;
    let x = x.abs();
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    } else {
        0.0
    }
}

/// The `[to, from]` matrix that resizes a line of `from` samples to `to`. Samples beyond an end
/// repeat the last one.
fn resize_matrix(from: usize, to: usize) -> Vec<f32> {
    let mut matrix = vec![0.0; to * from];
    for (row, weights) in matrix.chunks_exact_mut(from).enumerate() {
        let center = (row as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        let first = center.floor();
        for tap in -1..=2_i32 {
            let at = first + f64::from(tap);
            let index = at.clamp(0.0, (from - 1) as f64) as usize;
            weights[index] += cubic(center - at) as f32;
        }
    }
    matrix
}

/// Position embeddings `[1 + from * from, width]` (the class token's first, if there is one) for a
/// grid of `to` = [rows, columns]: `[1 + rows * columns, width]`.
pub fn resize_positions(positions: Tensor<2>, from: usize, to: [usize; 2]) -> Tensor<2> {
    let [entries, width] = positions.dims();
    let others = entries - from * from;
    assert!(others <= 1, "a square grid, and perhaps a class token");
    if to == [from, from] {
        return positions;
    }
    let device = positions.device();
    let matrix = |size: usize| -> Tensor<2> {
        let data = TensorData::new(resize_matrix(from, size), [size, from]);
        Tensor::from_data(data, &device)
    };
    let grid = positions
        .clone()
        .narrow(0, others, entries - others)
        .reshape([from, from * width]);
    let tall = matmul(matrix(to[0]), grid).reshape([to[0], from, width]);
    let wide = matrix(to[1]).unsqueeze::<3>().expand([to[0], to[1], from]);
    let grid = matmul(wide, tall).reshape([to[0] * to[1], width]);
    match others {
        0 => grid,
        _ => Tensor::cat(vec![positions.narrow(0, 0, others), grid], 0),
    }
}
