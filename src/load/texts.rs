//! The texts beside the weights: in a GGUF file's metadata, or in the files that Hugging Face
//! checkpoints come with.

use super::original;
use super::reader::check_sha256;
use super::source::{Located, Promises, named};
use super::{CONFIG_KEY, Description, Files, PREPROCESSOR_KEY, TOKENIZER_KEY};
use crate::tokenizer::Tokenizer;
use crate::weights::gguf::Value;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A text longer than this is not believed. Tokenizers, the longest, take a few MB.
const LONGEST: u64 = 100_000_000;

/// The whole of a text file; `None` if there is none.
pub(super) async fn read(
    files: &impl Files,
    file: &str,
    promises: &Promises,
) -> Result<Option<String>> {
    let Some(size) = files.size(file).await? else {
        return Ok(None);
    };
    let bad = |what: String| Err(Error::BadWeights(format!("{file} {what}")));
    if size > LONGEST {
        return bad(format!("has {size} bytes, expected at most {LONGEST}"));
    }
    let bytes = match size {
        0 => Vec::new(),
        _ => files.read(file, 0, size).await?,
    };
    if bytes.len() as u64 != size {
        return bad(format!("has {size} bytes, but {} came", bytes.len()));
    }
    if let Some(expected) = promises.get(file) {
        check_sha256(file, Sha256::new_with_prefix(&bytes), expected)?;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => bad("is not UTF-8 text".to_string()),
    }
}

/// The description of a model whose `config.json` may have been read already, and which may have
/// GGUF metadata.
pub(super) async fn describe(
    files: &impl Files,
    promises: &Promises,
    config: Option<String>,
    metadata: Option<&BTreeMap<String, Value>>,
    tensors: &Tensors<'_>,
) -> Result<Description> {
    let mut config = stored(metadata, CONFIG_KEY)?.or(config);
    if config.is_none() {
        config = read(files, "config.json", promises).await?;
    }
    let mut preprocessor = stored(metadata, PREPROCESSOR_KEY)?;
    if preprocessor.is_none() {
        preprocessor = read(files, "preprocessor_config.json", promises).await?;
    }
    if config.is_none() {
        let open_clip = read(files, "open_clip_config.json", promises).await?;
        let original = match open_clip {
            Some(text) => Some(original::from_open_clip(&text)?),
            None => tensors.describe(metadata),
        };
        if let Some(texts) = original {
            config = Some(texts.config);
            preprocessor = preprocessor.or(Some(texts.preprocessor));
        }
    }
    let config = config.ok_or_else(|| without_config(metadata))?;
    let mut words = stored(metadata, TOKENIZER_KEY)?;
    if words.is_none() {
        words = tokenizer(files, promises).await?;
    }
    Ok(Description {
        config,
        tokenizer: words.ok_or_else(|| {
            let what = "no tokenizer found, expected tokenizer.json, or vocab.txt, or vocab.json with merges.txt";
            lacking(metadata, TOKENIZER_KEY, what)
        })?,
        preprocessor: preprocessor.ok_or_else(|| {
            lacking(metadata, PREPROCESSOR_KEY, "preprocessor_config.json is missing")
        })?,
    })
}

/// The tensors of a model that may have no configuration.
pub(super) struct Tensors<'t> {
    pub located: &'t [Located],
    /// Whether they had the names of Salesforce's BLIP.
    pub is_original: bool,
}

impl Tensors<'_> {
    /// What their shapes say where nothing else can: Salesforce's files never had a configuration,
    /// and other programs' GGUF files have none of the texts that ours have. Of a folder in Hugging
    /// Face layout it was forgotten.
    fn describe(&self, metadata: Option<&BTreeMap<String, Value>>) -> Option<original::Texts> {
        let keys = [CONFIG_KEY, TOKENIZER_KEY, PREPROCESSOR_KEY];
        let is_foreign =
            metadata.is_some_and(|metadata| !keys.iter().any(|key| metadata.contains_key(*key)));
        (self.is_original || is_foreign)
            .then(|| original::from_blip_shapes(self.located, self.is_original))
            .flatten()
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

/// The error of a model without a configuration. A GGUF file of another architecture says so.
fn without_config(metadata: Option<&BTreeMap<String, Value>>) -> Error {
    let architecture = metadata
        .and_then(|metadata| metadata.get("general.architecture"))
        .and_then(Value::as_str);
    match architecture {
        Some(other) if other != "clip" && other != "blip" => Error::BadWeights(format!(
            "general.architecture is {other:?}, expected \"clip\" or \"blip\""
        )),
        _ => lacking(metadata, CONFIG_KEY, "config.json is missing"),
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

/// The tokenizer.json, or one made of older vocabulary files.
async fn tokenizer(files: &impl Files, promises: &Promises) -> Result<Option<String>> {
    if let Some(text) = read(files, "tokenizer.json", promises).await? {
        return Ok(Some(text));
    }
    let tokenizer = if let Some(words) = read(files, "vocab.txt", promises).await? {
        let lowercase = lowercase(files, promises).await?;
        Tokenizer::from_wordpiece_vocabulary(&words, lowercase)?
    } else {
        let vocabulary = read(files, "vocab.json", promises).await?;
        let merges = match vocabulary {
            Some(_) => read(files, "merges.txt", promises).await?,
            None => None,
        };
        match (vocabulary, merges) {
            (Some(vocabulary), Some(merges)) => Tokenizer::from_bpe_files(&vocabulary, &merges)?,
            _ => return Ok(None),
        }
    };
    tokenizer.to_json().map(Some)
}

/// `do_lower_case` of tokenizer_config.json; the reference's default is true.
async fn lowercase(files: &impl Files, promises: &Promises) -> Result<bool> {
    const FILE: &str = "tokenizer_config.json";
    let Some(text) = read(files, FILE, promises).await? else {
        return Ok(true);
    };
    let config: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
        named(
            FILE,
            Error::BadWeights(format!("is not valid JSON: {error}")),
        )
    })?;
    let lowercase = config.get("do_lower_case");
    Ok(lowercase
        .and_then(serde_json::Value::as_bool)
        .unwrap_or(true))
}
