//! Beam search as the reference's `_beam_search` (transformers 5) does it, for one text: in each
//! step the best `2 * num_beams` continuations of all beams are looked at; of those, the ones that
//! end among the first `num_beams` may enter the finished texts, the best others run on.
//!
//! open_clip's search ([`Rules::OpenClip`]) is that of `BeamSearchScorer` (transformers 4), which differs
//! in the length that sums are divided by, and in that a text that ends just now may promise more, too.

use super::steps::Steps;
use super::{EarlyStopping, Generated, GenerationOptions, NextLogits, Rules};
use crate::Result;

/// A text that is still growing, or has just ended.
#[derive(Debug, Clone)]
struct Beam {
    /// The one of the step before that it continues.
    parent: usize,
    ids: Vec<u32>,
    /// The sum of its log-probabilities.
    sum: f32,
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
        uncounted: match options.rules {
            Rules::Transformers => prompt.len(),
            Rules::OpenClip => 0,
        },
        finished: Vec::new(),
    };
    let mut steps = Steps::new(decoder, prompt, stop, options);
    let mut texts = vec![prompt.to_vec()];
    loop {
        let continuations = steps.next(&texts).await?;
        on_token(None).await?;
        let length = texts[0].len() + 1;
        let last = length - prompt.len() >= options.max_new_tokens;
        let continuations: Vec<Beam> = continuations
            .iter()
            .map(|continuation| Beam {
                parent: continuation.parent,
                ids: [texts[continuation.parent].as_slice(), &[continuation.id]].concat(),
                sum: continuation.sum,
                ends: (continuation.id == stop && continuation.sum > f32::MIN) || last,
            })
            .collect();
        search.finish(&continuations);
        // The device chose the same.
        let running = continuations.iter().filter(|beam| !beam.ends);
        let running: Vec<&Beam> = running.take(options.beams()).collect();
        let promising = match options.rules {
            Rules::Transformers => running.first().map(|beam| beam.sum),
            Rules::OpenClip => continuations.first().map(|beam| beam.sum),
        };
        let could_improve = promising.is_some_and(|sum| search.could_improve(sum, length));
        if running.is_empty() || !could_improve {
            return Ok(search.finished);
        }
        steps.continue_from(running.iter().map(|beam| beam.parent));
        texts = running.iter().map(|beam| beam.ids.clone()).collect();
    }
}

/// The finished texts so far, best first, with their final scores.
struct Search<'a> {
    options: &'a GenerationOptions,
    prompt_length: usize,
    /// Tokens at the start that a score's length leaves out.
    uncounted: usize,
    finished: Vec<Generated>,
}

impl Search<'_> {
    /// A sum of log-probabilities as a score at a text's length.
    fn score(&self, sum: f32, length: usize) -> f32 {
        sum / ((length - self.uncounted) as f32).powf(self.options.length_penalty)
    }

    /// Takes in what ended among the best `num_beams`, and keeps the best.
    fn finish(&mut self, continuations: &[Beam]) {
        let best = continuations.iter().take(self.options.beams());
        for beam in best.filter(|beam| beam.ends && beam.sum > f32::MIN) {
            self.finished.push(Generated {
                ids: beam.ids.clone(),
                score: self.score(beam.sum, beam.ids.len()),
            });
        }
        self.finished.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.finished.truncate(self.options.beams());
    }

    /// Whether the best running beam might still beat the worst finished text.
    fn could_improve(&self, best_sum: f32, length: usize) -> bool {
        if self.finished.len() < self.options.beams() {
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
