//! What users ask of a model, over pictures and texts instead of tensors: one file a task. The
//! command line and the browser both end here.

mod answer;
mod attention;
mod caption;
mod classify;
mod embed;
mod filter;
mod gauge;
mod guidance;
mod label_set;
mod label_vectors;
mod matching;
mod retrieval;
mod scores;
mod text;
mod warm_up;

pub use answer::{Answer, CANDIDATES, RankedAnswer};
pub use attention::{CaptionAttention, MatchAttention, TokenMap};
pub use caption::Caption;
pub use classify::{LabelScore, Ranking};
pub use filter::{Filtered, Judgement, Reason, THRESHOLD, captioner_options};
pub use gauge::Gauge;
pub use guidance::{Filling, GuidanceOptions, TokenStates};
pub use label_set::{DEFAULT_TEMPLATE, LabelSet};
pub use label_vectors::LabelVectors;
pub use matching::Match;
pub use retrieval::Ranked;
pub use scores::Scores;
pub use warm_up::rehearse;

use crate::device::{self, Placement, read};
use crate::generate::{GenerationSettings, NextLogits};
use crate::image::{Preprocessor, RgbImage};
use crate::kernels::{PackedFormat, Precision, linear};
pub use crate::models::Network;
use crate::models::{Blip, Captions, ModelConfig, Writer};
use crate::nn::{Dtype, Parameters, token_ids};
use crate::tokenizer::Tokenizer;
use crate::{Error, Result};
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Mutex;

/// `model.info`.
#[derive(Debug, Clone, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// `clip`, `chinese_clip`, `siglip`, `blip` or `coca`.
    pub family: &'static str,
    /// The tasks the checkpoint has heads for.
    pub tasks: Vec<&'static str>,
    /// `webgpu` or `cpu`.
    pub device: &'static str,
    /// The GPU's description, where known.
    pub adapter: Option<String>,
    /// The format of most of the weights.
    pub dtype: &'static str,
    /// `fast` where the CPU rounds what it multiplies such weights with to 8 bits, else `exact`.
    pub precision: &'static str,
    /// How many numbers the model has.
    pub parameters: usize,
    /// How many bytes they take on the device.
    pub bytes: usize,
    /// Side of the square that pictures are brought to, in pixels; none where there is no image
    /// encoder.
    pub image_size: Option<usize>,
    /// What `classify` gives unless asked otherwise; none where there is no such task.
    pub scores: Option<Scores>,
    /// Whether vectors are those of the space that texts and pictures share. False of an encoder that
    /// was saved without its projection, whose vectors are its pooled states.
    #[serde(rename = "projected")]
    pub is_projected: bool,
    /// What the checkpoint's generation_config.json says about texts that are written, in place of the
    /// usual defaults.
    #[serde(skip_serializing_if = "GenerationSettings::is_empty")]
    pub generation: GenerationSettings,
}

/// A model with everything it takes to use it.
#[derive(Debug)]
pub struct Model {
    network: Network,
    /// Missing where there is no text encoder.
    tokenizer: Option<Tokenizer>,
    /// Missing where there is no image encoder.
    preprocessor: Option<Preprocessor>,
    /// Side of a patch, in pixels.
    patch_size: usize,
    placement: Placement,
    info: Info,
    /// Vectors of texts that were encoded before: labels are asked for again and again.
    text_vectors: Mutex<HashMap<String, Vec<f32>>>,
    /// Vectors of labels, which take many texts each.
    label_memory: Mutex<label_vectors::LabelMemory>,
}

impl Model {
    /// Puts the parts together; `config` and `parameters` are what the network was loaded from.
    pub fn new(
        network: Network,
        tokenizer: Option<Tokenizer>,
        preprocessor: Option<Preprocessor>,
        config: &ModelConfig,
        parameters: &Parameters,
        placement: Placement,
    ) -> Result<Self> {
        if let (Some(tokenizer), Some(vocabulary)) = (&tokenizer, config.vocabulary()) {
            check_vocabulary(tokenizer, vocabulary)?;
        }
        let patch = config.patch_size();
        if let Some(preprocessor) = &preprocessor {
            check_patches(preprocessor, patch, config.image_size())?;
        }
        let height = preprocessor.as_ref().map(|made| made.output_size().0);
        let info = Info {
            family: config.family().name(),
            tasks: config.tasks(),
            device: placement.name,
            adapter: placement.adapter.clone(),
            dtype: parameters.main_dtype().name(),
            precision: precision(&placement, parameters.main_dtype()).name(),
            parameters: parameters.elements(),
            bytes: parameters.bytes(),
            image_size: height,
            scores: config
                .tasks()
                .contains(&"classify")
                .then(|| Scores::default_of(config.is_pairwise())),
            is_projected: config.is_projected(),
            generation: GenerationSettings::default(),
        };
        Ok(Self {
            network,
            tokenizer,
            preprocessor,
            patch_size: patch,
            placement,
            info,
            text_vectors: Mutex::default(),
            label_memory: Mutex::default(),
        })
    }

    /// The same with a checkpoint's own settings of generation.
    pub fn with_generation(mut self, settings: GenerationSettings) -> Self {
        self.info.generation = settings;
        self
    }

    /// Facts about the model.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// The network, for those who want tensors.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Where it computes.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// [`Error::UnsupportedTask`] of an image encoder alone.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        self.tokenizer
            .as_ref()
            .ok_or_else(|| self.unsupported("embed-text"))
    }

    /// What pictures go through first. To ask for it where there is no image encoder is a mistake of
    /// ours; the tasks refuse it before.
    fn preprocessor(&self) -> &Preprocessor {
        let preprocessor = self.preprocessor.as_ref();
        preprocessor.expect("the image encoder was loaded")
    }

    /// A picture as the network takes it: `[1, 3, height, width]`.
    pub fn pixels(&self, image: &RgbImage) -> Tensor<4> {
        self.pixels_from(self.preprocessor(), image)
    }

    /// The same at another size than the checkpoint's, in whole patches; the network resizes its
    /// position embeddings.
    pub fn pixels_at(&self, image: &RgbImage, size: usize) -> Tensor<4> {
        self.pixels_from(&self.preprocessor().with_size(size), image)
    }

    fn pixels_from(&self, preprocessor: &Preprocessor, image: &RgbImage) -> Tensor<4> {
        let (height, width) = preprocessor.output_size();
        let data = TensorData::new(preprocessor.prepare(image), [1, 3, height, width]);
        Tensor::from_data(data, &self.placement.device)
    }

    /// What of texts that it writes is the network's, if it has the heads for `task`.
    fn captions(&self, task: &str) -> Result<Captions> {
        let captions = self.network.captions();
        captions
            .filter(|_| self.info.tasks.contains(&task))
            .ok_or_else(|| self.unsupported(task))
    }

    /// What writes from a picture's states, or a question's: `[1, tokens, width]`.
    fn decoding(&self, states: Tensor<3>) -> Result<Decoding<'_>> {
        Decoding::new(&self.network, states, &self.placement.device)
    }

    /// What looks at pictures and texts together, if it has the heads for `task`.
    fn grounded(&self, task: &str) -> Result<&Blip> {
        let grounded = self.network.grounded();
        grounded
            .filter(|_| self.info.tasks.contains(&task))
            .ok_or_else(|| self.unsupported(task))
    }

    fn unsupported(&self, task: &str) -> Error {
        Error::UnsupportedTask(format!(
            "this {} has no head for '{task}'; it can {}",
            self.info.family.to_uppercase(),
            self.info.tasks.join(", ")
        ))
    }
}

/// How exactly most of the layers are computed.
fn precision(placement: &Placement, dtype: Dtype) -> Precision {
    let format = match dtype {
        Dtype::Q8 => PackedFormat::Q8,
        Dtype::Q4 => PackedFormat::Q4,
        _ => return Precision::Exact,
    };
    match placement.name == "cpu" && linear::fast_levels(format).is_some() {
        true => placement.precision,
        false => Precision::Exact,
    }
}

/// Refuses a tokenizer with tokens that the network lacks.
fn check_vocabulary(tokenizer: &Tokenizer, vocabulary: usize) -> Result<()> {
    let largest = tokenizer.largest_id();
    if (largest as usize) < vocabulary {
        return Ok(());
    }
    Err(Error::BadWeights(format!(
        "the tokenizer's largest id is {largest}, which takes {} entries, but the model knows {vocabulary} tokens",
        u64::from(largest) + 1
    )))
}

/// Refuses pictures that are not whole patches, unless the model was trained with such: some of SigLIP's
/// were.
fn check_patches(preprocessor: &Preprocessor, patch: usize, trained: Option<usize>) -> Result<()> {
    let (height, width) = preprocessor.output_size();
    let is_whole = height % patch == 0 && width % patch == 0;
    let is_trained = trained == Some(height) && height == width; // with what lies beside whole patches
    if is_whole || is_trained {
        return Ok(());
    }
    Err(Error::BadWeights(format!(
        "preprocessor_config.json makes pictures of {width} x {height} pixels, which are not whole patches of {patch}"
    )))
}

/// A decoder at work, on its device.
struct Decoding<'a> {
    writer: Box<dyn Writer + 'a>,
    device: &'a Device,
    works_ahead: bool,
}

impl<'a> Decoding<'a> {
    /// From a picture's states, or a question's: `[1, tokens, width]`.
    fn new(network: &'a Network, states: Tensor<3>, device: &'a Device) -> Result<Self> {
        Ok(Self {
            works_ahead: device::works_ahead(&states.device()),
            writer: network.writer(states)?,
            device,
        })
    }
}

impl NextLogits for Decoding<'_> {
    fn start(&mut self, prompt: &[u32]) -> Tensor<2> {
        self.writer.forget();
        let ids = token_ids(&[prompt.to_vec()], self.device);
        self.writer.next_logits(ids)
    }

    fn follow(&mut self, ids: Tensor<1, Int>) -> Tensor<2> {
        self.writer.next_logits(ids.unsqueeze_dim(1))
    }

    fn reorder(&mut self, parents: Tensor<1, Int>) {
        self.writer.reorder(parents);
    }

    fn works_ahead(&self) -> bool {
        self.works_ahead
    }
}
