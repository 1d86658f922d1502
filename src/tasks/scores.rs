//! What the score of a label is.

use serde::{Deserialize, Serialize};

/// A measure of how well a label fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scores {
    /// Its share of all the labels: the softmax of the cosines times the logit scale.
    #[serde(alias = "probability")]
    Softmax,
    /// Its own probability, on which no other label has an influence: the sigmoid of the cosine times
    /// the logit scale plus the logit bias. For models that were trained by it: SigLIP.
    Sigmoid,
    /// The cosine of its vector and the picture's, which no other label has an influence on.
    Cosine,
}

impl Scores {
    /// What a model was trained for, by whether its similarities have a bias.
    pub(super) fn default_of(has_bias: bool) -> Self {
        match has_bias {
            true => Scores::Sigmoid,
            false => Scores::Softmax,
        }
    }
}
