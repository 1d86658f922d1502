//! Beam search as the reference's `_beam_search` (transformers 5) does it, for one text: in each
//! step the best `2 * num_beams` continuations of all beams are looked at; of those, the ones that
//! end among the first `num_beams` may enter the finished texts, the best others run on.

use super::candidates::{Scores, best_candidates};
use super::{EarlyStopping, Generated, GenerationOptions, NextLogits};
use crate::Result;

/// A text that is still growing, and the sum of its log-probabilities.
#[derive(Debug, Clone)]
struct Beam {
    ids: Vec<u32>,
    sum: f32,
}

/// A way to continue one of the beams.
struct Continuation {
    parent: usize,
    beam: Beam,
    ends: bool,
}

pub async fn generate(
    decoder: &mut impl NextLogits,
    prompt: &[u32],
    stop: u32,
    options: &GenerationOptions,
    on_token: &mut impl AsyncFnMut(Option<u32>) -> Result<()>,
) -> Result<Vec<Generated>> {
    let mut search = Search {
        options,
        prompt_length: prompt.len(),
        finished: Vec::new(),
    };
    let mut beams = vec![Beam {
        ids: prompt.to_vec(),
        sum: 0.0,
    }];
    let mut logits = decoder.next(&[prompt.to_vec()]);
    loop {
        let texts: Vec<Vec<u32>> = beams.iter().map(|beam| beam.ids.clone()).collect();
        let kept = 2 * options.num_beams;
        let candidates = best_candidates(
            logits,
            &texts,
            stop,
            kept,
            Scores::LogProbabilities,
            options,
        )
        .await?;
        on_token(None).await?;
        let length = texts[0].len() + 1;
        let last = length - prompt.len() >= options.max_new_tokens;
        let mut continuations: Vec<Continuation> = candidates
            .iter()
            .enumerate()
            .flat_map(|(parent, candidates)| {
                candidates.iter().map(move |candidate| (parent, candidate))
            })
            .map(|(parent, candidate)| Continuation {
                parent,
                beam: Beam {
                    ids: [beams[parent].ids.as_slice(), &[candidate.id]].concat(),
                    sum: beams[parent].sum + candidate.score,
                },
                ends: candidate.id == stop || last,
            })
            .collect();
        continuations.sort_by(|a, b| b.beam.sum.total_cmp(&a.beam.sum));
        continuations.truncate(kept);

        search.finish(&continuations);
        let running: Vec<&Continuation> = continuations
            .iter()
            .filter(|c| !c.ends)
            .take(options.num_beams)
            .collect();
        if running.is_empty() || !search.could_improve(running[0].beam.sum, length) {
            return Ok(search.finished);
        }
        let parents: Vec<usize> = running.iter().map(|c| c.parent).collect();
        decoder.reorder(&parents);
        beams = running.iter().map(|c| c.beam.clone()).collect();
        let new: Vec<Vec<u32>> = beams
            .iter()
            .map(|beam| vec![beam.ids[beam.ids.len() - 1]])
            .collect();
        logits = decoder.next(&new);
    }
}

/// The finished texts so far, best first, with their final scores.
struct Search<'a> {
    options: &'a GenerationOptions,
    prompt_length: usize,
    finished: Vec<Generated>,
}

impl Search<'_> {
    /// A sum of log-probabilities as a score at a text's length.
    fn score(&self, sum: f32, length: usize) -> f32 {
        sum / ((length - self.prompt_length) as f32).powf(self.options.length_penalty)
    }

    /// Takes in what ended among the best `num_beams`, and keeps the best.
    fn finish(&mut self, continuations: &[Continuation]) {
        let ended = continuations
            .iter()
            .take(self.options.num_beams)
            .filter(|c| c.ends);
        for continuation in ended {
            let Beam { ids, sum } = continuation.beam.clone();
            let score = self.score(sum, ids.len());
            self.finished.push(Generated { ids, score });
        }
        self.finished.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.finished.truncate(self.options.num_beams);
    }

    /// Whether the best running beam might still beat the worst finished text.
    fn could_improve(&self, best_sum: f32, length: usize) -> bool {
        if self.finished.len() < self.options.num_beams {
            return true;
        }
        let longest = self.prompt_length + self.options.max_new_tokens;
        let length = match self.options.early_stopping {
            EarlyStopping::Always => return false,
            EarlyStopping::Never if self.options.length_penalty > 0.0 => longest,
            EarlyStopping::Never | EarlyStopping::Heuristic => length,
        };
        let worst = &self.finished[self.finished.len() - 1];
        self.score(best_sum, length) > worst.score
    }
}
