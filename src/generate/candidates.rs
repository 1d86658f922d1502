//! The few best next tokens of each text, with the reference's logits processors applied: what
//! they change is known (tokens that are already there, the stop token), so the best are found
//! among those and the largest raw logits, and the vocabulary stays on the device.

use super::{GenerationOptions, read_error};
use crate::Result;
use crate::kernels::{ids_tensor, top_logits};
use burn::tensor::{Int, Tensor};

/// A possible next token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The token.
    pub id: u32,
    /// What candidates are ordered by, after the processors.
    pub score: f32,
    /// Its log-probability by the model alone.
    pub log_probability: f32,
}

/// What processors act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scores {
    /// Logits: one text.
    Logits,
    /// Log-probabilities: beams.
    LogProbabilities,
}

/// The `count` best candidates after each of `texts`, best first, out of `logits`
/// (`[texts, vocabulary]`).
pub async fn best_candidates(
    logits: Tensor<2>,
    texts: &[Vec<u32>],
    stop: u32,
    count: usize,
    scores: Scores,
    options: &GenerationOptions,
) -> Result<Vec<Vec<Candidate>>> {
    let vocabulary = logits.dims()[1];
    let watched: Vec<Vec<u32>> = texts
        .iter()
        .map(|text| watched_ids(text, stop, options))
        .collect();
    let width = watched.iter().map(Vec::len).max().unwrap_or(1);
    // Each watched token may fall out of the best: that many more are needed.
    let top = (count + width).min(vocabulary);
    let rows: Tensor<2, Int> = ids_tensor(
        watched
            .iter()
            .flat_map(|ids| (0..width).map(|i| ids[i.min(ids.len() - 1)] as i32)),
        &logits.device(),
    )
    .reshape([texts.len(), width]);
    let data = top_logits(logits, rows, top)
        .into_data_async()
        .await
        .map_err(read_error)?;
    let values: Vec<f32> = data.try_to_vec().map_err(read_error)?;
    let rows = values
        .chunks_exact(2 * top + width + 1)
        .zip(texts)
        .zip(&watched);
    Ok(rows
        .map(|((row, text), watched)| {
            let (largest, rest) = row.split_at(top);
            let (indices, rest) = rest.split_at(top);
            let largest = indices
                .iter()
                .map(|index| *index as u32)
                .zip(largest.iter().copied());
            let watched = watched.iter().copied().zip(rest.iter().copied());
            let process = Processors {
                text,
                stop,
                scores,
                options,
                log_sum_exp: row[row.len() - 1],
            };
            process.best(watched.chain(largest), count)
        })
        .collect())
}

/// The tokens whose scores the processors change, at least one.
fn watched_ids(text: &[u32], stop: u32, options: &GenerationOptions) -> Vec<u32> {
    let mut ids = vec![stop];
    if options.repetition_penalty != 1.0 {
        ids.extend(text);
        ids.sort_unstable();
        ids.dedup();
    }
    ids
}

struct Processors<'a> {
    text: &'a [u32],
    stop: u32,
    scores: Scores,
    options: &'a GenerationOptions,
    log_sum_exp: f32,
}

impl Processors<'_> {
    /// The best of (id, logit) pairs, which may name an id twice.
    fn best(&self, pairs: impl Iterator<Item = (u32, f32)>, count: usize) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> = pairs
            .filter(|(id, _)| *id != self.stop || self.text.len() >= self.options.min_length)
            .map(|(id, logit)| self.candidate(id, logit))
            .collect();
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        candidates.dedup_by_key(|candidate| candidate.id);
        candidates.truncate(count);
        candidates
    }

    fn candidate(&self, id: u32, logit: f32) -> Candidate {
        let log_probability = logit - self.log_sum_exp;
        let mut score = match self.scores {
            Scores::Logits => logit,
            Scores::LogProbabilities => log_probability,
        };
        let penalty = self.options.repetition_penalty;
        if penalty != 1.0 && self.text.contains(&id) {
            score = if score < 0.0 {
                score * penalty
            } else {
                score / penalty
            };
        }
        Candidate {
            id,
            score,
            log_probability,
        }
    }
}
