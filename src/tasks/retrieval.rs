//! Retrieval: which model a vector comes from, and the second look at the best candidates that a
//! search has found by vectors alone.
//!
//! The candidates' order is that of the BLIP paper (section 4.1) and of its code: the matching logit
//! of ITM plus the cosine of ITC. Where a model has no matching head, the cosine it is.

use super::classify::sigmoid;
use super::text::dot;
use super::{Model, read};
use crate::image::{self, RgbImage};
use crate::models::normalize;
use crate::search::{Identity, PROBE_TEXT};
use crate::{Error, Result};
use serde::Serialize;
use std::collections::BTreeMap;

/// Texts that are looked at together.
const BATCH: usize = 32;
/// Side of the picture that tells models without a text encoder apart, in pixels.
const PROBE_SIDE: u32 = 16;

/// Texts of equal length: (place among all, ids).
type Batch = Vec<(usize, Vec<u32>)>;

/// A text beside a picture, or the other way round.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Ranked {
    /// The text as given.
    pub text: String,
    /// What to order by: the matching logit plus the cosine, or the cosine alone.
    pub score: f32,
    /// The probability that text and picture belong together, by BLIP's ITM head or SigLIP's sigmoid.
    /// None for CLIP.
    pub probability: Option<f32>,
    /// The cosine of the text's and the picture's vectors.
    pub similarity: f32,
}

impl Model {
    /// Whether [`Self::rank_texts`] knows more than vectors do.
    pub fn can_rerank(&self) -> bool {
        self.network.matcher().is_some()
    }

    /// How well each text fits the picture, in the given order.
    pub async fn rank_texts(&self, image: &RgbImage, texts: &[String]) -> Result<Vec<Ranked>> {
        if !self.info.tasks.contains(&"match") {
            return Err(self.unsupported("match"));
        }
        if texts.is_empty() {
            return Err(Error::BadInput(
                "no texts to rank: give at least one".to_string(),
            ));
        }
        let text_vectors = self.text_vectors(texts).await?;
        let (image_vector, logits) = match self.network.matcher() {
            None => (self.embed_image(image, true).await?, None),
            Some(blip) => {
                let states = blip.encode_image(self.pixels(image)); // [1, tokens, width]
                let grounding = blip.grounding(states.clone())?;
                let mut logits = vec![[0.0; 2]; texts.len()];
                for batch in self.batches(texts)? {
                    let ids: Vec<Vec<u32>> = batch.iter().map(|(_, ids)| ids.clone()).collect();
                    let grounded = blip.ground_text(&ids, &grounding)?;
                    let pairs = read(blip.matching_logits(grounded)?).await?; // [batch, 2]
                    for ((place, _), pair) in batch.iter().zip(pairs.as_chunks::<2>().0) {
                        logits[*place] = *pair;
                    }
                }
                (
                    read(normalize(blip.project_image(states)?)).await?,
                    Some(logits),
                )
            }
        };
        let mut probabilities = vec![None; texts.len()];
        self.add_pairwise(&mut probabilities, &text_vectors, &image_vector)
            .await?;
        let ranked = texts.iter().zip(&text_vectors).enumerate();
        Ok(ranked
            .map(|(place, (text, vector))| {
                let similarity = dot(vector, &image_vector);
                let logits = logits.as_ref().map(|logits| logits[place]);
                Ranked {
                    text: text.clone(),
                    score: similarity + logits.map_or(0.0, |[_, yes]| yes),
                    probability: logits
                        .map(|[no, yes]| sigmoid(yes - no))
                        .or(probabilities[place]),
                    similarity,
                }
            })
            .collect())
    }

    /// Texts of equal length together.
    fn batches(&self, texts: &[String]) -> Result<Vec<Batch>> {
        let mut by_length: BTreeMap<usize, Batch> = BTreeMap::new();
        for (place, text) in texts.iter().enumerate() {
            let ids = self.text_ids(text)?;
            by_length.entry(ids.len()).or_default().push((place, ids));
        }
        let batches = by_length.into_values();
        Ok(batches
            .flat_map(|same_length| {
                same_length
                    .chunks(BATCH)
                    .map(<[_]>::to_vec)
                    .collect::<Vec<_>>()
            })
            .collect())
    }

    /// What tells this model from others whose vectors must not meet its own.
    pub async fn identity(&self) -> Result<Identity> {
        let (probe_of, probe) = match self.embed_text(PROBE_TEXT, true).await {
            Ok(vector) => ("text", vector),
            Err(Error::UnsupportedTask(_)) => {
                ("picture", self.embed_image(&probe_picture()?, true).await?)
            }
            Err(error) => return Err(error),
        };
        Ok(Identity {
            family: self.info.family.to_string(),
            dtype: self.info.dtype.to_string(),
            image_size: self.info.image_size.unwrap_or_default(),
            probe_of: probe_of.to_string(),
            probe,
        })
    }
}

/// Shades from corner to corner.
fn probe_picture() -> Result<RgbImage> {
    let shade = |x: u32, y: u32| [16 * x as u8, 16 * y as u8, 8 * (x + y) as u8, u8::MAX];
    let pixels = (0..PROBE_SIDE).flat_map(|y| (0..PROBE_SIDE).flat_map(move |x| shade(x, y)));
    image::from_rgba(PROBE_SIDE, PROBE_SIDE, &pixels.collect::<Vec<u8>>())
}
