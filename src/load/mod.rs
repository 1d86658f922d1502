//! Model files to models. [`GgufLoader`] takes a GGUF file as it arrives, chunk by chunk; on native
//! platforms [`open`] reads one, or a folder in Hugging Face layout.

#[cfg(not(target_arch = "wasm32"))]
pub mod convert;
#[cfg(not(target_arch = "wasm32"))]
pub mod folder;
mod gguf;
#[cfg(not(target_arch = "wasm32"))]
mod open;

pub use gguf::{CONFIG_KEY, GgufLoader, PREPROCESSOR_KEY, TOKENIZER_KEY};
#[cfg(not(target_arch = "wasm32"))]
pub use open::{FileBytes, open};

use crate::Result;
use crate::device::Placement;
use crate::image::Preprocessor;
use crate::models::blip::TIES;
use crate::models::{Blip, Clip, ModelConfig};
use crate::nn::{Parameters, Target};
use crate::tasks::{Model, Network};
use crate::tokenizer::Tokenizer;
use crate::weights::TensorInfo;

/// What a model needs beside its weights, as the texts of the reference's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// config.json.
    pub config: String,
    /// tokenizer.json.
    pub tokenizer: String,
    /// preprocessor_config.json.
    pub preprocessor: String,
}

/// A model in the making: the description is understood, tensors are arriving.
#[derive(Debug)]
pub struct Assembly {
    config: ModelConfig,
    tokenizer: Tokenizer,
    preprocessor: Preprocessor,
    parameters: Parameters,
    placement: Placement,
}

impl Assembly {
    /// Checks the description's three texts and waits for tensors.
    pub fn new(description: &Description, placement: Placement, target: Target) -> Result<Self> {
        let mut parameters = Parameters::new(placement.device.clone(), target);
        for (name, source) in TIES {
            parameters.tie(name, source);
        }
        Ok(Self {
            config: ModelConfig::from_json(&description.config)?,
            tokenizer: Tokenizer::from_json(&description.tokenizer)?,
            preprocessor: Preprocessor::from_json(&description.preprocessor)?,
            parameters,
            placement,
        })
    }

    /// Takes one tensor; `bytes` are exactly its own.
    pub fn accept(&mut self, info: &TensorInfo, bytes: &[u8]) -> Result<()> {
        self.parameters.accept(info, bytes)
    }

    /// The model, once all its tensors have arrived.
    pub fn finish(self) -> Result<Model> {
        let Self {
            config,
            tokenizer,
            preprocessor,
            mut parameters,
            placement,
        } = self;
        let network = match config.clone() {
            ModelConfig::Clip(config) => {
                Network::Clip(Box::new(Clip::load(&mut parameters, config)?))
            }
            ModelConfig::Blip(config) => {
                Network::Blip(Box::new(Blip::load(&mut parameters, config)?))
            }
        };
        Model::new(
            network,
            tokenizer,
            preprocessor,
            &config,
            &parameters,
            placement,
        )
    }
}
