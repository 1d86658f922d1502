//! How far a result may be from the reference's, as `|ours - reference| / |reference|`.

use obscura::device::Placement;

/// Bounds for one device, in single precision.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// Outputs of an encoder.
    pub encoder: f32,
    /// Logits, at the end of everything.
    pub logits: f32,
    /// Probabilities and scores, absolute.
    pub score: f32,
    /// One minus the cosine of an embedding with the reference's.
    pub cosine: f32,
}

impl Tolerance {
    pub fn of(placement: &Placement) -> Self {
        let encoder = if placement.name == "cpu" { 1e-5 } else { 1e-4 };
        Self { encoder, logits: 1e-4, score: 1e-4, cosine: 1e-5 }
    }
}

/// Asserts that the relative error stays within `bound`.
#[track_caller]
pub fn assert_close(what: &str, ours: &[f32], reference: &[f32], bound: f32) {
    assert_eq!(ours.len(), reference.len(), "{what}: number of values");
    let square = |value: f32| f64::from(value) * f64::from(value);
    let difference: f64 = ours.iter().zip(reference).map(|(a, b)| square(a - b)).sum();
    let length: f64 = reference.iter().map(|value| square(*value)).sum();
    let error = (difference / length).sqrt();
    // Written so that a NaN fails.
    assert!(error <= f64::from(bound), "{what}: relative error {error:.2e}, allowed {bound:.0e}");
}

/// Asserts that two unit vectors point the same way.
#[track_caller]
pub fn assert_same_direction(what: &str, ours: &[f32], reference: &[f32], bound: f32) {
    assert_eq!(ours.len(), reference.len(), "{what}: width");
    let cosine: f64 = ours.iter().zip(reference).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    assert!(cosine >= 1.0 - f64::from(bound), "{what}: cosine {cosine:.7}");
}
