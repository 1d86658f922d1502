//! Answers to questions about a picture, or about the frames of a video one after another: BLIP's
//! question encoder attends to the picture, its answer decoder to the question's states.

use super::{Caption, Decoding, Model, read};
use crate::generate::GenerationOptions;
use crate::image::RgbImage;
use crate::kernels::{ids_tensor, top_logits};
use crate::models::Blip;
use crate::{Error, Result};
use burn::tensor::{Tensor, activation::log_softmax};
use serde::Serialize;

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

/// How many given answers are ranked by full likelihood, as in the paper's protocol: those with
/// the most likely first token.
const RANKED: usize = 128;

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
        let mut decoding = Decoding::new(blip.text_decoder()?, states);
        let start = [blip.config().start_token];
        self.write(&mut decoding, &start, options, on_token).await
    }

    /// Ranks given answers, most likely first.
    pub async fn rank_answers(
        &self,
        images: &[RgbImage],
        question: &str,
        answers: &[String],
    ) -> Result<Vec<RankedAnswer>> {
        if answers.is_empty() || answers.iter().any(|answer| answer.trim().is_empty()) {
            return Err(Error::BadInput(
                "answers are empty: give at least one, and each at least one letter".to_string(),
            ));
        }
        let (blip, states) = self.question_states(images, question)?;
        let mut candidates = Vec::new();
        for answer in answers {
            let mut ids = self.text_ids(answer)?; // [CLS] answer [SEP]
            ids[0] = blip.config().start_token;
            candidates.push((answer, ids));
        }
        let decoder = blip.text_decoder()?;
        let mut decoding = Decoding::new(decoder, states);
        if candidates.len() > RANKED {
            candidates = most_likely_start(&mut decoding, candidates).await?;
        }
        let mut ranked = Vec::new();
        for (answer, ids) in candidates {
            let logits = decoder.all_logits(&[ids[..ids.len() - 1].to_vec()], &decoding.context);
            let score = log_likelihood(logits, &ids[1..]).await?;
            ranked.push(RankedAnswer {
                text: answer.clone(),
                score,
            });
        }
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(ranked)
    }

    /// The question's states in view of the pictures, `[1, tokens, width]`.
    fn question_states(&self, images: &[RgbImage], question: &str) -> Result<(&Blip, Tensor<3>)> {
        let blip = self.blip("answer")?;
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

/// The [`RANKED`] answers whose first token is most likely.
async fn most_likely_start<'a>(
    decoding: &mut Decoding<'_>,
    answers: Vec<(&'a String, Vec<u32>)>,
) -> Result<Vec<(&'a String, Vec<u32>)>> {
    let start = answers[0].1[0];
    let mut cache = decoding.decoder.empty_cache();
    let logits = decoding
        .decoder
        .next_logits(&[vec![start]], &decoding.context, &mut cache);
    let first = ids_tensor(
        answers.iter().map(|(_, ids)| ids[1] as i32),
        &logits.device(),
    );
    let row = read(top_logits(logits, first.reshape([1, answers.len()]), 1)).await?;
    let mut scored: Vec<_> = answers.into_iter().zip(row[2..].iter().copied()).collect();
    scored.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    Ok(scored
        .into_iter()
        .take(RANKED)
        .map(|(answer, _)| answer)
        .collect())
}

/// The sum of the targets' log-probabilities under `logits`, `[1, tokens, vocabulary]`.
async fn log_likelihood(logits: Tensor<3>, targets: &[u32]) -> Result<f32> {
    let device = logits.device();
    let ids = ids_tensor(targets.iter().map(|id| *id as i32), &device);
    let chosen = log_softmax(logits, 2).gather(2, ids.reshape([1, targets.len(), 1]));
    Ok(read(chosen).await?.iter().sum())
}
