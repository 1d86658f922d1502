//! Where training examples come from: scenes that are drawn as they are needed, or pictures and
//! captions of one's own.

use crate::Result;
use crate::image::{PictureFiles, RgbImage};
use crate::scenes::facts::Bounds;
use crate::scenes::{Facts, Mentioned, all_true};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::PathBuf;

/// A part of a picture, and the class of what lies there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// From 0.
    pub class: usize,
    /// Regions of one picture do not overlap.
    pub bounds: Bounds,
}

/// A picture with a text, and questions about it.
#[derive(Debug, Clone)]
pub struct Example {
    /// The picture, of any size.
    pub image: RgbImage,
    /// Its caption.
    pub caption: String,
    /// Questions with answers.
    pub questions: Vec<(String, String)>,
    /// What lies where, if that is known of all of the picture.
    pub regions: Option<Vec<Region>>,
    /// What its caption says and what is true of it, where both are known.
    pub truth: Option<(Mentioned, Facts)>,
}

impl Example {
    /// Whether its caption is known to be true of the other's picture too.
    pub fn is_true_of(&self, other: &Example) -> bool {
        match (&self.truth, &other.truth) {
            (Some((said, _)), Some((_, facts))) => all_true(said, facts),
            _ => false,
        }
    }
}

/// A source of examples. The same `step` and `place` always give the same example, so that a
/// resumed run sees what an unbroken one would have seen.
pub trait Examples: Sync {
    /// The example at `place` of the batch of `step`.
    fn example(&self, step: u64, place: usize) -> Result<Example>;

    /// A step's batch.
    fn batch(&self, step: u64, size: usize) -> Result<Vec<Example>> {
        use rayon::prelude::*;
        (0..size)
            .into_par_iter()
            .map(|place| self.example(step, place))
            .collect()
    }
}

/// Random numbers for one example.
pub fn rng_of(seed: u64, step: u64, place: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(step.wrapping_mul(1 << 20).wrapping_add(place));
    rng
}

/// Pictures in files, with captions.
#[derive(Debug, Clone)]
pub struct Captioned {
    /// Each picture with at least one caption.
    pub pictures: Vec<(PathBuf, Vec<String>)>,
    /// How they are read.
    pub files: PictureFiles,
    /// Orders them.
    pub seed: u64,
}

impl Examples for Captioned {
    fn example(&self, step: u64, place: usize) -> Result<Example> {
        let mut rng = rng_of(self.seed, step, place as u64);
        let (path, captions) = &self.pictures[rng.random_range(0..self.pictures.len())];
        Ok(Example {
            image: self.files.decode(path)?,
            caption: captions[rng.random_range(0..captions.len())].clone(),
            questions: Vec::new(),
            regions: None,
            truth: None,
        })
    }
}
