//! Where in a repository a model's files lie: at its root, as Hugging Face and open_clip have them; in
//! a folder that sentence-transformers names; in the folders of a diffusers pipeline, each of which is
//! one part. The root's config.json is asked for first, so that an ordinary model costs no request more.

use super::sentence::{self, Modules};
use super::text_file::read;
use super::weight_file::{Promises, named};
use super::{Files, refusals, tokens};
use crate::models::{ModelConfig, language};
use crate::weights::safetensors;
use crate::{Error, Result};
use serde_json::Value;

/// Weight files that a folder may have, the preferred first. Each may also come in parts, which
/// `{name}.index.json` lists.
const WEIGHT_FILES: [&str; 5] = [
    "model.safetensors",
    "pytorch_model.bin",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    ALONE,
];

/// The one weight file that can do without the others: it may hold their texts.
pub const ALONE: &str = "model.gguf";

/// Variants that `save_pretrained(variant=...)` puts into names: `model.fp16.safetensors`.
const VARIANTS: [&str; 3] = ["fp16", "bf16", "fp32"];

/// The configuration that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Configuration {
    /// A config.json of Hugging Face.
    HuggingFace(String),
    /// An open_clip_config.json.
    OpenClip(String),
    /// Neither.
    #[default]
    None,
}

/// Where a model's files lie. Folders end with a slash; the root is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// Its folder.
    pub folder: String,
    /// Its configuration.
    pub configuration: Configuration,
    /// The folder of the weights that project vectors, where they lie apart: sentence-transformers'.
    pub projection: Option<String>,
    /// The text of a language model's config.json beside an open_clip_config.json.
    pub encoder: Option<String>,
}

impl Layout {
    /// Looks for the model of a repository, or for the one in its folder `part`, which ends with a
    /// slash.
    pub async fn find(files: &impl Files, part: Option<&str>, promises: &Promises) -> Result<Self> {
        if let Some(folder) = part {
            return Self::in_folder(files, folder, promises).await;
        }
        let root = Self::in_folder(files, "", promises).await?;
        let is_language_model = root.is_language_model();
        if root.configuration != Configuration::None && !is_language_model {
            return Ok(root);
        }
        let folder = match Modules::of(files, promises).await? {
            Some(Modules::Clip(folder)) => Some(folder),
            Some(Modules::Texts {
                encoder,
                pooling,
                dense,
            }) => return Self::of_texts(files, encoder, &pooling, dense, promises).await,
            None if is_language_model => return Ok(root),
            None => {
                let pipeline = read(files, "model_index.json", promises).await?;
                pipeline.map(|index| text_encoder_of(&index)).transpose()?
            }
        };
        match folder {
            Some(folder) if !folder.is_empty() => Self::in_folder(files, &folder, promises).await,
            _ => Ok(root),
        }
    }

    /// The layout of a text encoder of sentence-transformers.
    async fn of_texts(
        files: &impl Files,
        encoder: String,
        pooling: &str,
        dense: String,
        promises: &Promises,
    ) -> Result<Self> {
        let folders = [encoder.as_str(), pooling, &dense];
        let config = sentence::configuration(files, folders, promises).await?;
        Ok(Self {
            folder: encoder,
            configuration: Configuration::HuggingFace(config),
            projection: Some(dense),
            ..Self::default()
        })
    }

    /// Whether its configuration is that of a text encoder alone, as language models have it. In a model of
    /// sentence-transformers and in one of open_clip it is a part.
    fn is_language_model(&self) -> bool {
        match &self.configuration {
            Configuration::HuggingFace(text) => is_language_model(text),
            _ => false,
        }
    }

    /// The same with this text for an open_clip_config.json.
    pub fn with_open_clip(self, text: &str) -> Self {
        Self {
            configuration: Configuration::OpenClip(text.to_string()),
            ..self
        }
    }

    /// Whether weights lie under open_clip's own names.
    #[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
    pub async fn has_open_clips_weights(&self, files: &impl Files) -> Result<bool> {
        for name in WEIGHT_FILES
            .iter()
            .filter(|name| name.starts_with("open_clip"))
        {
            if files
                .size(&format!("{}{name}", self.folder))
                .await?
                .is_some()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What lies in one folder.
    pub async fn in_folder(files: &impl Files, folder: &str, promises: &Promises) -> Result<Self> {
        const OPEN_CLIP: &str = "open_clip_config.json";
        let folder = folder.to_string();
        let config = read(files, &format!("{folder}config.json"), promises).await?;
        let foreign = config.as_deref().and_then(refusals::foreign_config);
        let config = config.filter(|_| foreign.is_none());
        let is_part = config.as_deref().is_none_or(is_language_model);
        let open_clip = match is_part {
            true => read(files, &format!("{folder}{OPEN_CLIP}"), promises).await?,
            false => None,
        };
        let mut encoder = None;
        let configuration = match (open_clip, config, foreign) {
            (Some(text), config, _) => {
                encoder = config;
                Configuration::OpenClip(text)
            }
            (None, Some(text), _) => Configuration::HuggingFace(text),
            (None, None, Some(refusal)) => return Err(refusal),
            (None, None, None) => Configuration::None,
        };
        Ok(Self {
            folder,
            configuration,
            projection: None,
            encoder,
        })
    }

    /// Folders in which texts may lie that are not in the model's own: those of a diffusers pipeline
    /// lie beside it, `tokenizer_2` beside `text_encoder_2`.
    pub fn beside(&self, encoder: &str, texts: &str) -> Option<String> {
        let path = self.folder.strip_suffix('/')?;
        let (parents, name) = match path.rfind('/') {
            Some(slash) => path.split_at(slash + 1),
            None => ("", path),
        };
        let number = name.strip_prefix(encoder)?;
        Some(format!("{parents}{texts}{number}/"))
    }

    /// The files with weights: name and length.
    pub async fn weights(
        &self,
        files: &impl Files,
        promises: &Promises,
    ) -> Result<Vec<(String, u64)>> {
        let mut found = self.own_weights(files, promises).await?;
        if let Some(folder) = &self.projection {
            let projection = Self {
                folder: folder.clone(),
                ..Self::default()
            };
            let apart = projection.own_weights(files, promises).await;
            found.extend(apart.map_err(|error| named(folder, error))?);
        }
        Ok(found)
    }

    async fn own_weights(
        &self,
        files: &impl Files,
        promises: &Promises,
    ) -> Result<Vec<(String, u64)>> {
        for name in self.weight_files(files) {
            let index = format!("{name}.index.json");
            if let Some(found) = whole_or_in_parts(files, &name, &index, promises).await? {
                return Ok(found);
            }
        }
        let is_known = self.configuration != Configuration::None;
        for variant in VARIANTS.iter().filter(|_| is_known) {
            for (stem, end) in [("model", "safetensors"), ("pytorch_model", "bin")] {
                let name = format!("{}{stem}.{variant}.{end}", self.folder);
                let index = format!("{}{stem}.{end}.index.{variant}.json", self.folder);
                if let Some(found) = whole_or_in_parts(files, &name, &index, promises).await? {
                    return Ok(found);
                }
            }
        }
        Err(refusals::without_weights(files, &self.folder, is_known).await?)
    }

    /// Names of weight files, the likeliest first: what is at hand already, and the configuration's
    /// own.
    fn weight_files(&self, files: &impl Files) -> Vec<String> {
        let mut names = WEIGHT_FILES;
        if let Configuration::OpenClip(_) = self.configuration {
            // timm's repositories hold the image encoder alone under Hugging Face's names.
            names.sort_by_key(|name| !name.starts_with("open_clip"));
        }
        let mut names = names.map(|name| format!("{}{name}", self.folder)).to_vec();
        names.sort_by_key(|name| {
            !files.is_at_hand(name) && !files.is_at_hand(&format!("{name}.index.json"))
        });
        names
    }

    /// Whether vocab.json and merges.txt are CLIP's: a language model's need a tokenizer.json.
    pub fn takes_clips_words(&self) -> bool {
        match &self.configuration {
            Configuration::OpenClip(_) => !self.names_in_text_cfg("hf_model_name"),
            _ => self.projection.is_none(),
        }
    }

    /// Whether its tokenizer is the one that open_clip has in itself, so that its repository need not have it.
    pub fn lacks_known_words(&self) -> bool {
        let others = ["hf_model_name", "hf_tokenizer_name"];
        matches!(self.configuration, Configuration::OpenClip(_))
            && !others.iter().any(|field| self.names_in_text_cfg(field))
    }

    /// Whether an open_clip_config.json names something in this field of its text encoder.
    fn names_in_text_cfg(&self, field: &str) -> bool {
        let Configuration::OpenClip(text) = &self.configuration else {
            return false;
        };
        let config: Value = serde_json::from_str(text).unwrap_or_default();
        let model = config.get("model_cfg").unwrap_or(&config);
        let name = model["text_cfg"][field].as_str();
        name.is_some_and(|name| !name.is_empty())
    }

    /// Whether a tokenizer.json means what a class of the reference makes of it, which
    /// tokenizer_config.json names: of a SigLIP, and of open_clip's models.
    pub fn asks_for_class(&self) -> bool {
        match &self.configuration {
            Configuration::HuggingFace(text) => tokens::is_unfilled_siglip(text),
            Configuration::OpenClip(_) => true,
            Configuration::None => false,
        }
    }

    /// Whether the model takes texts and pictures, as far as that is known of the configuration.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn takes(&self) -> Takes {
        match &self.configuration {
            Configuration::HuggingFace(text) => Takes::of(text),
            _ => Takes::BOTH,
        }
    }
}

/// Whether the text of a config.json is that of a language model that encodes texts.
fn is_language_model(text: &str) -> bool {
    let config: Value = serde_json::from_str(text).unwrap_or_default();
    config["model_type"]
        .as_str()
        .is_some_and(language::is_encoder)
}

/// What a model takes, and so which files it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takes {
    /// Pictures: an image processor's settings.
    pub pictures: bool,
    /// Texts: a tokenizer.
    pub texts: bool,
}

impl Takes {
    const BOTH: Takes = Takes {
        pictures: true,
        texts: true,
    };

    /// By the text of a config.json. One that makes no sense is refused elsewhere.
    pub fn of(config: &str) -> Self {
        match ModelConfig::from_json(config) {
            Ok(ModelConfig::Clip(clip)) => Takes {
                pictures: clip.encoders.image,
                texts: clip.encoders.text,
            },
            Ok(ModelConfig::Coca(coca)) => Takes {
                pictures: coca.parts.image(),
                texts: coca.parts.text(),
            },
            _ => Takes::BOTH,
        }
    }
}

/// A file with weights, or those that its index lists.
async fn whole_or_in_parts(
    files: &impl Files,
    name: &str,
    index: &str,
    promises: &Promises,
) -> Result<Option<Vec<(String, u64)>>> {
    if let Some(size) = files.size(name).await? {
        return Ok(Some(vec![(name.to_string(), size)]));
    }
    let Some(index_text) = read(files, index, promises).await? else {
        return Ok(None);
    };
    let shards = safetensors::parse_index(&index_text).map_err(|error| named(index, error))?;
    let folder = &name[..name.rfind('/').map_or(0, |slash| slash + 1)];
    let mut found = Vec::new();
    for shard in shards.files {
        let shard = format!("{folder}{shard}");
        let size = files.size(&shard).await?.ok_or_else(|| {
            Error::BadWeights(format!("{shard} is missing, though {index} lists it"))
        })?;
        found.push((shard, size));
    }
    Ok(Some(found))
}

/// The one file with weights that was asked for, or those that its index lists.
pub async fn single_file(
    files: &impl Files,
    name: &str,
    promises: &Promises,
) -> Result<Vec<(String, u64)>> {
    let index = format!("{name}.index.json");
    let found = whole_or_in_parts(files, name, &index, promises).await?;
    found.ok_or_else(|| Error::BadWeights(format!("there is no file {name}")))
}

/// The folder of a diffusers pipeline's first text encoder, from the text of its model_index.json.
fn text_encoder_of(text: &str) -> Result<String> {
    let index: Value = serde_json::from_str(text).map_err(|error| {
        Error::BadWeights(format!("model_index.json is not valid JSON: {error}"))
    })?;
    let class = |name: &str| index[name][1].as_str().unwrap_or_default().to_string();
    for name in ["text_encoder", "text_encoder_2"] {
        if class(name).starts_with("CLIPTextModel") {
            return Ok(format!("{name}/"));
        }
    }
    Err(Error::BadWeights(format!(
        "model_index.json: the pipeline {} is not supported: its text_encoder is {:?}, expected a CLIPTextModel",
        index["_class_name"],
        class("text_encoder")
    )))
}

/// The folder that a path leads to beyond a repository's own name, if it is that of a part which
/// pipelines and sentence-transformers have.
#[cfg(not(target_arch = "wasm32"))]
pub fn is_part(name: &str) -> bool {
    let numbered = |start: &str| {
        name.strip_prefix(start)
            .is_some_and(|rest| matches!(rest, "" | "_2" | "_3"))
    };
    numbered("text_encoder") || numbered("image_encoder") || name.ends_with("_CLIPModel")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipelines_texts_lie_beside_its_encoders() {
        let layout = |folder: &str| Layout {
            folder: folder.to_string(),
            ..Layout::default()
        };
        let beside = |folder: &str| layout(folder).beside("text_encoder", "tokenizer");
        assert_eq!(beside("text_encoder/").as_deref(), Some("tokenizer/"));
        assert_eq!(
            beside("a/text_encoder_2/").as_deref(),
            Some("a/tokenizer_2/")
        );
        assert_eq!(beside("unet/"), None);
        assert_eq!(beside(""), None);
    }
}
