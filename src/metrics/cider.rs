//! CIDEr-D (Vedantam et al. 2015), as pycocoevalcap's `Cider` computes it: the cosine between the
//! tf-idf vectors of caption and references, clipped, with a penalty for different lengths. The
//! document frequencies come from the references themselves, so a score is only comparable with
//! others on the same pictures.

use super::{Candidate, Counts, LONGEST, count_runs, mean};
use std::collections::{BTreeMap, BTreeSet};

/// Width of the length penalty, in tokens.
const SIGMA: f64 = 6.0;

/// The score of a corpus, and of each caption in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cider {
    /// The mean of `each`.
    pub corpus: f64,
    /// In the order of the candidates, each in 0..=10.
    pub each: Vec<f64>,
}

/// CIDEr-D; 0 for a corpus of one picture, where no word is rarer than another.
///
/// # Panics
/// If a candidate has no reference.
pub fn cider(candidates: &[Candidate]) -> Cider {
    let weights = Weights::of(candidates);
    let each: Vec<f64> = candidates
        .iter()
        .map(|candidate| score(candidate, &weights))
        .collect();
    Cider {
        corpus: mean(each.iter().copied()),
        each,
    }
}

fn score(candidate: &Candidate, weights: &Weights) -> f64 {
    let references = &candidate.references;
    assert!(
        !references.is_empty(),
        "a candidate has no reference, expected at least one"
    );
    let caption = Vector::of(&candidate.caption, weights);
    let similarities = references
        .iter()
        .map(|reference| caption.similarity(&Vector::of(reference, weights)));
    10.0 * mean(similarities)
}

/// What a run of tokens weighs: the less pictures have it in a reference, the more.
struct Weights<'a> {
    pictures: Counts<'a>,
    log_of_all: f64,
}

impl<'a> Weights<'a> {
    fn of(candidates: &'a [Candidate]) -> Self {
        let mut pictures = Counts::new();
        for candidate in candidates {
            let references = candidate.references.iter();
            let runs: BTreeSet<&[String]> = references
                .flat_map(|reference| count_runs(reference).into_keys())
                .collect();
            for run in runs {
                *pictures.entry(run).or_default() += 1;
            }
        }
        Self {
            pictures,
            log_of_all: (candidates.len() as f64).ln(),
        }
    }

    fn weight(&self, run: &[String]) -> f64 {
        let pictures = self.pictures.get(run).copied().unwrap_or(1);
        self.log_of_all - (pictures as f64).ln()
    }
}

/// A text's tf-idf vectors, one for each length of run.
struct Vector<'a> {
    values: [BTreeMap<&'a [String], f64>; LONGEST],
    norms: [f64; LONGEST],
    /// The number of pairs of tokens, which is what the reference takes for the length.
    pairs: usize,
}

impl<'a> Vector<'a> {
    fn of(tokens: &'a [String], weights: &Weights) -> Self {
        let mut values: [BTreeMap<_, f64>; LONGEST] = Default::default();
        for (run, count) in count_runs(tokens) {
            values[run.len() - 1].insert(run, count as f64 * weights.weight(run));
        }
        let norms = std::array::from_fn(|index| {
            let squares = values[index].values().map(|value| value * value);
            squares.sum::<f64>().sqrt()
        });
        Self {
            values,
            norms,
            pairs: tokens.len().saturating_sub(1),
        }
    }

    /// The mean over the lengths of run.
    fn similarity(&self, reference: &Self) -> f64 {
        let difference = self.pairs as f64 - reference.pairs as f64;
        let penalty = (-difference * difference / (2.0 * SIGMA * SIGMA)).exp();
        let cosines = (0..LONGEST).map(|index| self.clipped_cosine(reference, index));
        mean(cosines) * penalty
    }

    /// A word repeated more often than in the reference gains nothing.
    fn clipped_cosine(&self, reference: &Self, index: usize) -> f64 {
        let products = self.values[index].iter().map(|(run, value)| {
            let other = reference.values[index].get(run).copied().unwrap_or(0.0);
            value.min(other) * other
        });
        let norms = self.norms[index] * reference.norms[index];
        let product = products.sum::<f64>();
        if norms == 0.0 {
            product
        } else {
            product / norms
        }
    }
}
