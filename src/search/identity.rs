//! Which model an album's vectors come from. Vectors of two models, or of one model at two number
//! formats, must not meet in one album: their similarities mean nothing.
//!
//! A checkpoint has no name that both a hub's copy and a file on disk would share, so a model is told
//! by what it does: the vector that it gives a fixed text or picture.
//!
//! A text encoder alone adds no pictures, but may search among those of another model if its texts lie where that
//! model's do: because it is that model's own, or was taught by it, such as one for other languages.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The text that tells models apart.
pub const PROBE_TEXT: &str = "a photo of the sea at night";

/// CPUs and GPUs sum up in different orders; another model, or the same one trained further, is much
/// farther away.
const SAME: f32 = 0.9995;

/// A text encoder that was taught another's vectors comes near to them. Those of encoders that were trained
/// apart are at about right angles, however alike the encoders are: their spaces have no direction in
/// common.
const SAME_SPACE: f32 = 0.5;

/// What an album knows of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// Its name, such as `clip`.
    pub family: String,
    /// The format of most of its weights.
    pub dtype: String,
    /// Side of the square that pictures are brought to, in pixels.
    pub image_size: usize,
    /// `text` or `picture`: what `probe` is the vector of.
    pub probe_of: String,
    /// Of length one.
    pub probe: Vec<f32>,
}

impl Identity {
    /// Whether vectors of both models may meet; an error that says why not.
    pub fn check(&self, other: &Identity) -> Result<()> {
        let facts = |one: &Identity| {
            (
                one.family.clone(),
                one.dtype.clone(),
                one.image_size,
                one.probe.len(),
            )
        };
        if facts(self) != facts(other) {
            return refuse(format!(
                "the album's vectors come from {}, this model is {}",
                self.describe(),
                other.describe()
            ));
        }
        self.check_probe(other, SAME)
    }

    /// Whether it is of a model without an image encoder.
    pub fn is_text_encoder(&self) -> bool {
        self.image_size == 0
    }

    /// Whether the texts of a text encoder lie among the vectors of this model; an error that says why not.
    pub fn check_texts(&self, texts: &Identity) -> Result<()> {
        let facts = |one: &Identity| (one.family.clone(), one.probe.len());
        match facts(self) == facts(texts) {
            true => self.check_probe(texts, SAME_SPACE),
            false => refuse(format!(
                "the album's vectors come from {}, this text encoder is of another space: {}",
                self.describe(),
                texts.describe()
            )),
        }
    }

    fn check_probe(&self, other: &Identity, least: f32) -> Result<()> {
        if self.probe_of != other.probe_of {
            return refuse(format!(
                "the album was made by a model that embeds a {}, this one embeds a {} only",
                self.probe_of, other.probe_of
            ));
        }
        let cosine: f32 = self
            .probe
            .iter()
            .zip(&other.probe)
            .map(|(a, b)| a * b)
            .sum();
        if cosine.is_nan() || cosine < least {
            return refuse(format!(
                "the album's vectors come from another {} than this one: the same {} has other numbers in it (cosine {cosine:.3})",
                self.describe(),
                self.probe_of
            ));
        }
        Ok(())
    }

    /// The model in words.
    pub fn describe(&self) -> String {
        let (family, width) = (self.family.to_uppercase(), self.probe.len());
        let sees = match self.image_size {
            0 => "texts alone".to_string(),
            size => format!("{size} pixels"),
        };
        format!(
            "{family} ({}, {sees}, {width} numbers a vector)",
            self.dtype
        )
    }
}

fn refuse(why: String) -> Result<()> {
    Err(Error::BadInput(format!(
        "{why}: open the album with its own model, or make another album"
    )))
}
