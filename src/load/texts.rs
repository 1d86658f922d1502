//! The texts beside the weights: in a GGUF file's metadata, or in the files that Hugging Face
//! checkpoints come with.

use super::layout::{Configuration, Layout, Takes};
use super::names::Author;
use super::open_clip::OpenClip;
use super::shapes::{self, Origin};
use super::table::Located;
use super::text_file::{read, read_bytes};
use super::tokens::TOKENIZER_CONFIG;
use super::weight_file::{Promises, named};
use super::{
    CONFIG_KEY, Description, Files, PREPROCESSOR_KEY, TOKENIZER_KEY, original, refusals, tokens,
};
use crate::models::parts;
use crate::tokenizer::{Tokenizer, sentencepiece};
use crate::weights::gguf::Value;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// The description of a model whose folder `layout` is, known unless one file was asked for, and which
/// may have GGUF metadata; and what should be said of it, if something had to be guessed.
pub(super) async fn describe(
    files: &impl Files,
    promises: &Promises,
    layout: Option<Layout>,
    metadata: Option<&BTreeMap<String, Value>>,
    tensors: &Tensors<'_>,
) -> Result<(Description, Option<&'static str>)> {
    let stored_config = stored(metadata, CONFIG_KEY)?;
    let layout = match (layout, &stored_config) {
        (Some(layout), _) => layout,
        (None, Some(_)) => Layout::default(),
        (None, None) => Layout::in_folder(files, tensors.folder(), promises).await?,
    };
    let mut note = None;
    let found = match (stored_config, &layout.configuration) {
        (Some(text), _) => Found::Config(text),
        (None, Configuration::HuggingFace(text)) => Found::Config(text.clone()),
        (None, Configuration::OpenClip(text)) => Found::OpenClip(text.clone()),
        (None, Configuration::None) => {
            note = tensors.is_guess().then_some(shapes::GUESSED);
            let described = tensors.describe(metadata);
            described.ok_or_else(|| tensors.without_config(metadata))?
        }
    };
    let layout = match &found {
        Found::OpenClip(text) => layout.with_open_clip(text), // also one that its shapes have told
        _ => layout,
    };
    let beside = Beside {
        files,
        promises,
        layout: &layout,
        metadata,
    };
    let description = match found {
        Found::Config(config) => {
            let config = parts::with_class(config, |name| tensors.has(name));
            let takes = Takes::of(&config);
            let mut tokenizer = beside.tokenizer(takes.texts).await?;
            let config = match takes.texts && tokens::is_unfilled_siglip(&config) {
                true => {
                    let names = beside.text(TOKENIZER_CONFIG).await?;
                    tokens::of_siglip(config, &mut tokenizer, names.as_deref())?
                }
                false => config,
            };
            Description {
                tokenizer,
                preprocessor: beside.preprocessor(takes.pictures, None).await?,
                config,
            }
        }
        Found::OpenClip(text) => {
            let open_clip = OpenClip::parse(&text, layout.encoder.as_deref())?; // what it is comes before what it lacks
            let mut tokenizer = beside.tokenizer(true).await?;
            let names = match open_clip.names_tokens() {
                true => beside.text(TOKENIZER_CONFIG).await?,
                false => None,
            };
            let texts = open_clip.texts(&mut tokenizer, names.as_deref())?;
            Description {
                config: texts.config,
                preprocessor: texts.preprocessor,
                tokenizer,
            }
        }
        Found::Shapes(texts) => Description {
            config: texts.config,
            tokenizer: beside.tokenizer(true).await?,
            preprocessor: beside.preprocessor(true, Some(texts.preprocessor)).await?,
        },
    };
    Ok((description, note))
}

/// What says which network it is.
enum Found {
    /// The text of a config.json.
    Config(String),
    /// The text of an open_clip_config.json.
    OpenClip(String),
    /// What a BLIP's tensors say.
    Shapes(original::Texts),
}

/// What lies beside the weights: in a GGUF file's metadata, or in files of their own.
struct Beside<'b, F> {
    files: &'b F,
    promises: &'b Promises,
    layout: &'b Layout,
    metadata: Option<&'b BTreeMap<String, Value>>,
}

impl<F: Files> Beside<'_, F> {
    async fn text(&self, name: &str) -> Result<Option<String>> {
        let name = format!("{}{name}", self.layout.folder);
        read(self.files, &name, self.promises).await
    }

    /// The tokenizer, which must be there if it is needed.
    async fn tokenizer(&self, is_needed: bool) -> Result<String> {
        if !is_needed {
            return Ok(String::new());
        }
        if let Some(text) = stored(self.metadata, TOKENIZER_KEY)? {
            return Ok(text);
        }
        let found = tokenizer(self.files, self.layout, self.promises).await?;
        found.ok_or_else(|| lacking(self.metadata, TOKENIZER_KEY, &no_tokenizer(self.layout)))
    }

    /// The image processor's settings, which must be there or known otherwise if they are needed.
    async fn preprocessor(&self, is_needed: bool, known: Option<String>) -> Result<String> {
        if !is_needed {
            return Ok(String::new());
        }
        if let Some(text) = stored(self.metadata, PREPROCESSOR_KEY)? {
            return Ok(text);
        }
        let found = preprocessor(self.files, self.layout, self.promises).await?;
        found.or(known).ok_or_else(|| {
            lacking(
                self.metadata,
                PREPROCESSOR_KEY,
                &no_preprocessor(self.layout),
            )
        })
    }
}

/// The tensors of a model that may have no configuration.
pub(super) struct Tensors<'t> {
    pub located: &'t [Located],
    /// The file with the first of them.
    pub file: &'t str,
    /// Whose names they had.
    pub named_by: Author,
    /// Whether one file was asked for, not a folder.
    pub is_single: bool,
    /// Whether they are a module of TorchScript.
    pub is_script: bool,
}

impl Tensors<'_> {
    fn has(&self, name: &str) -> bool {
        let mut names = self.located.iter().map(|tensor| &tensor.info.name);
        names.any(|found| found == name)
    }

    /// The folder that the file is in.
    pub(super) fn folder(&self) -> &str {
        &self.file[..self.file.rfind('/').map_or(0, |slash| slash + 1)]
    }

    /// What their shapes say where nothing else can: Salesforce's files never had a configuration, nor
    /// have OpenAI's, checkpoints of open_clip's training and ComfyUI's text encoders, and other
    /// programs' GGUF files have none of the texts that ours have. Of a folder in Hugging Face layout it
    /// was forgotten.
    fn describe(&self, metadata: Option<&BTreeMap<String, Value>>) -> Option<Found> {
        let keys = [CONFIG_KEY, TOKENIZER_KEY, PREPROCESSOR_KEY];
        let is_foreign =
            metadata.is_some_and(|metadata| !keys.iter().any(|key| metadata.contains_key(*key)));
        let is_salesforces = self.named_by == Author::Salesforce;
        if is_salesforces || is_foreign {
            let texts = original::from_blip_shapes(self.located, is_salesforces);
            return texts.map(Found::Shapes);
        }
        let whole = match self.named_by {
            Author::OpenAi if self.is_script => shapes::clip(self.located, Origin::OpenAi),
            Author::OpenAi => shapes::clip(self.located, Origin::OpenClip),
            _ => None,
        };
        let text_alone = || match self.is_single || self.named_by == Author::OpenAi {
            true => shapes::text_encoder(self.located).map(Found::Config),
            false => None,
        };
        whole.map(Found::OpenClip).or_else(text_alone)
    }

    /// Whether [`Self::describe`] has to guess the activation.
    fn is_guess(&self) -> bool {
        self.named_by == Author::OpenAi && !self.is_script && self.has("logit_scale")
    }

    /// The error of a model without a configuration. A GGUF file of another architecture says so.
    fn without_config(&self, metadata: Option<&BTreeMap<String, Value>>) -> Error {
        let architecture = metadata
            .and_then(|metadata| metadata.get("general.architecture"))
            .and_then(Value::as_str);
        let foreign = metadata.and_then(|_| refusals::foreign_gguf(architecture, self.located));
        foreign.unwrap_or_else(|| lacking(metadata, CONFIG_KEY, "config.json is missing"))
    }
}

pub(crate) fn no_tokenizer(layout: &Layout) -> String {
    let also = match layout.beside("text_encoder", "tokenizer") {
        Some(folder) => format!(" in {folder}"),
        None => String::new(),
    };
    format!(
        "no tokenizer found, expected tokenizer.json, or vocab.txt, or vocab.json with merges.txt, or spiece.model{also} beside the weights; OpenAI's and open_clip's models take those of openai/clip-vit-base-patch32"
    )
}

pub(crate) fn no_preprocessor(layout: &Layout) -> String {
    match layout.beside("image_encoder", "feature_extractor") {
        Some(folder) => format!(
            "preprocessor_config.json is missing, in the folder of the encoder and in {folder}"
        ),
        None => "preprocessor_config.json is missing, and there is no processor_config.json with an image processor in it".to_string(),
    }
}

/// A text in GGUF metadata, if it has that key.
fn stored(metadata: Option<&BTreeMap<String, Value>>, key: &str) -> Result<Option<String>> {
    match metadata.and_then(|metadata| metadata.get(key)) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(Error::BadWeights(format!(
            "gguf metadata \"{key}\" should be a string, but is {}",
            other.type_name()
        ))),
    }
}

fn lacking(metadata: Option<&BTreeMap<String, Value>>, key: &str, what: &str) -> Error {
    Error::BadWeights(match metadata {
        None => what.to_string(),
        Some(_) => format!(
            "gguf metadata lacks \"{key}\", and there is no such file beside it; files made by `obscura convert` have it"
        ),
    })
}

/// SentencePiece's vocabulary, as SigLIP's class saves it.
const SENTENCEPIECE: &str = "spiece.model";

/// The tokenizer that open_clip has in itself, which many of its repositories therefore lack: LAION's CoCas do. Who
/// reads a hub finds this name in the repository that it begins with; a folder may have the file, too.
pub(crate) const CLIPS_WORDS: &str = "openai/clip-vit-base-patch32/tokenizer.json";

/// The files of a tokenizer, of which each is there: tokenizer.json, or the older vocabulary files. They
/// are in the folder of a pipeline's tokenizer, or in the model's own.
pub(crate) async fn tokenizer_files(
    files: &impl Files,
    layout: &Layout,
) -> Result<Option<Vec<String>>> {
    let beside = layout.beside("text_encoder", "tokenizer");
    for folder in beside.iter().chain([&layout.folder]) {
        let named = |name: &str| format!("{folder}{name}");
        let has = async |name: &str| Ok(files.size(&named(name)).await?.is_some());
        let found: &[&str] = if has("tokenizer.json").await? {
            match layout.asks_for_class() && has(TOKENIZER_CONFIG).await? {
                true => &["tokenizer.json", TOKENIZER_CONFIG],
                false => &["tokenizer.json"],
            }
        } else if has("vocab.txt").await? {
            match has(TOKENIZER_CONFIG).await? {
                true => &["vocab.txt", TOKENIZER_CONFIG], // says whether upper case matters
                false => &["vocab.txt"],
            }
        } else if layout.takes_clips_words()
            && has("vocab.json").await?
            && has("merges.txt").await?
        {
            &["vocab.json", "merges.txt"]
        } else if has(SENTENCEPIECE).await? {
            match has(TOKENIZER_CONFIG).await? {
                true => &[SENTENCEPIECE, TOKENIZER_CONFIG],
                false => &[SENTENCEPIECE],
            }
        } else {
            continue;
        };
        return Ok(Some(found.iter().map(|name| named(name)).collect()));
    }
    let is_elsewhere = layout.lacks_known_words() && files.size(CLIPS_WORDS).await?.is_some();
    Ok(is_elsewhere.then(|| vec![CLIPS_WORDS.to_string()]))
}

/// The tokenizer.json, or one made of older vocabulary files.
async fn tokenizer(
    files: &impl Files,
    layout: &Layout,
    promises: &Promises,
) -> Result<Option<String>> {
    let Some(names) = tokenizer_files(files, layout).await? else {
        return Ok(None);
    };
    if names[0].ends_with(SENTENCEPIECE) {
        let model = read_bytes(files, &names[0], promises).await?;
        return sentencepiece::to_json(&model.unwrap_or_default()).map(Some);
    }
    if names[0].ends_with("tokenizer.json") {
        return read(files, &names[0], promises).await;
    }
    let mut texts = Vec::new();
    for name in &names {
        texts.push(read(files, name, promises).await?.unwrap_or_default());
    }
    let made = match &texts[..] {
        [first, merges] if names[0].ends_with(".json") => Tokenizer::from_bpe_files(first, merges)?,
        [words, config] => Tokenizer::from_wordpiece_vocabulary(words, lowercase(config)?)?,
        _ => Tokenizer::from_wordpiece_vocabulary(&texts[0], true)?,
    };
    made.to_json().map(Some)
}

/// `do_lower_case` of a tokenizer_config.json; the reference's default is true.
fn lowercase(text: &str) -> Result<bool> {
    let config: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        named(
            TOKENIZER_CONFIG,
            Error::BadWeights(format!("is not valid JSON: {error}")),
        )
    })?;
    let lowercase = config.get("do_lower_case");
    Ok(lowercase
        .and_then(serde_json::Value::as_bool)
        .unwrap_or(true))
}

/// The image processor's settings: what transformers 5 has of it in processor_config.json, or
/// preprocessor_config.json, which is left over from before where both are; of the folder of a
/// pipeline's image processor, or of the model's own.
pub(crate) async fn preprocessor(
    files: &impl Files,
    layout: &Layout,
    promises: &Promises,
) -> Result<Option<String>> {
    let beside = layout.beside("image_encoder", "feature_extractor");
    for folder in beside.iter().chain([&layout.folder]) {
        let name = format!("{folder}processor_config.json");
        if let Some(text) = read(files, &name, promises).await?
            && let Some(settings) = image_processor(&name, &text)?
        {
            return Ok(Some(settings));
        }
        let name = format!("{folder}preprocessor_config.json");
        if let Some(text) = read(files, &name, promises).await? {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// The image processor's settings in a processor_config.json. Before transformers 5 it has none.
fn image_processor(name: &str, text: &str) -> Result<Option<String>> {
    let config: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| Error::BadWeights(format!("{name} is not valid JSON: {error}")))?;
    let settings = config.get("image_processor");
    Ok(settings
        .filter(|settings| settings.is_object())
        .map(ToString::to_string))
}
