//! Zero-shot classification: which of any given labels fits a picture best.

use super::text::{dot, unit};
use super::{Model, Network, read};
use crate::image::RgbImage;
use crate::{Error, Result};
use serde::Serialize;

/// OpenAI's template.
pub const DEFAULT_TEMPLATE: &str = "a photo of a {}";

/// The reference's BLIP checkpoints do not carry the ITC temperature; this is what it is initialised
/// with and, in the original code, what zero-shot classification divides similarities by.
const BLIP_TEMPERATURE: f32 = 0.07;

/// A label and its probability among the given ones.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct LabelScore {
    /// The label as given.
    pub label: String,
    /// The softmax over all labels.
    pub score: f32,
}

impl Model {
    /// The labels, best first. Each template's `{}` is replaced by the label; the vectors of
    /// several templates are averaged. No templates means [`DEFAULT_TEMPLATE`].
    pub async fn classify(
        &self,
        image: &RgbImage,
        labels: &[String],
        templates: &[String],
    ) -> Result<Vec<LabelScore>> {
        if !self.info.tasks.contains(&"classify") {
            return Err(self.unsupported("classify"));
        }
        if labels.is_empty() || labels.iter().any(|label| label.trim().is_empty()) {
            return Err(Error::BadInput(
                "labels are empty: give at least one, and each at least one letter".to_string(),
            ));
        }
        let default = [DEFAULT_TEMPLATE.to_string()];
        let templates = if templates.is_empty() {
            &default
        } else {
            templates
        };
        if let Some(wrong) = templates.iter().find(|template| !template.contains("{}")) {
            return Err(Error::BadInput(format!(
                "the template '{wrong}' has no {{}} for the label to go"
            )));
        }
        let label_vectors = self.label_vectors(labels, templates).await?;
        let image_vector = self.embed_image(image, true).await?;
        let scale = match &self.network {
            Network::Clip(clip) => read(clip.logit_scale()).await?[0],
            Network::Blip(blip) => match blip.temperature() {
                Some(temperature) => 1.0 / read(temperature).await?[0],
                None => 1.0 / BLIP_TEMPERATURE,
            },
        };
        let logits: Vec<f32> = label_vectors
            .iter()
            .map(|vector| scale * dot(vector, &image_vector))
            .collect();
        let scores = softmax(&logits);
        let mut scored: Vec<LabelScore> = labels
            .iter()
            .zip(scores)
            .map(|(label, score)| LabelScore {
                label: label.clone(),
                score,
            })
            .collect();
        scored.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(scored)
    }

    /// One unit vector a label: the mean over the templates, as in CLIP's paper.
    async fn label_vectors(
        &self,
        labels: &[String],
        templates: &[String],
    ) -> Result<Vec<Vec<f32>>> {
        let prompts: Vec<String> = labels
            .iter()
            .flat_map(|label| {
                templates
                    .iter()
                    .map(move |template| template.replace("{}", label))
            })
            .collect();
        let vectors = self.text_vectors(&prompts).await?;
        Ok(vectors
            .chunks_exact(templates.len())
            .map(|ensemble| match ensemble {
                [only] => only.clone(),
                _ => {
                    let mut sum = vec![0.0; ensemble[0].len()];
                    for vector in ensemble {
                        sum.iter_mut()
                            .zip(vector)
                            .for_each(|(sum, value)| *sum += value);
                    }
                    unit(sum)
                }
            })
            .collect())
    }
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
