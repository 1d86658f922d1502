//! An adapter's file of weights: the low-rank matrices, read into memory at once, and the tensors that
//! take the place of the base's, which stay where they are until their turn.

use super::config::AdapterConfig;
use super::{AdapterPlace, WEIGHT_FILES, in_folder};
use crate::load::Files;
use crate::load::weight_file::{Promises, WeightFile, named};
use crate::models::blip::TIES;
use crate::weights::{Format, TensorInfo, blocks};
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What PEFT puts in front of the names of the model that it wraps.
const PREFIX: &str = "base_model.model.";
/// The parts of names that a wrapped module's own tensors have more than before.
const WRAPPERS: [&str; 2] = ["base_layer", "modules_to_save"];
/// The part of a name that says: this is how a module was before it was saved whole.
const BEFORE: &str = "original_module";

/// An adapter, opened.
pub struct Adapter<F> {
    /// What it is called.
    pub name: String,
    /// What it says of itself.
    pub config: AdapterConfig,
    /// Its file of weights.
    pub file: WeightFile<F>,
    /// Low-rank matrices by the name of the module that they are for.
    pub modules: BTreeMap<String, LowRank>,
    /// Tensors for the base's of the same name, by that name.
    pub whole: BTreeMap<String, TensorInfo>,
    /// The SHA-256 of the configuration and the low-rank matrices.
    pub sha256: String,
}

/// A matrix of an adapter, and the name that its file has for it.
#[derive(Debug, Clone)]
pub struct Factor {
    /// In the file.
    pub name: String,
    /// As PyTorch prints it.
    pub shape: Vec<usize>,
    /// Row by row.
    pub values: Vec<f32>,
}

impl Factor {
    fn of(info: &TensorInfo, bytes: &[u8]) -> Result<Self> {
        let values = blocks::dequantize(Format::F32, bytes, info.elements())?;
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(Error::BadWeights(format!(
                "holds {value}: the training has failed, or the file is damaged"
            )));
        }
        Ok(Self {
            name: info.name.clone(),
            shape: info.shape.clone(),
            values,
        })
    }
}

/// What an adapter has for one module, as far as it has come.
#[derive(Debug, Default)]
pub struct LowRank {
    /// `lora_A`: `[rank, inputs]`, a convolution's with its kernel behind; of an embedding,
    /// `[rank, entries]`.
    pub down: Option<Factor>,
    /// `lora_B`: `[outputs, rank]`.
    pub up: Option<Factor>,
    /// The bias of `lora_B`.
    pub bias: Option<Factor>,
    /// Whether the names are those of an embedding's matrices.
    pub is_embedding: bool,
}

impl<F: Files + Clone> Adapter<F> {
    /// Opens the adapter whose configuration is `text`.
    pub async fn open(
        files: &F,
        place: &AdapterPlace,
        text: &str,
        promises: &Promises,
    ) -> Result<Self> {
        let config = AdapterConfig::from_json(text).map_err(|error| named(&place.name, error))?;
        let (mut file, tensors) = weights(files, place, promises).await?;
        let mut digest = Sha256::new_with_prefix(text);
        let (mut modules, mut whole) = (BTreeMap::<String, LowRank>::new(), BTreeMap::new());
        for info in tensors {
            let what = format!("{} {:?}\n", info.name, info.shape);
            digest.update(what);
            match part(&info.name) {
                Part::Before => {}
                Part::Whole(name) => {
                    whole.insert(name, info);
                }
                Part::Unknown => return Err(file.of_tensor(&info, unknown(&info.name))),
                Part::LowRank { module, which } => {
                    let bytes = file.fetch(&info, Format::F32, None).await?;
                    digest.update(&bytes);
                    let factor = Factor::of(&info, &bytes);
                    let factor = factor.map_err(|error| file.of_tensor(&info, error))?;
                    let low_rank = modules.entry(module).or_default();
                    let added = low_rank.add(which, factor);
                    added.map_err(|error| file.of_tensor(&info, error))?;
                }
            }
        }
        let sha256 = digest
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Self {
            name: place.name.clone(),
            config,
            file,
            modules,
            whole,
            sha256,
        })
    }
}

impl<F> Adapter<F> {
    /// Whether it changes BLIP's word table or its head, which may be one.
    pub fn touches_tied(&self) -> bool {
        let names = self.modules.keys().chain(self.whole.keys());
        let mut tied = TIES.iter().flat_map(|(head, table)| [head, table]);
        tied.any(|tensor| {
            let module = tensor.trim_end_matches(".weight");
            names.clone().any(|name| name.starts_with(module))
        })
    }
}

/// The file of weights and its table of tensors.
async fn weights<F: Files + Clone>(
    files: &F,
    place: &AdapterPlace,
    promises: &Promises,
) -> Result<(WeightFile<F>, Vec<TensorInfo>)> {
    for name in WEIGHT_FILES {
        let path = place.path(name);
        if let Some(size) = files.size(&path).await? {
            let (file, table) =
                WeightFile::open(files, &path, size, promises, place.label(name)).await?;
            return Ok((file, table.tensors));
        }
    }
    Err(Error::BadWeights(format!(
        "{} is missing, and so is {}: they hold the weights of the adapter",
        in_folder(&place.name, WEIGHT_FILES[0]),
        WEIGHT_FILES[1]
    )))
}

/// What a tensor of an adapter is.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// A low-rank matrix of a module.
    LowRank { module: String, which: Which },
    /// What takes the place of the base's tensor of this name.
    Whole(String),
    /// What the base had before: PEFT saves the biases of such modules along with all others.
    Before,
    /// Something of another kind of adapter.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Down,
    Up,
    Bias,
    EmbeddingDown,
    EmbeddingUp,
}

/// What a tensor is, by its name. The name of the adapter itself is in the names of old files.
fn part(name: &str) -> Part {
    let name = name.strip_prefix(PREFIX).unwrap_or(name);
    let parts: Vec<&str> = name.split('.').collect();
    let is_ours = |part: &&str| part.starts_with("lora_") || *part == "token_adapter";
    let Some(place) = parts.iter().position(is_ours) else {
        return whole(&parts);
    };
    let which = match (parts[place], &parts[place + 1..]) {
        ("lora_A", ["weight"] | [_, "weight"]) => Which::Down,
        ("lora_B", ["weight"] | [_, "weight"]) => Which::Up,
        ("lora_B", ["bias"] | [_, "bias"]) => Which::Bias,
        ("lora_embedding_A", [] | [_]) => Which::EmbeddingDown,
        ("lora_embedding_B", [] | [_]) => Which::EmbeddingUp,
        _ => return Part::Unknown,
    };
    let module = parts[..place].join(".");
    Part::LowRank { module, which }
}

/// The name of the base's tensor, without what its wrappers have put in.
fn whole(parts: &[&str]) -> Part {
    if parts.contains(&BEFORE) {
        return Part::Before;
    }
    let mut kept: Vec<&str> = Vec::with_capacity(parts.len());
    for (place, part) in parts.iter().enumerate() {
        let of_adapter = place > 0 && parts[place - 1] == "modules_to_save" && *part == "default";
        if !WRAPPERS.contains(part) && !of_adapter {
            kept.push(part);
        }
    }
    Part::Whole(kept.join("."))
}

impl LowRank {
    /// One of its matrices.
    pub fn any(&self) -> Option<&Factor> {
        let down = self.down.as_ref();
        down.or(self.up.as_ref()).or(self.bias.as_ref())
    }

    fn add(&mut self, which: Which, factor: Factor) -> Result<()> {
        self.is_embedding |= matches!(which, Which::EmbeddingDown | Which::EmbeddingUp);
        let place = match which {
            Which::Down | Which::EmbeddingDown => &mut self.down,
            Which::Up | Which::EmbeddingUp => &mut self.up,
            Which::Bias => &mut self.bias,
        };
        match place.replace(factor) {
            None => Ok(()),
            Some(first) => Err(Error::BadWeights(format!(
                "'{}' is of the same module: a file holds one adapter",
                first.name
            ))),
        }
    }
}

fn unknown(name: &str) -> Error {
    Error::BadWeights(format!(
        "'{name}' is no matrix of a LoRA adapter (lora_A, lora_B, lora_embedding_A, lora_embedding_B): other kinds are not merged while loading"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_age_say_what_a_tensor_is() {
        let low_rank = |module: &str, which| Part::LowRank {
            module: module.to_string(),
            which,
        };
        let whole = |name: &str| Part::Whole(name.to_string());
        for (name, expected) in [
            (
                "base_model.model.a.0.q.lora_A.weight",
                low_rank("a.0.q", Which::Down),
            ),
            (
                "base_model.model.a.0.q.lora_B.default.weight",
                low_rank("a.0.q", Which::Up),
            ),
            (
                "base_model.model.a.q.lora_B.bias",
                low_rank("a.q", Which::Bias),
            ),
            (
                "base_model.model.words.lora_embedding_A",
                low_rank("words", Which::EmbeddingDown),
            ),
            (
                "words.lora_embedding_B.default",
                low_rank("words", Which::EmbeddingUp),
            ),
            ("base_model.model.a.q.base_layer.bias", whole("a.q.bias")),
            ("base_model.model.a.q.bias", whole("a.q.bias")),
            (
                "base_model.model.head.modules_to_save.default.weight",
                whole("head.weight"),
            ),
            (
                "base_model.model.head.modules_to_save.weight",
                whole("head.weight"),
            ),
            ("base_model.model.head.original_module.bias", Part::Before),
            ("base_model.model.a.q.lora_magnitude_vector", Part::Unknown),
            ("base_model.model.a.q.lora_E", Part::Unknown),
            (
                "base_model.model.words.token_adapter.trainable_tokens_delta",
                Part::Unknown,
            ),
        ] {
            assert_eq!(part(name), expected, "{name}");
        }
    }
}
