//! `config.json`: which family, which heads, which sizes. Missing fields take the reference's
//! defaults; every number is checked before anything is allocated by it.

use super::clip::Encoders;
use super::family::Family;
use super::parts::Part;
use super::section::Section;
use super::{BlipConfig, ClipConfig, CocaConfig, chinese_clip, families, siglip};
use crate::{Error, Result};
use serde_json::Value;

/// A parsed config.json.
#[derive(Debug, Clone)]
pub enum ModelConfig {
    /// `CLIPModel`, `ChineseCLIPModel` or `SiglipModel`.
    Clip(ClipConfig),
    /// One or several of BLIP's classes.
    Blip(BlipConfig),
    /// open_clip's `CoCa`.
    Coca(CocaConfig),
}

impl ModelConfig {
    /// Parses the text of a config.json.
    pub fn from_json(text: &str) -> Result<Self> {
        const FILE: &str = "config.json";
        let value: Value = serde_json::from_str(text)
            .map_err(|error| Error::BadWeights(format!("{FILE} is not valid JSON: {error}")))?;
        families::check_numbers(&value)?;
        families::check_class(&value)?;
        let part = Part::of(&value);
        let whole = part.map(|part| part.whole(value).to_string());
        let root = Section::root(FILE, whole.as_deref().unwrap_or(text))?;
        match root.text("model_type")? {
            Some("clip") => {
                let mut config = ClipConfig::parse(&root)?;
                if let Some(part) = part {
                    part.restrict(&mut config);
                }
                Ok(ModelConfig::Clip(config))
            }
            Some("chinese_clip") => Ok(ModelConfig::Clip(chinese_clip::parse(&root)?)),
            Some("siglip") => {
                let mut config = siglip::parse(&root)?;
                match part {
                    Some(part) => part.restrict(&mut config),
                    None => siglip::check_space(&config)?,
                }
                Ok(ModelConfig::Clip(config))
            }
            Some("blip") => Ok(ModelConfig::Blip(BlipConfig::parse(&root)?)),
            Some("coca") => Ok(ModelConfig::Coca(CocaConfig::parse(&root)?)),
            found => Err(families::refused(found)),
        }
    }

    /// The tasks that the checkpoint has heads for. A CLIP of which one encoder alone is wanted has
    /// half of a task.
    pub fn tasks(&self) -> Vec<&'static str> {
        let with =
            |has: bool, tasks: &[&'static str]| if has { tasks.to_vec() } else { Vec::new() };
        let heads = match self {
            ModelConfig::Clip(config) => return compared_by(config.encoders),
            ModelConfig::Coca(CocaConfig { parts, .. }) => {
                let caption = with(parts.captions, &["caption"]);
                return [caption, compared_by(parts.vectors)].concat();
            }
            ModelConfig::Blip(config) => config.heads,
        };
        [
            with(heads.captioning, &["caption"]),
            with(heads.retrieval || heads.comparing, &SHARED_SPACE),
            with(heads.answering, &["answer"]),
        ]
        .concat()
    }

    /// Side of the squares that pictures are divided into, in pixels: only whole ones are seen.
    pub fn patch_size(&self) -> usize {
        match self {
            ModelConfig::Clip(config) => config.vision.patch_size(),
            ModelConfig::Blip(config) => config.vision.patch_size,
            ModelConfig::Coca(config) => config.vision.patch_size,
        }
    }

    /// Side of the pictures that the checkpoint was trained on, in pixels; `None` of a text encoder.
    pub fn image_size(&self) -> Option<usize> {
        match self {
            ModelConfig::Clip(config) => {
                let image = config.encoders.image;
                image.then(|| config.vision.image_size())
            }
            ModelConfig::Blip(config) => Some(config.vision.image_size),
            ModelConfig::Coca(config) => config.parts.image().then_some(config.vision.image_size),
        }
    }

    /// Entries of the token table; `None` of an image encoder.
    pub fn vocabulary(&self) -> Option<usize> {
        match self {
            ModelConfig::Clip(config) => config.encoders.text.then_some(config.text.vocabulary),
            ModelConfig::Blip(config) => Some(config.text.vocabulary),
            ModelConfig::Coca(config) => config.parts.text().then_some(config.text.vocabulary),
        }
    }

    /// Whether vectors are those of the space that texts and pictures share: of an encoder that was
    /// saved without its projection they are its pooled states.
    pub fn is_projected(&self) -> bool {
        match self {
            ModelConfig::Clip(config) => config.is_projected,
            ModelConfig::Blip(_) | ModelConfig::Coca(_) => true,
        }
    }

    /// Whether it was trained to say of each pair of picture and text by itself whether they belong
    /// together: a sigmoid's probability, instead of a share among several.
    pub fn is_pairwise(&self) -> bool {
        self.family() == Family::Siglip
    }

    /// The family.
    pub fn family(&self) -> Family {
        match self {
            ModelConfig::Clip(config) => config.family,
            ModelConfig::Blip(_) => Family::Blip,
            ModelConfig::Coca(_) => Family::Coca,
        }
    }
}

const SHARED_SPACE: [&str; 3] = ["embed", "classify", "match"];

/// The tasks of these encoders: those of a shared space, or half of one.
fn compared_by(encoders: Encoders) -> Vec<&'static str> {
    match (encoders.image, encoders.text) {
        (true, true) => SHARED_SPACE.to_vec(),
        (true, false) => vec!["embed-image"],
        (false, true) => vec!["embed-text"],
        (false, false) => Vec::new(),
    }
}
