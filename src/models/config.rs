//! `config.json`: which family, which heads, which sizes. Missing fields take the reference's
//! defaults; every number is checked before anything is allocated by it.

use super::{BlipConfig, ClipConfig};
use crate::kernels::Activation;
use crate::{Error, Result};
use serde_json::{Map, Value};

/// The two model families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Radford et al., arXiv 2103.00020.
    Clip,
    /// Li et al., arXiv 2201.12086.
    Blip,
}

impl Family {
    /// `general.architecture` in GGUF, `model_type` in config.json.
    pub fn name(self) -> &'static str {
        match self {
            Family::Clip => "clip",
            Family::Blip => "blip",
        }
    }
}

/// A parsed config.json.
#[derive(Debug, Clone)]
pub enum ModelConfig {
    /// `CLIPModel`.
    Clip(ClipConfig),
    /// One or several of BLIP's classes.
    Blip(BlipConfig),
}

impl ModelConfig {
    /// Parses the text of a config.json.
    pub fn from_json(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).map_err(|error| {
            Error::BadWeights(format!("config.json is not valid JSON: {error}"))
        })?;
        let root = Section::root(&value)?;
        match root.text("model_type")? {
            Some("clip") => Ok(ModelConfig::Clip(ClipConfig::parse(&root)?)),
            Some("blip") => Ok(ModelConfig::Blip(BlipConfig::parse(&root)?)),
            found => Err(Error::BadWeights(format!(
                "config.json: model_type is {}, expected \"clip\" or \"blip\"",
                found.map_or("missing".to_string(), |name| format!("{name:?}"))
            ))),
        }
    }

    /// The tasks that the checkpoint has heads for. A CLIP of which one encoder alone is wanted has
    /// half of a task.
    pub fn tasks(&self) -> Vec<&'static str> {
        const SHARED_SPACE: [&str; 3] = ["embed", "classify", "match"];
        let heads = match self {
            ModelConfig::Clip(config) => {
                return match (config.encoders.image, config.encoders.text) {
                    (true, true) => SHARED_SPACE.to_vec(),
                    (true, false) => vec!["embed-image"],
                    (false, true) => vec!["embed-text"],
                    (false, false) => Vec::new(),
                };
            }
            ModelConfig::Blip(config) => config.heads,
        };
        let with =
            |has: bool, tasks: &[&'static str]| if has { tasks.to_vec() } else { Vec::new() };
        [
            with(heads.captioning, &["caption"]),
            with(heads.retrieval, &SHARED_SPACE),
            with(heads.answering, &["answer"]),
        ]
        .concat()
    }

    /// Side of the squares that pictures are divided into, in pixels: only whole ones are seen.
    pub fn patch_size(&self) -> usize {
        match self {
            ModelConfig::Clip(config) => config.vision.patch_size(),
            ModelConfig::Blip(config) => config.vision.patch_size,
        }
    }

    /// Side of the pictures that the checkpoint was trained on, in pixels.
    pub fn image_size(&self) -> usize {
        match self {
            ModelConfig::Clip(config) => config.vision.image_size(),
            ModelConfig::Blip(config) => config.vision.image_size,
        }
    }

    /// Entries of the token table.
    pub fn vocabulary(&self) -> usize {
        match self {
            ModelConfig::Clip(config) => config.text.vocabulary,
            ModelConfig::Blip(config) => config.text.vocabulary,
        }
    }

    /// The family.
    pub fn family(&self) -> Family {
        match self {
            ModelConfig::Clip(_) => Family::Clip,
            ModelConfig::Blip(_) => Family::Blip,
        }
    }
}

/// An object of config.json, with its path for error messages.
pub struct Section {
    path: String,
    fields: Map<String, Value>,
}

impl Section {
    fn root(value: &Value) -> Result<Self> {
        let fields = value
            .as_object()
            .cloned()
            .ok_or_else(|| Error::BadWeights("config.json: expected an object".to_string()))?;
        Ok(Self {
            path: String::new(),
            fields,
        })
    }

    /// The object `name`, empty if missing. Old CLIP files repeat its fields in `{name}_dict`,
    /// which then wins, as in the reference.
    pub fn section(&self, name: &str) -> Result<Section> {
        let mut fields = Map::new();
        for name in [name.to_string(), format!("{name}_dict")] {
            match self.fields.get(&name) {
                None | Some(Value::Null) => {}
                Some(Value::Object(found)) => fields.extend(found.clone()),
                Some(found) => return Err(self.wrong(&name, "an object", found)),
            }
        }
        Ok(Section {
            path: format!("{}{name}.", self.path),
            fields,
        })
    }

    /// A string.
    pub fn text(&self, name: &str) -> Result<Option<&str>> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(found) => Err(self.wrong(name, "a string", found)),
        }
    }

    /// A list of strings, empty if missing.
    pub fn texts(&self, name: &str) -> Result<Vec<String>> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text.clone()),
                    found => Err(self.wrong(name, "a list of strings", found)),
                })
                .collect(),
            Some(found) => Err(self.wrong(name, "a list of strings", found)),
        }
    }

    /// A whole number that may be zero, such as a token id.
    pub fn id(&self, name: &str, default: u32) -> Result<u32> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(found) => found
                .as_u64()
                .and_then(|id| u32::try_from(id).ok())
                .ok_or_else(|| self.wrong(name, "a token id", found)),
        }
    }

    /// A size: a whole number from 1 to 2^20, far above any real one.
    pub fn size(&self, name: &str, default: usize) -> Result<usize> {
        const LARGEST: u64 = 1 << 20;
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(found) => match found.as_u64() {
                Some(size @ 1..=LARGEST) => Ok(size as usize),
                _ => Err(self.wrong(name, "a whole number from 1 to 1048576", found)),
            },
        }
    }

    /// Four small numbers, such as the blocks of a ResNet's stages; `None` if the field is no list.
    pub fn four_depths(&self, name: &str) -> Result<Option<[usize; 4]>> {
        const DEEPEST: u64 = 256;
        let Some(found @ Value::Array(items)) = self.fields.get(name) else {
            return Ok(None);
        };
        let depth = |item: &Value| match item.as_u64() {
            Some(depth @ 1..=DEEPEST) => Some(depth as usize),
            _ => None,
        };
        let depths: Option<Vec<usize>> = items.iter().map(depth).collect();
        match depths.and_then(|depths| <[usize; 4]>::try_from(depths).ok()) {
            Some(depths) => Ok(Some(depths)),
            None => Err(self.wrong(name, "a list of four numbers from 1 to 256", found)),
        }
    }

    /// Whether the field is there.
    pub fn has(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(|value| !value.is_null())
    }

    /// A small positive number, an epsilon.
    pub fn epsilon(&self, name: &str, default: f64) -> Result<f64> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(found) => match found.as_f64() {
                Some(epsilon) if (0.0..1.0).contains(&epsilon) => Ok(epsilon),
                _ => Err(self.wrong(name, "a number from 0 to 1", found)),
            },
        }
    }

    /// An activation's name.
    pub fn activation(&self, name: &str, default: Activation) -> Result<Activation> {
        match self.text(name)? {
            None => Ok(default),
            Some("gelu") => Ok(Activation::Gelu),
            Some("quick_gelu") => Ok(Activation::QuickGelu),
            Some(found) => Err(Error::BadWeights(format!(
                "config.json: {}{name} is {found:?}, expected \"gelu\" or \"quick_gelu\"",
                self.path
            ))),
        }
    }

    /// Heads, checked to divide the width.
    pub fn heads(&self, default: usize, width: usize) -> Result<usize> {
        let heads = self.size("num_attention_heads", default)?;
        if width.is_multiple_of(heads) {
            return Ok(heads);
        }
        Err(Error::BadWeights(format!(
            "config.json: {}num_attention_heads is {heads}, which does not divide hidden_size {width}",
            self.path
        )))
    }

    /// Number of blocks, bounded so that a hostile file can't make us build millions.
    pub fn depth(&self, default: usize) -> Result<usize> {
        let depth = self.size("num_hidden_layers", default)?;
        if depth <= 1024 {
            return Ok(depth);
        }
        Err(Error::BadWeights(format!(
            "config.json: {}num_hidden_layers is {depth}, expected at most 1024",
            self.path
        )))
    }

    fn wrong(&self, name: &str, expected: &str, found: &Value) -> Error {
        let found: String = found.to_string().chars().take(40).collect();
        Error::BadWeights(format!(
            "config.json: {}{name} is {found}, expected {expected}",
            self.path
        ))
    }
}

/// Checks that whole patches fill the picture.
pub fn check_patches(image_size: usize, patch_size: usize) -> Result<()> {
    if image_size.is_multiple_of(patch_size) && image_size <= 4096 {
        return Ok(());
    }
    Err(Error::BadWeights(format!(
        "config.json: vision_config.image_size is {image_size} and patch_size {patch_size}, expected whole patches and at most 4096 pixels"
    )))
}
