//! From the similarity of a text and a picture to the probability that they belong together, so that a
//! search can leave out what does not. A SigLIP was trained to say it. Of a CLIP, and of a BLIP's vectors,
//! similarities mean nothing by themselves: a picture has to be nearer to the text than to one that
//! says nothing, and the probability is that of the text among the two.

use super::Model;
use super::classify::sigmoid;
use crate::Result;
use serde::Serialize;

/// What every picture is somewhat like.
const NULL_TEXTS: [&str; 4] = ["a photo", "a picture", "a drawing", "an image of something"];

/// How a model's similarities are read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gauge {
    /// What they are multiplied with.
    pub scale: f32,
    /// What is added then.
    pub bias: f32,
    /// The vector of texts that say nothing, of length one: the similarity with it is taken off first. None
    /// of models whose similarities mean something by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub null: Option<Vec<f32>>,
}

impl Gauge {
    /// The probability of a similarity, given that with [`Self::null`].
    pub fn probability(&self, similarity: f32, null: f32) -> f32 {
        sigmoid(self.scale * (similarity - null) + self.bias)
    }
}

impl Model {
    /// How this model's similarities are read.
    ///
    /// # Errors
    /// [`crate::Error::UnsupportedTask`] of an encoder alone that does not say it.
    pub async fn gauge(&self) -> Result<Gauge> {
        let is_text_encoder = self.info.tasks.contains(&"embed-text");
        let says = is_text_encoder && self.network.scales_similarities();
        if !self.info.tasks.contains(&"match") && !says {
            return Err(self.unsupported("match"));
        }
        let (scale, bias) = self.similarity_scale().await?;
        if let Some(bias) = bias {
            return Ok(Gauge {
                scale,
                bias,
                null: None,
            });
        }
        let vectors = self.text_vectors(&NULL_TEXTS.map(str::to_string)).await?;
        let mut null = vec![0.0; vectors[0].len()];
        for vector in &vectors {
            let pairs = null.iter_mut().zip(vector);
            pairs.for_each(|(sum, value)| *sum += value);
        }
        Ok(Gauge {
            scale,
            bias: 0.0,
            null: Some(super::text::unit(null)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_must_be_nearer_than_one_that_says_nothing() {
        let gauge = Gauge {
            scale: 100.0,
            bias: 0.0,
            null: Some(vec![1.0]),
        };
        assert_eq!(gauge.probability(0.2, 0.2), 0.5);
        assert!(gauge.probability(0.25, 0.2) > 0.99);
        assert!(gauge.probability(0.15, 0.2) < 0.01);
    }

    #[test]
    fn a_bias_says_what_is_likely_at_all() {
        let gauge = Gauge {
            scale: 110.0,
            bias: -16.5,
            null: None,
        };
        assert!((gauge.probability(0.15, 0.0) - 0.5).abs() < 1e-6);
    }
}
