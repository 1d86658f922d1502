//! What attention computes for one head, in double precision.

/// `queries` `[rows, width]`, `keys` and `values` `[tokens, width]` give `[rows, width]`. With
/// `causal`, the queries are the last tokens, and each sees itself and those before it.
pub fn attend_head(
    queries: &[f32],
    keys: &[f32],
    values: &[f32],
    width: usize,
    causal: bool,
) -> Vec<f32> {
    let mut output = Vec::new();
    let (rows, tokens) = (queries.len() / width, keys.len() / width);
    for (row, query) in queries.chunks_exact(width).enumerate() {
        let seen = if causal {
            tokens - rows + row + 1
        } else {
            tokens
        };
        let scores: Vec<f64> = keys
            .chunks_exact(width)
            .take(seen)
            .map(|key| {
                let products = query.iter().zip(key);
                let dot: f64 = products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                dot / (width as f64).sqrt()
            })
            .collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
        let total: f64 = weights.iter().sum();
        for column in 0..width {
            let rows = values.chunks_exact(width).zip(&weights);
            let sum: f64 = rows
                .map(|(value, weight)| f64::from(value[column]) * weight)
                .sum();
            output.push((sum / total) as f32);
        }
    }
    output
}
