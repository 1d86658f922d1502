//! BLEU (Papineni et al. 2002) over a whole corpus, as pycocoevalcap's `Bleu(4)` computes it: runs
//! clipped by the reference that has most of them, the length penalty from the closest reference.

use super::{Candidate, Counts, LONGEST, count_runs};

/// Keep the reference's quotients finite: an empty caption scores 0.
const SMALL: f64 = 1e-9;
const TINY: f64 = 1e-15;

/// BLEU-1 to BLEU-4, each in 0..=1.
///
/// # Panics
/// If a candidate has no reference.
pub fn bleu(candidates: &[Candidate]) -> [f64; LONGEST] {
    let mut matched = [0usize; LONGEST];
    let mut generated = [0usize; LONGEST];
    let (mut length, mut reference_length) = (0, 0);
    for candidate in candidates {
        let tokens = candidate.caption.len();
        length += tokens;
        reference_length += closest_length(candidate);
        let allowed = most_of_each(&candidate.references);
        for (run, count) in count_runs(&candidate.caption) {
            matched[run.len() - 1] += count.min(allowed.get(run).copied().unwrap_or(0));
        }
        for (shorter, total) in generated.iter_mut().enumerate() {
            *total += tokens.saturating_sub(shorter);
        }
    }
    let penalty = brevity_penalty(length, reference_length);
    let mut product = 1.0;
    std::array::from_fn(|index| {
        product *= (matched[index] as f64 + TINY) / (generated[index] as f64 + SMALL);
        product.powf(1.0 / (index + 1) as f64) * penalty
    })
}

/// The length of the reference that is nearest in length; the shorter of two equally near.
fn closest_length(candidate: &Candidate) -> usize {
    let length = candidate.caption.len();
    let lengths = candidate.references.iter().map(Vec::len);
    let closest = lengths.min_by_key(|reference| (reference.abs_diff(length), *reference));
    closest.expect("a candidate has no reference, expected at least one")
}

fn most_of_each(references: &[Vec<String>]) -> Counts<'_> {
    let mut most = Counts::new();
    for reference in references {
        for (run, count) in count_runs(reference) {
            let known = most.entry(run).or_default();
            *known = count.max(*known);
        }
    }
    most
}

fn brevity_penalty(length: usize, reference_length: usize) -> f64 {
    let ratio = (length as f64 + TINY) / (reference_length as f64 + SMALL);
    if ratio < 1.0 {
        (1.0 - 1.0 / ratio).exp()
    } else {
        1.0
    }
}
