//! A model beside what the reference computed: every result goes into the report.

use super::golden::{Golden, to_vec};
use super::report::{Measure, Report};
use super::tolerance::{Tolerance, largest_difference, relative_error, turned};
use burn::tensor::Tensor;
use obscura::tasks::Model;
use serde_json::Value;
use std::cell::RefCell;

pub struct Comparison<'a> {
    pub golden: &'a Golden,
    pub model: &'a Model,
    pub tolerance: Tolerance,
    report: RefCell<Report>,
}

impl<'a> Comparison<'a> {
    pub fn new(golden: &'a Golden, model: &'a Model) -> Self {
        Self {
            golden,
            model,
            tolerance: Tolerance::of(model.placement()),
            report: RefCell::default(),
        }
    }

    pub fn into_report(self) -> Report {
        self.report.into_inner()
    }

    /// The reference's pixels of a picture: each stage is to answer for itself alone.
    pub fn reference_pixels(&self, picture: &str) -> Tensor<4> {
        let key = format!("pixels/{picture}");
        self.golden.pixels(&key, self.model.placement())
    }

    /// An encoder's output.
    pub async fn states<const D: usize>(&self, key: &str, ours: Tensor<D>) {
        let bound = self.tolerance.encoder;
        self.relative(key, &to_vec(ours).await, bound);
    }

    /// What a head makes of it.
    pub async fn logits<const D: usize>(&self, key: &str, ours: Tensor<D>) {
        self.logits_vec(key, &to_vec(ours).await);
    }

    pub fn logits_vec(&self, key: &str, ours: &[f32]) {
        self.relative(key, ours, self.tolerance.logits);
    }

    /// A unit vector.
    pub async fn direction<const D: usize>(&self, key: &str, ours: Tensor<D>) {
        let error = turned(&to_vec(ours).await, self.golden.values(key));
        let bound = self.tolerance.cosine;
        self.add(stage_of(key), Measure::Direction, bound, error, key);
    }

    /// Our own pixels.
    pub async fn pixels(&self, key: &str, ours: Tensor<4>) {
        let error = largest_difference(&to_vec(ours).await, self.golden.values(key));
        let bound = self.tolerance.pixels;
        self.add(stage_of(key), Measure::Absolute, bound, error, key);
    }

    /// A probability or a score.
    pub fn score(&self, stage: &str, place: &str, found: f32, expected: &Value) {
        let expected = expected.as_f64().expect("a number");
        let place = format!("{place}: {found} for {expected}");
        let error = (f64::from(found) - expected).abs();
        let bound = self.tolerance.score;
        self.add(stage, Measure::Absolute, bound, error, &place);
    }

    /// A log-likelihood, which may be any number: the error is relative.
    pub fn likelihood(&self, stage: &str, place: &str, found: f32, expected: &Value) {
        let expected = expected.as_f64().expect("a number");
        let place = format!("{place}: {found} for {expected}");
        let error = (f64::from(found) - expected).abs() / expected.abs();
        let bound = self.tolerance.logits;
        self.add(stage, Measure::Relative, bound, error, &place);
    }

    /// Something that leaves no freedom.
    pub fn equal<T: PartialEq + std::fmt::Debug>(
        &self,
        stage: &str,
        place: &str,
        found: T,
        expected: T,
    ) {
        let error = f64::from(u8::from(found != expected));
        let place = format!("{place}: {found:?} for {expected:?}");
        self.add(stage, Measure::Equality, 0.0, error, &place);
    }

    fn relative(&self, key: &str, ours: &[f32], bound: f64) {
        let error = relative_error(ours, self.golden.values(key));
        self.add(stage_of(key), Measure::Relative, bound, error, key);
    }

    fn add(&self, stage: &str, measure: Measure, bound: f64, error: f64, place: &str) {
        let mut report = self.report.borrow_mut();
        report.add(stage, measure, bound, error, place.to_string());
    }
}

/// `vision` of `vision/grey.png`; `interpolated/vision` of `interpolated/vision/grey.png`.
pub fn stage_of(key: &str) -> &str {
    let special = key.starts_with("interpolated/") || key == "frames/question_hidden";
    let segments = if special { 2 } else { 1 };
    let end = key.match_indices('/').nth(segments - 1);
    end.map_or(key, |(end, _)| &key[..end])
}
