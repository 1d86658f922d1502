//! One text, token by token: greedy or sampled.

use super::bad_words::BadWords;
use super::steps::{Steps, candidates, watched_ids};
use super::{Generated, GenerationOptions, NextLogits, Rules};
use crate::Result;
use crate::device::read;
use crate::kernels::next_tokens::naive::{Candidate, best_candidates};
use crate::kernels::{Choice, ids_tensor};
use burn::tensor::Tensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub async fn generate(
    decoder: &mut impl NextLogits,
    prompt: &[u32],
    stop: u32,
    options: &GenerationOptions,
    mut on_token: impl AsyncFnMut(Option<u32>) -> Result<()>,
) -> Result<Vec<Generated>> {
    if !options.do_sample {
        let text = Text::new(prompt, stop, options, on_token);
        return Ok(vec![greedy(decoder, prompt, text, options).await?]);
    }
    let mut random = match options.seed {
        Some(seed) => ChaCha8Rng::seed_from_u64(seed),
        None => ChaCha8Rng::from_os_rng(),
    };
    let mut texts = Vec::new();
    for place in 0..options.num_return_sequences.unwrap_or(1) {
        // Of the first one the tokens are told; while others are drawn, one can only stop.
        let on_token = async |id: Option<u32>| on_token(id.filter(|_| place == 0)).await;
        let text = Text::new(prompt, stop, options, on_token);
        texts.push(sampled(decoder, text, options, &mut random).await?);
    }
    Ok(texts)
}

/// A text as far as it was read.
struct Text<'o, F> {
    ids: Vec<u32>,
    /// The sum of the log-probabilities of the generated tokens.
    total: f32,
    /// Tokens that may be added.
    left: usize,
    stop: u32,
    options: &'o GenerationOptions,
    on_token: F,
}

impl<'o, F: AsyncFnMut(Option<u32>) -> Result<()>> Text<'o, F> {
    fn new(prompt: &[u32], stop: u32, options: &'o GenerationOptions, on_token: F) -> Self {
        Self {
            ids: prompt.to_vec(),
            total: 0.0,
            left: options.max_new_tokens,
            stop,
            options,
            on_token,
        }
    }

    /// Adds a token, and says whether more may follow.
    async fn push(&mut self, id: u32, total: f32) -> Result<bool> {
        let id = match self.left == 1 && self.options.forces_stop() {
            true => self.stop,
            false => id,
        };
        self.ids.push(id);
        self.total = total;
        self.left -= 1;
        (self.on_token)(Some(id)).await?;
        Ok(id != self.stop && !self.options.also_ends(id) && self.left > 0)
    }

    fn finish(self) -> Generated {
        Generated {
            ids: self.ids,
            score: self.total / (self.options.max_new_tokens - self.left) as f32,
        }
    }
}

async fn greedy(
    decoder: &mut impl NextLogits,
    prompt: &[u32],
    mut text: Text<'_, impl AsyncFnMut(Option<u32>) -> Result<()>>,
    options: &GenerationOptions,
) -> Result<Generated> {
    let mut steps = Steps::new(decoder, prompt, text.stop, options);
    loop {
        let best = steps.next(std::slice::from_ref(&text.ids)).await?[0];
        if !text.push(best.id, best.sum).await? {
            return Ok(text.finish());
        }
    }
}

async fn sampled(
    decoder: &mut impl NextLogits,
    mut text: Text<'_, impl AsyncFnMut(Option<u32>) -> Result<()>>,
    options: &GenerationOptions,
    random: &mut ChaCha8Rng,
) -> Result<Generated> {
    let bad_words = BadWords::new(&options.bad_words_ids, text.stop);
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
        let drawn_from = best_tokens(logits, &text.ids, choice, &bad_words, options).await?;
        if drawn_from.is_empty() {
            return Ok(text.finish()); // no token is allowed
        }
        let drawn = draw(&drawn_from, options, random);
        let total = text.total + drawn.log_probability;
        if !text.push(drawn.id, total).await? {
            return Ok(text.finish());
        }
        logits = decoder.follow(ids_tensor([drawn.id as i32], &device));
    }
}

/// The tokens that may be drawn after a text, best first, out of its `logits`, `[1, vocabulary]`.
async fn best_tokens(
    logits: Tensor<2>,
    text: &[u32],
    choice: Choice,
    bad_words: &BadWords,
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
    let best = bad_words.top_logits(logits, ids, top, &[text.to_vec()]);
    let row = read(best).await?;
    Ok(best_candidates(&row, &watched, count, choice))
}

/// Draws by probability among the candidates (best first) that temperature and top-p leave.
fn draw(candidates: &[Candidate], options: &GenerationOptions, random: &mut impl Rng) -> Candidate {
    let largest = candidates[0].score;
    let at = |temperature: f32| -> Vec<f32> {
        let weights = candidates.iter();
        weights
            .map(|candidate| ((candidate.score - largest) / temperature).exp())
            .collect()
    };
    let mut weights = at(options.temperature);
    let likely = match options.rules {
        Rules::Transformers => weights.clone(),
        Rules::OpenClip => at(1.0),
    };
    let total: f32 = likely.iter().sum();
    // As the reference: the least likely tokens that together stay within 1 - top_p are dropped.
    let mut tail = 0.0;
    for (weight, likely) in weights.iter_mut().zip(&likely).skip(1).rev() {
        tail += *likely / total;
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
