//! Which model an album's vectors come from. Vectors of two models, or of one model at two number
//! formats, must not meet in one album: their similarities mean nothing.
//!
//! A checkpoint has no name that both a hub's copy and a file on disk would share, so a model is told
//! by what it does: the vector that it gives a fixed text or picture.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The text that tells models apart.
pub const PROBE_TEXT: &str = "a photo of the sea at night";

/// CPUs and GPUs sum up in different orders; another model, or the same one trained further, is much
/// farther away.
const SAME: f32 = 0.9995;

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
        if cosine.is_nan() || cosine < SAME {
            return refuse(format!(
                "the album's vectors come from another {} than this one: the same {} has other numbers in it (cosine {cosine:.3})",
                self.describe(),
                self.probe_of
            ));
        }
        Ok(())
    }

    fn describe(&self) -> String {
        let (family, width) = (self.family.to_uppercase(), self.probe.len());
        let (dtype, size) = (&self.dtype, self.image_size);
        format!("{family} ({dtype}, {size} pixels, {width} numbers a vector)")
    }
}

fn refuse(why: String) -> Result<()> {
    Err(Error::BadInput(format!(
        "{why}: open the album with its own model, or make another album"
    )))
}
