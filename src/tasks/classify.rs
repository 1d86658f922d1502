//! Zero-shot classification: which of any given labels fits a picture best.

use super::Model;
use super::label_set::LabelSet;
use super::label_vectors::LabelVectors;
use super::scores::Scores;
use crate::image::RgbImage;
use crate::{Error, Result};
use serde::Serialize;

/// A label and what speaks for it.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct LabelScore {
    /// The label as given.
    pub label: String,
    /// In the measure asked for, see [`Scores`].
    pub score: f32,
}

/// How labels are reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ranking {
    /// What their scores are; what the model was trained for if None.
    pub scores: Option<Scores>,
    /// Only so many of the best; all if None. Shares are those of all.
    pub top_k: Option<usize>,
}

impl Model {
    /// The labels, best first. Each template's `{}` is replaced by the label; the vectors of
    /// several templates are averaged. No templates means [`super::DEFAULT_TEMPLATE`].
    pub async fn classify(
        &self,
        image: &RgbImage,
        labels: &[String],
        templates: &[String],
    ) -> Result<Vec<LabelScore>> {
        let set = LabelSet::new(labels, templates);
        let labels = self.label_vectors(&set, async |_, _| Ok(())).await?;
        self.classify_among(image, &labels, Ranking::default())
            .await
    }

    /// The best of labels whose vectors are known: one encoding of the picture and one product.
    pub async fn classify_among(
        &self,
        image: &RgbImage,
        labels: &LabelVectors,
        ranking: Ranking,
    ) -> Result<Vec<LabelScore>> {
        if ranking.top_k == Some(0) {
            return Err(Error::BadInput("topK is 0, expected at least 1".into()));
        }
        let cosines = labels.cosines(&self.embed_image(image, true).await?);
        let scores = match ranking.scores.unwrap_or(labels.default_scores()) {
            Scores::Cosine => cosines,
            Scores::Softmax => softmax(&cosines, labels.scale()),
            Scores::Sigmoid => {
                let Some(bias) = labels.bias() else {
                    return Err(Error::BadInput(
                        "scores are \"sigmoid\", which this model was not trained for: ask for \"softmax\" or \"cosine\", or take a SigLIP".into(),
                    ));
                };
                cosines
                    .iter()
                    .map(|cosine| sigmoid(labels.scale() * cosine + bias))
                    .collect()
            }
        };
        let mut scored: Vec<LabelScore> = labels
            .set()
            .labels
            .iter()
            .zip(scores)
            .map(|(label, score)| LabelScore {
                label: label.clone(),
                score,
            })
            .collect();
        scored.sort_by(|a, b| b.score.total_cmp(&a.score));
        scored.truncate(ranking.top_k.unwrap_or(usize::MAX));
        Ok(scored)
    }
}

/// The probability of a logit.
pub(super) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

fn softmax(cosines: &[f32], scale: f32) -> Vec<f32> {
    let logits = cosines.iter().map(|cosine| scale * cosine);
    let largest = logits.clone().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.map(|logit| (logit - largest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
