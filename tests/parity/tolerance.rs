//! How far results may be from the reference's, and by what measures.

use obscura::device::Placement;
use obscura::kernels::PackedFormat;

/// Bounds for one device, in single precision.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// Our own pixels, absolute.
    pub pixels: f64,
    /// Outputs of an encoder, `|ours - reference| / |reference|`.
    pub encoder: f64,
    /// Logits, at the end of everything, by the same measure.
    pub logits: f64,
    /// Probabilities and scores, absolute.
    pub score: f64,
    /// One minus the cosine of an embedding with the reference's.
    pub cosine: f64,
}

impl Tolerance {
    pub fn of(placement: &Placement) -> Self {
        let encoder = if placement.name == "cpu" { 1e-5 } else { 1e-4 };
        Self {
            pixels: 1e-6,
            encoder,
            logits: 1e-4,
            score: 1e-4,
            cosine: 1e-5,
        }
    }
}

/// How far weights of a lower precision may turn a result: the least cosine with the reference's
/// single precision, of every single vector.
#[derive(Clone, Copy, Debug)]
pub struct Quality {
    /// The format that every weight matrix is brought to.
    pub format: PackedFormat,
    /// Embeddings of pictures and texts, and encoders' states.
    pub states: f64,
    /// Logits after each token of a text.
    pub logits: f64,
}

/// `|ours - reference| / |reference|`.
pub fn relative_error(ours: &[f32], reference: &[f32]) -> f64 {
    let square = |value: f64| value * value;
    let difference: f64 = pairs(ours, reference).map(|(a, b)| square(a - b)).sum();
    let length: f64 = reference.iter().map(|value| square((*value).into())).sum();
    (difference / length).sqrt()
}

/// The largest difference of two numbers at the same place; not a number if there is none.
pub fn largest_difference(ours: &[f32], reference: &[f32]) -> f64 {
    let differences = pairs(ours, reference).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |largest, difference| {
        if difference <= largest {
            largest
        } else {
            difference
        }
    })
}

/// One minus the cosine of two vectors.
pub fn turned(ours: &[f32], reference: &[f32]) -> f64 {
    let dot: f64 = pairs(ours, reference).map(|(a, b)| a * b).sum();
    let length = |values: &[f32]| -> f64 {
        let squares = values.iter().map(|value| f64::from(*value).powi(2));
        squares.sum::<f64>().sqrt()
    };
    1.0 - dot / (length(ours) * length(reference))
}

#[track_caller]
fn pairs(ours: &[f32], reference: &[f32]) -> impl Iterator<Item = (f64, f64)> {
    assert_eq!(ours.len(), reference.len(), "number of values");
    ours.iter()
        .zip(reference)
        .map(|(a, b)| (f64::from(*a), f64::from(*b)))
}
