//! One text, token by token: greedy or sampled.

use super::candidates::{Candidate, Scores, best_candidates};
use super::{Generated, GenerationOptions, NextLogits};
use crate::Result;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub async fn generate(
    decoder: &mut impl NextLogits,
    prompt: &[u32],
    stop: u32,
    options: &GenerationOptions,
    mut on_token: impl AsyncFnMut(Option<u32>) -> Result<()>,
) -> Result<Generated> {
    let mut random = match options.seed {
        Some(seed) => ChaCha8Rng::seed_from_u64(seed),
        None => ChaCha8Rng::from_os_rng(),
    };
    let mut text = vec![prompt.to_vec()];
    let mut total = 0.0;
    let mut logits = decoder.next(&text);
    for added in 1.. {
        let count = match (options.do_sample, options.top_k) {
            (false, _) => 1,
            (true, 0) => logits.dims()[1],
            (true, top_k) => top_k.min(logits.dims()[1]),
        };
        let candidates =
            best_candidates(logits, &text, stop, count, Scores::Logits, options).await?;
        let chosen = if options.do_sample {
            draw(&candidates[0], options, &mut random)
        } else {
            candidates[0][0]
        };
        total += chosen.log_probability;
        text[0].push(chosen.id);
        on_token(Some(chosen.id)).await?;
        if chosen.id == stop || added == options.max_new_tokens {
            let [ids] = <[_; 1]>::try_from(text).expect("one text");
            return Ok(Generated {
                ids,
                score: total / added as f32,
            });
        }
        logits = decoder.next(&[vec![chosen.id]]);
    }
    unreachable!("the loop ends at max_new_tokens, which is at least 1")
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
