//! Model files to models. There is one way: [`Source`] says what is there, a plan which tensors are
//! taken in which format, and [`load`] reads them one after the other, converts each on arrival and
//! hands it to the device and to the cache entry, if there is one. Where the bytes come from is
//! [`Files`]' business, where they are kept is [`Store`]'s.

mod adapter;
mod coca;
#[cfg(not(target_arch = "wasm32"))]
pub mod convert;
mod driver;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
mod embedded;
mod entry;
mod files;
pub(crate) mod generation;
mod kept;
pub(crate) mod layout;
mod leftovers;
mod names;
#[cfg(not(target_arch = "wasm32"))]
mod open;
mod open_clip;
mod options;
mod original;
mod plan;
mod prefixes;
mod reader;
mod refusals;
mod sentence;
mod shapes;
mod source;
mod table;
pub(crate) mod text_file;
pub(crate) mod texts;
mod timm;
mod tokens;
mod towers;
mod weight_file;

#[cfg(not(target_arch = "wasm32"))]
pub use crate::at_once::at_once;
pub use adapter::{
    AdapterPlace, BaseName, CONFIG_FILE as ADAPTER_CONFIG_FILE, Merged,
    WEIGHT_FILES as ADAPTER_WEIGHT_FILES, base_of,
};
pub use driver::load;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub use embedded::{EMBEDDED, embedded};
pub use entry::{Store, Stores, VERSION as ENTRY_VERSION, is_complete};
pub use files::Files;
#[cfg(not(target_arch = "wasm32"))]
pub use files::Folder;
pub use kept::NoStore;
#[cfg(not(target_arch = "wasm32"))]
pub use open::{open, open_adapted, open_with};
pub use options::{Event, Options};
pub use source::Source;
pub use weight_file::Promises;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub(crate) use weight_file::named;

use crate::device::Placement;
use crate::generate::GenerationSettings;
use crate::image::Preprocessor;
use crate::models::blip::TIES;
use crate::models::{Family, ModelConfig, Network, joined_with};
use crate::nn::{Parameters, Target};
use crate::tasks::{self, Model};
use crate::tokenizer::Tokenizer;
use crate::weights::TensorInfo;
use crate::weights::gguf::{Header, Value};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Metadata key of the tokenizer.json text.
pub const TOKENIZER_KEY: &str = "tokenizer.huggingface.json";
/// Metadata key of the config.json text.
pub const CONFIG_KEY: &str = "obscura.config";
/// Metadata key of the preprocessor_config.json text.
pub const PREPROCESSOR_KEY: &str = "obscura.preprocessor";
/// Metadata key of the adapters that were merged into a file: a JSON list of [`Merged`].
pub const ADAPTERS_KEY: &str = "obscura.adapters";
/// Metadata key of the generation_config.json text.
pub const GENERATION_KEY: &str = "obscura.generation";
/// Metadata key of ggml's code for a file's main number format.
pub const FILE_TYPE_KEY: &str = "general.file_type";

/// What a model needs beside its weights, as the texts of the reference's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// config.json.
    pub config: String,
    /// tokenizer.json; empty for an image encoder alone, which takes none.
    pub tokenizer: String,
    /// preprocessor_config.json; empty for a text encoder alone, which takes none.
    pub preprocessor: String,
}

impl Description {
    /// The texts in a GGUF file's metadata.
    pub fn from_gguf(header: &Header) -> Result<Self> {
        let text = |key| header.text(key).map(str::to_string);
        let config = text(CONFIG_KEY)?;
        let takes = layout::Takes::of(&config);
        let needed = |is_needed, key| match is_needed {
            true => text(key),
            false => Ok(String::new()),
        };
        Ok(Self {
            tokenizer: needed(takes.texts, TOKENIZER_KEY)?,
            preprocessor: needed(takes.pictures, PREPROCESSOR_KEY)?,
            config,
        })
    }

    /// The same as metadata; `file_type` is ggml's code for the main number format.
    pub fn metadata(&self, family: Family, file_type: u32) -> BTreeMap<String, Value> {
        let texts = [
            ("general.architecture", family.name()),
            (TOKENIZER_KEY, &self.tokenizer),
            (CONFIG_KEY, &self.config),
            (PREPROCESSOR_KEY, &self.preprocessor),
        ];
        let mut metadata: BTreeMap<String, Value> = texts
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(key, text)| (key.to_string(), Value::String(text.to_string())))
            .collect();
        metadata.insert(FILE_TYPE_KEY.to_string(), Value::U32(file_type));
        metadata.insert("general.quantization_version".to_string(), Value::U32(2));
        metadata
    }
}

/// A model in the making: the description is understood, tensors are arriving.
#[derive(Debug)]
pub struct Assembly {
    config: ModelConfig,
    tokenizer: Option<Tokenizer>,
    preprocessor: Option<Preprocessor>,
    parameters: Parameters,
    placement: Placement,
    generation: GenerationSettings,
}

impl Assembly {
    /// Checks the description's three texts and waits for tensors.
    pub fn new(description: &Description, placement: Placement, target: Target) -> Result<Self> {
        let config = ModelConfig::from_json(&description.config)?;
        let mut assembly = Self::without_ties(description, config, placement, target)?;
        for (name, source) in TIES {
            assembly.parameters.tie(name, source);
        }
        Ok(assembly)
    }

    /// The same, knowing which tensors will come and as which model.
    fn of_tensors(
        description: &Description,
        config: ModelConfig,
        tensors: &[TensorInfo],
        placement: Placement,
        target: Target,
    ) -> Result<Self> {
        let mut assembly = Self::without_ties(description, config, placement, target)?;
        plan::declare_ties(&mut assembly.parameters, tensors.iter());
        Ok(assembly)
    }

    fn without_ties(
        description: &Description,
        config: ModelConfig,
        placement: Placement,
        target: Target,
    ) -> Result<Self> {
        let mut parameters =
            Parameters::new(placement.device.clone(), target).with_precision(placement.precision);
        parameters.join(joined_with);
        // Of the tasks that are wanted, which may be fewer than the description's.
        let (pictures, texts) = (config.image_size(), config.vocabulary());
        let tokenizer = texts
            .is_some()
            .then(|| Tokenizer::from_json(&description.tokenizer));
        let preprocessor = pictures
            .is_some()
            .then(|| Preprocessor::from_json(&description.preprocessor));
        Ok(Self {
            config,
            tokenizer: tokenizer.transpose()?,
            preprocessor: preprocessor.transpose()?,
            parameters,
            placement,
            generation: GenerationSettings::default(),
        })
    }

    /// The same with the checkpoint's own settings of generation.
    fn with_generation(self, generation: GenerationSettings) -> Self {
        Self { generation, ..self }
    }

    /// Has a GPU compile what the model will run that `tensors` make, while they arrive.
    fn rehearse(&self, tensors: &[TensorInfo]) -> Result<()> {
        let tasks = self.config.tasks();
        tasks::rehearse(&tasks, self.preprocessor.as_ref(), &self.placement, || {
            let mut announced = self.parameters.announced(tensors);
            Network::load(&mut announced, &self.config)
        })
    }

    /// Takes one tensor; `bytes` are exactly its own.
    pub fn accept(&mut self, info: &TensorInfo, bytes: &[u8]) -> Result<()> {
        self.parameters.accept(info, bytes)
    }

    /// The model, once all its tensors have arrived.
    pub fn finish(mut self) -> Result<Model> {
        let network = Network::load(&mut self.parameters, &self.config)?;
        let model = Model::new(
            network,
            self.tokenizer,
            self.preprocessor,
            &self.config,
            &self.parameters,
            self.placement,
        )?;
        Ok(model.with_generation(self.generation))
    }
}

/// A length in bytes as the size of something in memory.
fn fits(length: u64) -> Result<usize> {
    usize::try_from(length)
        .ok()
        .filter(|length| isize::try_from(*length).is_ok())
        .ok_or_else(|| Error::OutOfMemory(format!("{length} bytes do not fit into memory")))
}
