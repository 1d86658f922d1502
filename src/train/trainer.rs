//! A training run: its recipe, its state, and one step of it.

use super::batch::Batch;
use super::losses::Vectors;
use super::momentum::Momentum;
use super::objectives::{
    Extras, Losses, Objectives, Targets, blip_losses, clip_losses, constant, vectors,
};
use super::optimizer::{Optimization, OptimizerConfig, Schedule};
use super::patch_labels::{PATCH_HEAD, PatchGrid};
use super::weights::{Weights, tensor_of, untrainable, values_of};
use crate::image::Preprocessor;
use crate::load::Description;
use crate::models::blip::TEMPERATURE;
use crate::models::clip::ClipVisionConfig;
use crate::models::{Blip, BlipConfig, ModelConfig};
use crate::nn::Trainable;
use crate::tokenizer::Tokenizer;
use crate::{Error, Result};
use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Everything that a run depends on besides its data and its model's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Examples a step.
    pub batch: usize,
    /// Parts of a batch that are worked on side by side, one core each. In the contrastive loss a
    /// picture meets the texts of its own part and of the queue.
    pub shards: usize,
    /// Learning rates.
    pub schedule: Schedule,
    /// AdamW's settings.
    pub optimizer: OptimizerConfig,
    /// What is learned.
    pub objectives: Objectives,
    /// Vectors in the contrastive queues; 0 for neither queue nor momentum encoders.
    pub queue: usize,
    /// What share of themselves the momentum encoders keep at each step.
    pub momentum: f64,
    /// Longest text, in tokens.
    pub longest: usize,
    /// Classes of what patches show, the ground not counted; 0 where they are not learned.
    #[serde(default)]
    pub classes: usize,
    /// Side of the pictures in this run, in pixels; the model's own without. On small pictures
    /// learning starts at a fraction of the cost, as BLIP's does before it is tuned on larger ones.
    #[serde(default)]
    pub picture_size: Option<usize>,
    /// Everything random comes from it.
    pub seed: u64,
}

const FIRST_TEMPERATURE: f32 = 0.07;

/// What a step found.
#[derive(Debug, Clone)]
pub struct Report {
    /// The step, counted from 0.
    pub step: u64,
    /// Its learning rate.
    pub rate: f64,
    /// The losses by name, and `total`.
    pub losses: Vec<(&'static str, f64)>,
    /// The gradient's norm before clipping.
    pub norm: f64,
}

/// What one shard of a batch contributes.
struct Shard {
    gradients: Vec<Option<Tensor<1>>>,
    losses: Vec<(&'static str, f32)>,
    vectors: Option<Vectors>,
}

/// Works on all shards at once, each on one core; a single one may use all cores.
fn side_by_side<T: Send>(
    shards: &[Batch],
    work: impl Fn(usize, &Batch) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    if let [only] = shards {
        return Ok(vec![work(0, only)?]);
    }
    let alone = |place: usize, batch: &Batch| -> Result<T> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let pool = pool
            .map_err(|error| Error::OutOfMemory(format!("no thread could be started: {error}")))?;
        pool.install(|| work(place, batch))
    };
    std::thread::scope(|scope| {
        let alone = &alone;
        let started: Vec<_> = shards
            .iter()
            .enumerate()
            .map(|(place, batch)| scope.spawn(move || alone(place, batch)))
            .collect();
        started
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

/// A model in training.
pub struct Trainer {
    /// How it is trained.
    pub recipe: Recipe,
    /// Its files' texts.
    pub description: Description,
    /// Its parameters.
    pub weights: Weights,
    /// BLIP's momentum encoders.
    pub momentum: Option<Momentum>,
    /// AdamW's state.
    pub optimization: Optimization,
    /// Steps done.
    pub step: u64,
    config: ModelConfig,
    tokenizer: Tokenizer,
    preprocessor: Preprocessor,
    device: Device,
}

impl Trainer {
    /// A run that starts from `weights`; without them from a new model.
    pub fn new(
        recipe: Recipe,
        description: Description,
        weights: Option<Weights>,
        device: Device,
    ) -> Result<Self> {
        let config = ModelConfig::from_json(&description.config)?;
        if let ModelConfig::Clip(clip) = &config
            && matches!(clip.vision, ClipVisionConfig::ResNet(_))
        {
            return Err(Error::UnsupportedTask(
                "a CLIP with a ResNet cannot be trained here: choose one with a vision transformer"
                    .to_string(),
            ));
        }
        if let ModelConfig::Clip(clip) = &config
            && !(clip.encoders.image && clip.encoders.text)
        {
            return Err(Error::UnsupportedTask(
                "one of CLIP's encoders alone cannot be trained: choose a whole model".to_string(),
            ));
        }
        if let ModelConfig::Coca(_) = &config {
            return Err(untrainable());
        }
        let mut weights = match weights {
            Some(weights) => weights,
            None => Weights::new(&config, recipe.seed, &device)?,
        };
        let momentum = match &config {
            ModelConfig::Blip(config) => prepare(config, &recipe, &mut weights, &device)?,
            ModelConfig::Clip(_) | ModelConfig::Coca(_) => None,
        };
        Ok(Self {
            optimization: Optimization::new(&recipe.optimizer, weights.all.len()),
            tokenizer: Tokenizer::from_json(&description.tokenizer)?,
            preprocessor: preprocessor(&description, &config, recipe.picture_size)?,
            recipe,
            description,
            weights,
            momentum,
            step: 0,
            config,
            device,
        })
    }

    /// The model's configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Examples as the model takes them, in as many shards as the recipe says.
    pub fn prepare(&self, examples: &[super::Example]) -> Result<Vec<Batch>> {
        let size = examples.len().div_ceil(self.recipe.shards.max(1)).max(1);
        let shards = examples.chunks(size).map(|examples| {
            Batch::new(
                examples,
                &self.preprocessor,
                &self.tokenizer,
                self.recipe.longest,
                self.grid(),
                &self.device,
            )
        });
        shards.collect()
    }

    /// How pictures are cut, if their patches are learned.
    fn grid(&self) -> Option<PatchGrid> {
        let (height, width) = self.preprocessor.output_size();
        let patch = self.config.patch_size();
        (self.recipe.objectives.patches > 0.0).then_some(PatchGrid {
            rows: height / patch,
            columns: width / patch,
            classes: self.recipe.classes,
        })
    }

    /// Learns from one step's batch, given in shards that are worked on side by side: the loss is
    /// the mean of theirs, as with one device each.
    pub fn learn(&mut self, shards: &[Batch]) -> Result<Report> {
        let momentum = self.follow()?;
        let this = &*self;
        let found = side_by_side(shards, |place, batch| {
            this.shard(place as u64, batch, momentum.as_ref())
        })?;
        let rate = self.recipe.schedule.rate(self.step);
        let count = found.len() as f32;
        let mut losses: Vec<(&'static str, f64)> = Vec::new();
        let mut gradients = Vec::new();
        for shard in found {
            gradients.push(shard.gradients);
            for (name, loss) in shard.losses {
                let part = f64::from(loss / count);
                match losses.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, sum)) => *sum += part,
                    None => losses.push((name, part)),
                }
            }
            if let (Some(momentum), Some(vectors)) = (&mut self.momentum, shard.vectors) {
                momentum.enqueue(&vectors);
            }
        }
        let gradients = mean_gradients(gradients);
        let norm = self.optimization.step(&mut self.weights, gradients, rate)?;
        self.clamp_temperature();
        let report = Report {
            step: self.step,
            rate,
            losses,
            norm,
        };
        self.step += 1;
        Ok(report)
    }

    /// Moves the momentum encoders; a model over their parameters.
    fn follow(&mut self) -> Result<Option<Blip>> {
        let (Some(momentum), ModelConfig::Blip(config)) = (&mut self.momentum, &self.config) else {
            return Ok(None);
        };
        momentum.follow(&self.weights, self.recipe.momentum);
        momentum.blip(config).map(Some)
    }

    /// Losses and gradients of one shard.
    fn shard(&self, place: u64, batch: &Batch, momentum: Option<&Blip>) -> Result<Shard> {
        let leaves = self.weights.leaves();
        let targets = momentum.map(|blip| self.targets(blip, batch)).transpose()?;
        let losses = self.losses(&leaves, batch, targets.as_ref(), place)?;
        let Some(total) = losses.total(&self.recipe.objectives) else {
            return Err(Error::BadInput(
                "nothing to learn: no objective applies to this data".to_string(),
            ));
        };
        let mut gradients = total.backward();
        let mut named = losses.named();
        named.push(("total", total));
        let values = named.iter().map(|(_, loss)| loss.clone().inner());
        let values = values_of(Tensor::cat(values.collect(), 0))?;
        let leaves = leaves.all.iter();
        Ok(Shard {
            gradients: leaves
                .map(|leaf| leaf.values.grad_remove(&mut gradients))
                .collect(),
            losses: named.iter().map(|(name, _)| *name).zip(values).collect(),
            vectors: targets.map(|targets| targets.vectors),
        })
    }

    /// The losses of a batch for a model over `leaves`.
    fn losses(
        &self,
        leaves: &Weights,
        batch: &Batch,
        targets: Option<&Targets>,
        place: u64,
    ) -> Result<Losses> {
        let config = match &self.config {
            ModelConfig::Blip(config) => config,
            ModelConfig::Clip(config) => return Ok(clip_losses(&leaves.clip(config)?, batch)),
            ModelConfig::Coca(_) => return Err(untrainable()),
        };
        let blip = leaves.blip(config)?;
        let extras = Extras {
            temperature: leaves.get(TEMPERATURE).map_or_else(
                || constant(FIRST_TEMPERATURE, &self.device),
                |parameter| parameter.values.clone(),
            ),
            patch_head: leaves.get(PATCH_HEAD).map(|head| {
                let shape = [head.shape[0], head.shape[1]];
                head.values.clone().reshape(shape)
            }),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(self.recipe.seed);
        rng.set_stream(u64::MAX - (self.step << 8) - place);
        let objectives = &self.recipe.objectives;
        blip_losses(&blip, batch, objectives, extras, targets, &mut rng)
    }

    /// The momentum encoders' view of a batch.
    fn targets(&self, blip: &Blip, batch: &Batch) -> Result<Targets> {
        let states = blip.encode_image(batch.pixels.clone());
        Ok(Targets {
            vectors: vectors(blip, states, &batch.captions)?,
            queue: self
                .momentum
                .as_ref()
                .map(|momentum| momentum.queue.clone()),
        })
    }

    /// Keeps the temperature where the reference keeps it.
    fn clamp_temperature(&mut self) {
        let all = self.weights.all.iter_mut();
        for parameter in all.filter(|parameter| parameter.name == TEMPERATURE) {
            parameter.values = parameter.values.clone().clamp(0.001, 0.5);
        }
    }
}

/// The mean over the shards of each parameter's gradient. A shard that has none counts as zero.
fn mean_gradients(shards: Vec<Vec<Option<Tensor<1>>>>) -> Vec<Option<Tensor<1>>> {
    let count = shards.len() as f32;
    let parameters = shards.first().map_or(0, Vec::len);
    let of_parameter = |place: usize| {
        let gradients = shards.iter().filter_map(|shard| shard[place].clone());
        let sum = gradients.reduce(|sum, gradient| sum + gradient)?;
        Some(sum.div_scalar(count))
    };
    (0..parameters).into_par_iter().map(of_parameter).collect()
}

/// What brings pictures to the model's size, or to the recipe's.
fn preprocessor(
    description: &Description,
    config: &ModelConfig,
    picture_size: Option<usize>,
) -> Result<Preprocessor> {
    let own = Preprocessor::from_json(&description.preprocessor)?;
    let patch = config.patch_size();
    match picture_size {
        None => Ok(own),
        Some(size) if size > 0 && size.is_multiple_of(patch) => Ok(own.with_size(size)),
        Some(size) => Err(Error::BadInput(format!(
            "pictures of {size} pixels are not whole patches of {patch}"
        ))),
    }
}

/// Gives a BLIP what only training needs: the patches' head; its temperature and its momentum encoders,
/// if the contrastive loss is learned.
fn prepare(
    config: &BlipConfig,
    recipe: &Recipe,
    weights: &mut Weights,
    device: &Device,
) -> Result<Option<Momentum>> {
    if recipe.objectives.patches > 0.0 && weights.get(PATCH_HEAD).is_none() {
        let shape = vec![recipe.classes + 1, config.vision.block.width];
        weights.all.push(Trainable {
            name: PATCH_HEAD.to_string(),
            values: tensor_of(vec![0.0; shape.iter().product()], device),
            shape,
        });
    }
    let learns_contrast = config.heads.retrieval && recipe.objectives.itc > 0.0;
    if !learns_contrast {
        return Ok(None);
    }
    if weights.get(TEMPERATURE).is_none() {
        weights.all.push(Trainable {
            name: TEMPERATURE.to_string(),
            shape: vec![1],
            values: tensor_of(vec![FIRST_TEMPERATURE], device),
        });
    }
    let size = recipe.queue;
    Ok((size > 0).then(|| Momentum::new(weights, config, size, device)))
}
