//! Which files of a folder in Hugging Face layout are wanted: few of those that repositories hold.

use super::{CheckConfig, check_file};
use crate::weights::safetensors::parse_index;
use crate::{Error, Result};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Weight files, the best first. Each may be in parts, with an index beside them.
const WEIGHTS: [&str; 5] = [
    "model.safetensors",
    "pytorch_model.bin",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    ALONE,
];

/// The one weight file that can do without the others: it may hold their texts.
const ALONE: &str = "model.gguf";

/// A folder, here or elsewhere. It is displayed as people know it.
pub trait Folder: Display {
    /// Whether the file is here already.
    fn has(&self, file: &str) -> bool;

    /// The file on this machine, fetched if need be; `None` if there is no such file.
    fn get(&mut self, file: &str, sha256: Option<&str>) -> Result<Option<PathBuf>>;
}

/// Fetches everything that a model needs. `sha256` is that of the weights.
pub fn collect(
    folder: &mut dyn Folder,
    sha256: Option<&str>,
    check_config: &CheckConfig,
) -> Result<()> {
    match folder.get("config.json", None)? {
        Some(config) => {
            check_config(&read(&config)?)?;
            if folder.get("preprocessor_config.json", None)?.is_none() {
                return Err(lacks(folder, "preprocessor_config.json"));
            }
        }
        // open_clip's own configuration says everything.
        None if folder.get("open_clip_config.json", None)?.is_some() => {}
        None if folder.get(ALONE, sha256)?.is_some() => return Ok(()),
        None => return Err(lacks(folder, "config.json")),
    }
    if !collect_tokenizer(folder)? {
        return Err(Error::BadWeights(format!(
            "{folder} has no tokenizer: neither tokenizer.json, nor vocab.txt, nor vocab.json with merges.txt"
        )));
    }
    collect_weights(folder, sha256)
}

/// Fetches what there is beside a GGUF file that does not hold its texts itself.
pub fn collect_texts(folder: &mut dyn Folder) -> Result<()> {
    if folder.get("config.json", None)?.is_none() {
        folder.get("open_clip_config.json", None)?;
    }
    folder.get("preprocessor_config.json", None)?;
    collect_tokenizer(folder).map(drop)
}

fn lacks(folder: &dyn Folder, file: &str) -> Error {
    Error::BadWeights(format!(
        "{folder} has no {file}, which every model in Hugging Face layout has"
    ))
}

/// Whether there is a tokenizer.
fn collect_tokenizer(folder: &mut dyn Folder) -> Result<bool> {
    if folder.get("tokenizer.json", None)?.is_some() {
        return Ok(true);
    }
    if folder.get("vocab.txt", None)?.is_some() {
        folder.get("tokenizer_config.json", None)?; // says whether upper case matters
        return Ok(true);
    }
    Ok(folder.get("vocab.json", None)?.is_some() && folder.get("merges.txt", None)?.is_some())
}

fn collect_weights(folder: &mut dyn Folder, sha256: Option<&str>) -> Result<()> {
    let mut names = WEIGHTS;
    names.sort_by_key(|name| !folder.has(name) && !folder.has(&index_of(name)));
    for name in names {
        if folder.get(name, sha256)?.is_some() {
            return Ok(());
        }
        let Some(index) = folder.get(&index_of(name), None)? else {
            continue;
        };
        if sha256.is_some() {
            return Err(Error::BadInput(format!(
                "--sha256 is for one weight file, but {folder} has them in parts"
            )));
        }
        for part in parse_index(&read(&index)?)?.files {
            if folder.get(&part, None)?.is_none() {
                let index = index_of(name);
                return Err(Error::BadWeights(format!(
                    "{folder} has no {part}, which {index} names"
                )));
            }
        }
        return Ok(());
    }
    Err(Error::BadWeights(format!(
        "{folder} has no weights: neither {}, whole or in parts",
        WEIGHTS.join(" nor ")
    )))
}

fn index_of(name: &str) -> String {
    format!("{name}.index.json")
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|error| Error::BadWeights(format!("{} cannot be read: {error}", path.display())))
}

/// Checks the weights of a file or a folder that is here.
pub fn check_local(path: &Path, sha256: &str) -> Result<()> {
    if path.is_file() {
        return check_file(path, sha256);
    }
    match WEIGHTS
        .map(|name| path.join(name))
        .into_iter()
        .find(|file| file.exists())
    {
        Some(file) => check_file(&file, sha256),
        None => Err(Error::BadInput(format!(
            "--sha256 is for one weight file, but {} has none of {}",
            path.display(),
            WEIGHTS.join(", ")
        ))),
    }
}
