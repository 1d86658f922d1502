//! A checkpoint's own settings of generation: generation_config.json, or what a GGUF file kept of it.
//!
//! The reference reads the file, but its BLIP writes without it: `generate` of the whole model calls that
//! of its decoder, which has settings of its own. Here they count, as people who publish them mean it.

use super::text_file::read;
use super::weight_file::Promises;
use super::{Files, GENERATION_KEY};
use crate::generate::GenerationSettings;
use crate::models::ModelConfig;
use crate::weights::gguf::Value;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// The file of the settings.
const FILE: &str = "generation_config.json";

/// What a checkpoint says.
#[derive(Debug, Clone, Default)]
pub struct Generation {
    /// Empty where it says nothing.
    pub settings: GenerationSettings,
    /// The text that says so.
    text: String,
    /// Fields that have no effect here.
    left_out: Vec<String>,
}

impl Generation {
    /// Looks into a GGUF file's metadata, or else for the file in the folder of a model that writes.
    pub(super) async fn find(
        files: &impl Files,
        folder: &str,
        metadata: Option<&BTreeMap<String, Value>>,
        config: &str,
        promises: &Promises,
    ) -> Result<Self> {
        let is_ours =
            |metadata: &&BTreeMap<String, Value>| metadata.contains_key(super::CONFIG_KEY);
        if let Some(metadata) = metadata.filter(is_ours) {
            return Self::of_metadata(metadata);
        }
        if !writes(config) {
            return Ok(Self::default());
        }
        match read(files, &format!("{folder}{FILE}"), promises).await? {
            Some(text) => Self::parse(text),
            None => Ok(Self::default()),
        }
    }

    /// Has the file fetched, where there is one that counts.
    #[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
    pub(crate) async fn fetch(files: &impl Files, folder: &str, config: &str) -> Result<()> {
        if writes(config) {
            read(files, &format!("{folder}{FILE}"), &Promises::new()).await?;
        }
        Ok(())
    }

    /// What a GGUF file has kept.
    pub(super) fn of_metadata(metadata: &BTreeMap<String, Value>) -> Result<Self> {
        match metadata.get(GENERATION_KEY) {
            None => Ok(Self::default()),
            Some(Value::String(text)) => Self::parse(text.clone()),
            Some(other) => Err(Error::BadWeights(format!(
                "gguf metadata \"{GENERATION_KEY}\" should be a string, but is {}",
                other.type_name()
            ))),
        }
    }

    /// Keeps it in the metadata of what is made of the model.
    pub(super) fn note(&self, metadata: &mut BTreeMap<String, Value>) {
        if !self.settings.is_empty() {
            let text = Value::String(self.text.clone());
            metadata.insert(GENERATION_KEY.to_string(), text);
        }
    }

    /// What should be said about fields that have no effect here.
    pub fn note_of_left_out(&self) -> Option<String> {
        let names = self.left_out.join(", ");
        (!names.is_empty()).then(|| format!("{FILE}: {names} cannot be followed here"))
    }

    fn parse(text: String) -> Result<Self> {
        let (settings, left_out) = GenerationSettings::from_generation_config(&text)?;
        Ok(Self {
            settings,
            text,
            left_out,
        })
    }
}

/// Whether the model of a config.json writes texts.
fn writes(config: &str) -> bool {
    let tasks = ModelConfig::from_json(config).map(|config| config.tasks());
    tasks.is_ok_and(|tasks| tasks.contains(&"caption") || tasks.contains(&"answer"))
}
