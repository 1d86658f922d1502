//! One text, token by token: greedy or sampled.

use super::steps::{Steps, candidates, watched_ids};
use super::{Generated, GenerationOptions, NextLogits};
use crate::Result;
use crate::device::read;
use crate::kernels::next_tokens::naive::{Candidate, best_candidates};
use crate::kernels::{Choice, ids_tensor, top_logits};
use burn::tensor::Tensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub async fn generate(
    decoder: &mut impl NextLogits,
    prompt: &[u32],
    stop: u32,
    options: &GenerationOptions,
    on_token: impl AsyncFnMut(Option<u32>) -> Result<()>,
) -> Result<Generated> {
    let text = Text {
        ids: prompt.to_vec(),
        total: 0.0,
        left: options.max_new_tokens,
        stop,
        on_token,
    };
    match options.do_sample {
        true => sampled(decoder, text, options).await,
        false => greedy(decoder, prompt, text, options).await,
    }
}

/// A text as far as it was read.
struct Text<F> {
    ids: Vec<u32>,
    /// The sum of the log-probabilities of the generated tokens.
    total: f32,
    /// Tokens that may be added.
    left: usize,
    stop: u32,
    on_token: F,
}

impl<F: AsyncFnMut(Option<u32>) -> Result<()>> Text<F> {
    /// Adds a token, and says whether more may follow.
    async fn push(&mut self, id: u32, total: f32) -> Result<bool> {
        self.ids.push(id);
        self.total = total;
        self.left -= 1;
        (self.on_token)(Some(id)).await?;
        Ok(id != self.stop && self.left > 0)
    }

    fn finish(self, options: &GenerationOptions) -> Generated {
        Generated {
            ids: self.ids,
            score: self.total / (options.max_new_tokens - self.left) as f32,
        }
    }
}

async fn greedy(
    decoder: &mut impl NextLogits,
    prompt: &[u32],
    mut text: Text<impl AsyncFnMut(Option<u32>) -> Result<()>>,
    options: &GenerationOptions,
) -> Result<Generated> {
    let mut steps = Steps::new(decoder, prompt, text.stop, options);
    loop {
        let best = steps.next().await?[0];
        if !text.push(best.id, best.sum).await? {
            return Ok(text.finish(options));
        }
    }
}

async fn sampled(
    decoder: &mut impl NextLogits,
    mut text: Text<impl AsyncFnMut(Option<u32>) -> Result<()>>,
    options: &GenerationOptions,
) -> Result<Generated> {
    let mut random = match options.seed {
        Some(seed) => ChaCha8Rng::seed_from_u64(seed),
        None => ChaCha8Rng::from_os_rng(),
    };
    let mut logits = decoder.start(&text.ids);
    loop {
        let device = logits.device();
        let choice = Choice {
            beams: 1,
            stop: text.stop,
            may_stop: text.ids.len() >= options.min_length,
            repetition_penalty: options.repetition_penalty,
            no_repeat_ngram_size: options.no_repeat_ngram_size,
        };
        let drawn_from = best_tokens(logits, &text.ids, choice, options).await?;
        if drawn_from.is_empty() {
            return Ok(text.finish(options)); // no token is allowed
        }
        let drawn = draw(&drawn_from, options, &mut random);
        let total = text.total + drawn.log_probability;
        if !text.push(drawn.id, total).await? {
            return Ok(text.finish(options));
        }
        logits = decoder.follow(ids_tensor([drawn.id as i32], &device));
    }
}

/// The tokens that may be drawn after a text, best first, out of its `logits`, `[1, vocabulary]`.
async fn best_tokens(
    logits: Tensor<2>,
    text: &[u32],
    choice: Choice,
    options: &GenerationOptions,
) -> Result<Vec<Candidate>> {
    let [_, vocabulary] = logits.dims();
    let count = match options.top_k {
        0 => vocabulary,
        top_k => top_k.min(vocabulary),
    };
    let watched = watched_ids(text, choice);
    let ids = ids_tensor(watched.iter().copied(), &logits.device()).reshape([1, watched.len()]);
    let top = candidates(count, watched.len(), vocabulary);
    let row = read(top_logits(logits, ids, top)).await?;
    Ok(best_candidates(&row, &watched, count, choice))
}

/// Draws by probability among the candidates (best first) that temperature and top-p leave.
fn draw(candidates: &[Candidate], options: &GenerationOptions, random: &mut impl Rng) -> Candidate {
    let largest = candidates[0].score;
    let mut weights: Vec<f32> = candidates
        .iter()
        .map(|candidate| ((candidate.score - largest) / options.temperature).exp())
        .collect();
    let total: f32 = weights.iter().sum();
    // As the reference: the least likely tokens that together stay within 1 - top_p are dropped.
    let mut tail = 0.0;
    for weight in weights.iter_mut().skip(1).rev() {
        tail += *weight / total;
        if tail <= 1.0 - options.top_p {
            *weight = 0.0;
        }
    }
    let mut left = random.random::<f32>() * weights.iter().sum::<f32>();
    for (candidate, weight) in candidates.iter().zip(&weights) {
        left -= weight;
        if left < 0.0 {
            return *candidate;
        }
    }
    candidates[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates() -> Vec<Candidate> {
        let scores = [0.6_f32, 0.3, 0.1].map(f32::ln);
        (0..3)
            .map(|id| Candidate {
                id,
                score: scores[id as usize],
                log_probability: 0.0,
            })
            .collect()
    }

    fn frequencies(options: &GenerationOptions) -> [f32; 3] {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut counts = [0.0; 3];
        for _ in 0..20_000 {
            counts[draw(&candidates(), options, &mut random).id as usize] += 1.0 / 20_000.0;
        }
        counts
    }

    #[test]
    fn tokens_are_drawn_by_their_probability() {
        let found = frequencies(&GenerationOptions::default());
        for (found, expected) in found.iter().zip([0.6, 0.3, 0.1]) {
            assert!(
                (found - expected).abs() < 0.02,
                "{found} instead of {expected}"
            );
        }
    }

    #[test]
    fn top_p_drops_the_least_likely_tokens() {
        let found = frequencies(&GenerationOptions {
            top_p: 0.85,
            ..Default::default()
        });
        assert_eq!(found[2], 0.0);
        assert!((found[1] - 1.0 / 3.0).abs() < 0.02);
        let found = frequencies(&GenerationOptions {
            top_p: 0.01,
            ..Default::default()
        });
        assert_eq!(found[0].round(), 1.0, "the best token is always left");
    }

    #[test]
    fn a_low_temperature_prefers_the_best() {
        let found = frequencies(&GenerationOptions {
            temperature: 0.5,
            ..Default::default()
        });
        assert!((found[0] - 0.36 / 0.46).abs() < 0.02, "{found:?}");
    }
}
