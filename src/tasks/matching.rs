//! How well texts describe a picture: BLIP's image-text matching (ITM) looks at both together, the
//! similarity of vectors (ITC, and all that CLIP has) at each alone.

use super::classify::sigmoid;
use super::scores::Scores;
use super::text::dot;
use super::{Model, read};
use crate::image::RgbImage;
use crate::models::bert::Context;
use crate::models::{Blip, normalize};
use crate::{Error, Result};
use serde::Serialize;

/// A text and how well it fits.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Match {
    /// The text as given.
    pub text: String,
    /// The probability that text and picture belong together, by BLIP's ITM head or SigLIP's sigmoid.
    /// None for CLIP.
    pub probability: Option<f32>,
    /// The cosine of the text's and the picture's vectors.
    pub similarity: f32,
}

impl Model {
    /// One match a text, in the given order.
    pub async fn match_texts(&self, image: &RgbImage, texts: &[String]) -> Result<Vec<Match>> {
        Ok(self.match_and_ground(image, texts).await?.0)
    }

    /// The probability that a text belongs to a picture, by the matching head.
    pub(super) async fn matching(
        &self,
        blip: &Blip,
        text: &str,
        grounding: &Context,
    ) -> Result<f32> {
        let grounded = blip.ground_text(&[self.text_ids(text)?], grounding)?;
        let logits = read(blip.matching_logits(grounded)?).await?; // [1, 2]: no and yes
        Ok(1.0 / (1.0 + (logits[0] - logits[1]).exp())) // their softmax: not worth a kernel
    }

    /// The matches, and what a BLIP's text encoder attended to for them.
    pub(super) async fn match_and_ground(
        &self,
        image: &RgbImage,
        texts: &[String],
    ) -> Result<(Vec<Match>, Option<Context>)> {
        if !self.info.tasks.contains(&"match") {
            return Err(self.unsupported("match"));
        }
        if texts.is_empty() {
            return Err(Error::BadInput(
                "no texts to match: give at least one".to_string(),
            ));
        }
        let text_vectors = self.text_vectors(texts).await?;
        let mut probabilities = vec![None; texts.len()];
        let mut context = None;
        let image_vector = match self.network.matcher() {
            None => self.embed_image(image, true).await?,
            Some(blip) => {
                let states = blip.encode_image(self.pixels(image));
                let grounding = blip.grounding(states.clone())?;
                for (text, probability) in texts.iter().zip(&mut probabilities) {
                    *probability = Some(self.matching(blip, text, &grounding).await?);
                }
                context = Some(grounding);
                read(normalize(blip.project_image(states)?)).await?
            }
        };
        self.add_pairwise(&mut probabilities, &text_vectors, &image_vector)
            .await?;
        let found = texts.iter().zip(probabilities).zip(&text_vectors);
        let matches = found
            .map(|((text, probability), vector)| Match {
                text: text.clone(),
                probability,
                similarity: dot(vector, &image_vector),
            })
            .collect();
        Ok((matches, context))
    }

    /// The probabilities of a picture and texts, by their vectors, of a model that was trained to give
    /// them.
    pub(super) async fn add_pairwise(
        &self,
        probabilities: &mut [Option<f32>],
        texts: &[Vec<f32>],
        image: &[f32],
    ) -> Result<()> {
        if self.info.scores != Some(Scores::Sigmoid) {
            return Ok(());
        }
        if let (scale, Some(bias)) = self.similarity_scale().await? {
            for (probability, text) in probabilities.iter_mut().zip(texts) {
                *probability = Some(sigmoid(scale * dot(text, image) + bias));
            }
        }
        Ok(())
    }
}
