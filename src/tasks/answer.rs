//! Answers to questions about a picture, or about the frames of a video one after another: BLIP's
//! question encoder attends to the picture, its answer decoder to the question's states.

use super::{Caption, Model, read};
use crate::generate::GenerationOptions;
use crate::image::RgbImage;
use crate::kernels::{ids_tensor, top_logits};
use crate::models::Blip;
use crate::models::bert::Context;
use crate::models::blip::TextDecoder;
use crate::{Error, Result};
use burn::tensor::{Tensor, activation::log_softmax};
use serde::Serialize;
use std::collections::BTreeMap;

/// A freely generated answer.
pub type Answer = Caption;

/// A given answer and how likely the model finds it.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct RankedAnswer {
    /// The answer as given.
    pub text: String,
    /// The sum of its tokens' log-probabilities, `[SEP]` included.
    pub score: f32,
}

/// How many given answers are ranked by full likelihood unless asked otherwise, as in the paper's
/// protocol (`k_test` of the original's `vqa.yaml`): those with the most likely first token.
pub const CANDIDATES: usize = 128;

/// Tokens whose likelihood is computed at once: each takes a row of logits over the whole vocabulary.
const TOKENS_AT_ONCE: usize = 64;

impl Model {
    /// Answers freely. `images` is one picture, or a video's frames in order.
    pub async fn answer(
        &self,
        images: &[RgbImage],
        question: &str,
        options: &GenerationOptions,
        on_token: impl AsyncFnMut(&str, Option<u32>) -> Result<()>,
    ) -> Result<Answer> {
        options.check()?;
        let (blip, states) = self.question_states(images, question)?;
        self.check_room(1, options)?;
        let mut decoding = self.decoding(states)?;
        let start = [blip.config().start_token];
        self.write(&mut decoding, &start, options, on_token).await
    }

    /// Ranks given answers, most likely first, by the paper's protocol (`rank_answer` of BLIP's own
    /// code): of the answers, the `candidates` whose first token is most likely, ordered by the
    /// likelihood of the whole answer. The others are not in the result.
    pub async fn rank_answers(
        &self,
        images: &[RgbImage],
        question: &str,
        answers: &[String],
        candidates: usize,
    ) -> Result<Vec<RankedAnswer>> {
        if answers.is_empty() || answers.iter().any(|answer| answer.trim().is_empty()) {
            return Err(Error::BadInput(
                "answers are empty: give at least one, and each at least one letter".to_string(),
            ));
        }
        if candidates == 0 {
            return Err(Error::BadInput(
                "candidates is 0, expected at least 1".to_string(),
            ));
        }
        let (blip, states) = self.question_states(images, question)?;
        let mut possible = Vec::new();
        for answer in answers {
            let mut ids = self.text_ids(answer)?; // [CLS] answer [SEP]
            ids[0] = blip.config().start_token;
            possible.push((answer, ids));
        }
        let decoder = blip.text_decoder()?;
        let asked = Asked {
            context: decoder.context(states),
            decoder,
        };
        if possible.len() > candidates {
            possible = most_likely_start(&asked, possible, candidates).await?;
        }
        let mut ranked = likelihoods(&asked, &possible).await?;
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(ranked)
    }

    /// The question's states in view of the pictures, `[1, tokens, width]`.
    fn question_states(&self, images: &[RgbImage], question: &str) -> Result<(&Blip, Tensor<3>)> {
        let blip = self.grounded("answer")?;
        if images.is_empty() {
            return Err(Error::BadInput(
                "no picture to ask about: give at least one".to_string(),
            ));
        }
        if question.trim().is_empty() {
            return Err(Error::BadInput("the question is empty".to_string()));
        }
        let ids = self.text_ids(question)?;
        let frames = images
            .iter()
            .map(|image| blip.encode_image(self.pixels(image)));
        let states = Tensor::cat(frames.collect(), 1); // [1, frames * tokens, width]
        let grounding = blip.grounding(states)?;
        Ok((blip, blip.ground_text(&[ids], &grounding)?))
    }
}

/// BLIP's decoder, and the question that it attends to.
struct Asked<'a> {
    decoder: &'a TextDecoder,
    context: Context,
}

/// The `count` answers whose first token is most likely.
async fn most_likely_start<'a>(
    asked: &Asked<'_>,
    answers: Vec<(&'a String, Vec<u32>)>,
    count: usize,
) -> Result<Vec<(&'a String, Vec<u32>)>> {
    let start = answers[0].1[0];
    let decoder = asked.decoder;
    let ids = decoder.token_ids(&[vec![start]]);
    let logits = decoder.next_logits(ids, &asked.context, &mut decoder.empty_cache());
    let first = ids_tensor(
        answers.iter().map(|(_, ids)| ids[1] as i32),
        &logits.device(),
    );
    let row = read(top_logits(logits, first.reshape([1, answers.len()]), 1)).await?;
    let mut scored: Vec<_> = answers.into_iter().zip(row[2..].iter().copied()).collect();
    scored.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    Ok(scored
        .into_iter()
        .take(count)
        .map(|(answer, _)| answer)
        .collect())
}

/// Each answer with the sum of its tokens' log-probabilities, in batches of equal length.
async fn likelihoods(
    asked: &Asked<'_>,
    answers: &[(&String, Vec<u32>)],
) -> Result<Vec<RankedAnswer>> {
    let mut by_length: BTreeMap<usize, Vec<&(&String, Vec<u32>)>> = BTreeMap::new();
    for answer in answers {
        by_length.entry(answer.1.len()).or_default().push(answer);
    }
    let mut ranked = Vec::with_capacity(answers.len());
    let batches = by_length
        .iter()
        .flat_map(|(tokens, equal)| equal.chunks((TOKENS_AT_ONCE / tokens).max(1)));
    for batch in batches {
        let ids: Vec<&[u32]> = batch.iter().map(|(_, ids)| &ids[..]).collect();
        let scores = log_likelihoods(asked, &ids).await?;
        ranked.extend(batch.iter().zip(scores).map(|((text, _), score)| {
            let text = text.to_string();
            RankedAnswer { text, score }
        }));
    }
    Ok(ranked)
}

/// The sum of the log-probabilities of all tokens but the first, of texts of equal length.
async fn log_likelihoods(asked: &Asked<'_>, ids: &[&[u32]]) -> Result<Vec<f32>> {
    let (batch, tokens) = (ids.len(), ids[0].len() - 1);
    let inputs: Vec<Vec<u32>> = ids.iter().map(|ids| ids[..tokens].to_vec()).collect();
    let logits = asked.decoder.all_logits(&inputs, &asked.context); // [batch, tokens, vocabulary]
    let targets = ids.iter().flat_map(|ids| &ids[1..]).map(|id| *id as i32);
    let targets = ids_tensor(targets, &logits.device()).reshape([batch, tokens, 1]);
    let chosen = log_softmax(logits, 2).gather(2, targets); // [batch, tokens, 1]
    let chosen = read(chosen).await?;
    Ok(chosen
        .chunks_exact(tokens)
        .map(|one| one.iter().sum())
        .collect())
}
