//! BLIP's momentum encoders and the queues of their vectors: targets and negatives for the
//! contrastive loss that change slowly (MoCo, arXiv 1911.05722; ALBEF, arXiv 2107.07651).

use super::losses::{Queue, Vectors};
use super::weights::{Weights, tensor_of};
use crate::Result;
use crate::models::{Blip, BlipConfig, normalize};
use burn::tensor::{Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Encoders that follow the trained ones, and what they saw lately.
#[derive(Debug, Clone)]
pub struct Momentum {
    /// Their parameters: those of the two encoders and their projections.
    pub weights: Weights,
    /// Vectors of the last batches.
    pub queue: Queue,
    /// The column that the next batch replaces.
    pub next: usize,
}

impl Momentum {
    /// Starts from the trained model's own parameters and `size` random vectors.
    pub fn new(trained: &Weights, config: &BlipConfig, size: usize, device: &Device) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(0x71);
        let mut random = || {
            let values = (0..config.projection * size).map(|_| rng.random_range(-1.0_f32..1.0));
            let rows = tensor_of(values.collect(), device).reshape([size, config.projection]);
            normalize(rows).transpose()
        };
        let followed = trained.all.iter().filter(|one| is_followed(&one.name));
        Self {
            weights: Weights {
                all: followed.cloned().collect(),
            },
            queue: Queue {
                images: random(),
                texts: random(),
            },
            next: 0,
        }
    }

    /// Moves towards the trained parameters: `momentum` parts stay.
    pub fn follow(&mut self, trained: &Weights, momentum: f64) {
        let sources = trained.all.iter().filter(|one| is_followed(&one.name));
        let pairs: Vec<_> = self.weights.all.iter_mut().zip(sources).collect();
        pairs.into_par_iter().for_each(|(own, trained)| {
            let kept = own.values.clone().mul_scalar(momentum);
            own.values = kept + trained.values.clone().mul_scalar(1.0 - momentum);
        });
    }

    /// A BLIP over these parameters, for its encoders.
    pub fn blip(&self, config: &BlipConfig) -> Result<Blip> {
        let mut config = config.clone();
        config.heads.captioning = false;
        config.heads.answering = false;
        self.weights.blip(&config)
    }

    /// Replaces the oldest vectors.
    pub fn enqueue(&mut self, vectors: &Vectors) {
        let [width, size] = self.queue.images.dims();
        let batch = vectors.images.dims()[0].min(size);
        let columns: Vec<usize> = (0..batch).map(|place| (self.next + place) % size).collect();
        let first = size - self.next; // columns before the queue's end
        let mut parts = vec![(self.next, 0, batch.min(first))];
        if batch > first {
            parts.push((0, first, batch - first));
        }
        for (column, row, count) in parts {
            let replace = |queue: Tensor<2>, rows: &Tensor<2>| {
                let new = rows.clone().narrow(0, row, count).transpose();
                queue.slice_assign([0..width, column..column + count], new)
            };
            self.queue.images = replace(self.queue.images.clone(), &vectors.images);
            self.queue.texts = replace(self.queue.texts.clone(), &vectors.texts);
        }
        self.next = columns.last().map_or(self.next, |last| (last + 1) % size);
    }
}

/// Whether the momentum encoders have a parameter of this name. The matching head is theirs by
/// construction only.
fn is_followed(name: &str) -> bool {
    [
        "vision_model.",
        "text_encoder.",
        "vision_proj.",
        "text_proj.",
        "itm_head.",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}
