//! CapFilt (section 3.3 of BLIP's paper): a captioner writes what a picture shows, a filter keeps
//! of the given and the written texts those that match it.

use super::Model;
use crate::Result;
use crate::generate::GenerationOptions;
use crate::image::RgbImage;
use serde::Serialize;

/// A text about a picture, and whether it was kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Filtered {
    /// The text.
    pub text: String,
    /// Whether the model wrote it.
    pub generated: bool,
    /// The probability that it belongs to the picture, by ITM.
    pub probability: f32,
    /// Whether that is at least the threshold.
    pub kept: bool,
}

/// What is kept: the paper's filter takes the matching head's verdict.
pub const THRESHOLD: f32 = 0.5;

/// How the paper's captioner writes: nucleus sampling with p = 0.9, for variety.
pub fn captioner_options(seed: u64) -> GenerationOptions {
    GenerationOptions {
        do_sample: true,
        top_p: 0.9,
        top_k: 0,
        seed: Some(seed),
        ..Default::default()
    }
}

impl Model {
    /// Writes a caption and judges it together with the given texts, in this order: the given ones,
    /// then the written one. A model needs both heads, a captioner's and a filter's.
    pub async fn filter(
        &self,
        image: &RgbImage,
        given: &[String],
        options: &GenerationOptions,
        threshold: f32,
    ) -> Result<Vec<Filtered>> {
        let written = self
            .caption(image, "", options, async |_, _| Ok(()))
            .await?;
        let mut texts = given.to_vec();
        texts.retain(|text| !text.trim().is_empty());
        let given = texts.len();
        if !written.text.trim().is_empty() {
            texts.push(written.text);
        }
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let matches = self.match_texts(image, &texts).await?;
        let judged = matches.into_iter().enumerate().map(|(place, found)| {
            let probability = found.probability.unwrap_or(0.0);
            Filtered {
                text: found.text,
                generated: place >= given,
                probability,
                kept: probability >= threshold,
            }
        });
        Ok(judged.collect())
    }
}
