//! What a product of matrices is, in double precision.

/// `left` `[rows, depth]` times `right` `[depth, columns]`: `[rows, columns]`.
pub fn matmul(left: &[f32], right: &[f32], depth: usize, columns: usize) -> Vec<f32> {
    let mut output = Vec::new();
    for row in left.chunks_exact(depth) {
        for column in 0..columns {
            let right = right.iter().skip(column).step_by(columns);
            let products = row.iter().zip(right);
            let sum: f64 = products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            output.push(sum as f32);
        }
    }
    output
}
