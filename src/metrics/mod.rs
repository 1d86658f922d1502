//! What a model's answers are worth, computed from plain values: generated and given texts,
//! similarities, scores. Nothing here runs a model.
//!
//! Captions are scored as the `pycocoevalcap` Python package scores them, answers as the VQA v2
//! challenge does, so that numbers compare with published ones. [`data`] reads the files.

pub mod bleu;
pub mod cider;
pub mod classification;
pub mod data;
pub mod recall;
pub mod tokens;
pub mod vqa;

pub use bleu::bleu;
pub use cider::cider;

use std::collections::BTreeMap;

/// A generated caption and the captions that people gave the same picture, all as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The generated caption.
    pub caption: Vec<String>,
    /// The given ones, at least one.
    pub references: Vec<Vec<String>>,
}

impl Candidate {
    /// Takes the texts apart with [`tokens::tokenize`].
    pub fn new<Text: AsRef<str>>(caption: &str, references: &[Text]) -> Self {
        let references = references.iter();
        Self {
            caption: tokens::tokenize(caption),
            references: references
                .map(|text| tokens::tokenize(text.as_ref()))
                .collect(),
        }
    }
}

/// The longest run of tokens that BLEU and CIDEr look at.
const LONGEST: usize = 4;

/// How often each run of 1 to 4 tokens occurs. Ordered, so that sums come out the same every time.
type Counts<'a> = BTreeMap<&'a [String], usize>;

fn count_runs(tokens: &[String]) -> Counts<'_> {
    let mut counts = Counts::new();
    for length in 1..=LONGEST {
        for run in tokens.windows(length) {
            *counts.entry(run).or_default() += 1;
        }
    }
    counts
}

/// The mean, 0 of nothing.
fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1);
    values.fold(0.0, |sum, value| sum + value) / count as f64 // an empty `sum` is -0.0
}

/// How many of the others score at least as well as `scores[own]`. Ties count against it, so that
/// a model that gives everything the same score finds nothing; not-a-number counts as a win of the
/// others.
fn rank(scores: impl IntoIterator<Item = f32>, own: usize, own_score: f32) -> usize {
    let others = scores
        .into_iter()
        .enumerate()
        .filter(|(place, _)| *place != own);
    others
        .filter(|(_, score)| score.is_nan() || own_score.is_nan() || *score >= own_score)
        .count()
}

#[cfg(test)]
mod tests;
