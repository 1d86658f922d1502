//! LoRA adapters of PEFT: the products of thin matrices that a fine-tuning has added to a model's
//! weights, merged into them while they are read. [`config`] says what adapter_config.json asks for,
//! and refuses by name what is not done here; [`tensors`] reads the weights beside it; [`merge`]
//! finds the base's tensors that they change, and changes them.
//!
//! The reference is `merge_and_unload` of <https://github.com/huggingface/peft>: low-rank matrices
//! stay in memory, whole tensors (`modules_to_save`, biases) are read in place of the base's.

mod base;
mod config;
mod delta;
mod fields;
mod merge;
mod modules;
mod targets;
mod tensors;

pub(super) use base::Base;
pub(super) use merge::Merge;
pub(super) use tensors::Adapter;

use super::weight_file::{Promises, named};
use super::{Files, text_file};
use crate::{Error, Result};

/// The file that makes a folder an adapter.
pub const CONFIG_FILE: &str = "adapter_config.json";
/// The files that an adapter's weights may be in, the preferred first.
pub const WEIGHT_FILES: [&str; 2] = ["adapter_model.safetensors", "adapter_model.bin"];

/// An adapter that is to be merged into a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterPlace {
    /// What it is called in messages, and in the metadata of the merged model.
    pub name: String,
    /// The folder of its files, as the model's [`Files`] know it; empty for the model's own folder.
    pub folder: String,
}

impl AdapterPlace {
    /// The adapter whose files lie beside the model's own.
    pub(super) fn beside(folder: String) -> Self {
        Self {
            name: folder.clone(),
            folder,
        }
    }

    /// The adapter's `file`, as the model's files know it.
    fn path(&self, file: &str) -> String {
        in_folder(&self.folder, file)
    }

    /// The adapter's `file` in messages.
    fn label(&self, file: &str) -> String {
        in_folder(&self.name, file)
    }
}

fn in_folder(folder: &str, file: &str) -> String {
    match folder.trim_end_matches(['/', '\\']) {
        "" => file.to_string(),
        folder => format!("{folder}/{file}"),
    }
}

/// An adapter that was merged.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Merged {
    /// What it is called.
    pub name: String,
    /// The SHA-256 of its configuration and of all its low-rank matrices, in hexadecimal.
    pub sha256: String,
    /// The rank of most of its matrices.
    pub rank: usize,
    /// How many of the model's tensors it changes or replaces.
    pub tensors: usize,
}

/// The text of the adapter's configuration; `None` if there is no adapter.
pub(super) async fn configuration(
    files: &impl Files,
    place: &AdapterPlace,
    promises: &Promises,
) -> Result<Option<String>> {
    let text = text_file::read(files, &place.path(CONFIG_FILE), promises).await;
    text.map_err(|error| named(&place.name, error))
}

/// The error of something that was taken for an adapter.
pub(super) fn missing(place: &AdapterPlace) -> Error {
    Error::BadInput(format!(
        "{}: there is no {CONFIG_FILE}: an adapter is a folder that PEFT has saved",
        place.name
    ))
}

/// The error of an adapter, given as its configuration, that is alone where a model is wanted.
pub(super) fn without_base(text: &str) -> Error {
    let base = base_of(text).map_or_else(String::new, |base| {
        format!(", {:?} by its own word", base.name)
    });
    Error::BadWeights(format!(
        "{CONFIG_FILE} says that this is an adapter (PEFT), not a model: name the model that it was made for{base}, as its base (--base)"
    ))
}

/// The model that an adapter was trained on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseName {
    /// As whoever trained it called it: a folder or a name on the hub.
    pub name: String,
    /// Its branch, tag or commit there.
    pub revision: Option<String>,
}

/// What adapter_config.json says of the adapter's base.
pub fn base_of(text: &str) -> Option<BaseName> {
    let fields: serde_json::Value = serde_json::from_str(text).ok()?;
    let of = |name: &str| {
        let text = fields[name].as_str()?.trim();
        (!text.is_empty()).then(|| text.to_string())
    };
    Some(BaseName {
        name: of("base_model_name_or_path")?,
        revision: of("revision"),
    })
}
