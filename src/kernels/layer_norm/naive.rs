//! What layer normalisation computes, in double precision.

/// `(x - mean) / sqrt(variance + epsilon) * weight + bias` of each row of `weight.len()` values.
pub fn layer_norm(input: &[f32], weight: &[f32], bias: &[f32], epsilon: f64) -> Vec<f32> {
    let width = weight.len() as f64;
    let rows = input.chunks_exact(weight.len());
    rows.flat_map(|row| {
        let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / width;
        let squares = row.iter().map(|x| (f64::from(*x) - mean).powi(2));
        let scale = 1.0 / (squares.sum::<f64>() / width + epsilon).sqrt();
        let affine = weight.iter().zip(bias);
        row.iter().zip(affine).map(move |(x, (weight, bias))| {
            ((f64::from(*x) - mean) * scale * f64::from(*weight) + f64::from(*bias)) as f32
        })
    })
    .collect()
}
