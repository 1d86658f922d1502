//! How often the right class is among the first k.

use super::{mean, rank};

/// The share of pictures whose right class is among the `k` best, in 0..=1.
///
/// `scores`: [pictures, classes], higher is better; `labels`: the right class of each picture.
/// Ties count as wrong.
///
/// # Panics
/// If the sizes do not fit each other, or a label is no class.
pub fn top_k_accuracy(scores: &[f32], labels: &[usize], k: usize) -> f64 {
    let classes = scores.len().checked_div(labels.len()).unwrap_or(0);
    assert_eq!(
        scores.len(),
        classes * labels.len(),
        "scores are not [pictures, classes] for {} pictures",
        labels.len()
    );
    let right = labels.iter().enumerate().map(|(picture, &label)| {
        assert!(label < classes, "label {label} of {classes} classes");
        let row = &scores[picture * classes..][..classes];
        let found = rank(row.iter().copied(), label, row[label]) < k;
        f64::from(u8::from(found))
    });
    mean(right)
}
