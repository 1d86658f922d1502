//! A folder in Hugging Face layout: config.json, tokenizer files, preprocessor_config.json, and
//! weights as safetensors (in one file or several) or as a PyTorch state dictionary.

use super::gguf::named;
use super::{Description, open::FileBytes};
use crate::tokenizer::Tokenizer;
use crate::weights::{Parsed, ReadAt, TensorInfo, pytorch, safetensors};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// The weights of a folder: files and the tensors in each.
pub struct FolderWeights {
    files: Vec<(String, FileBytes, Vec<TensorInfo>)>,
}

impl FolderWeights {
    /// Reads the tables of tensors; the data stays in the files.
    pub fn open(folder: &Path) -> Result<Self> {
        for (name, read_table) in WEIGHT_FILES {
            let index = folder.join(format!("{name}.index.json"));
            let names = if folder.join(name).exists() {
                vec![name.to_string()]
            } else if index.exists() {
                let shards = safetensors::parse_index(&read_text(&index)?);
                shards
                    .map_err(|error| named(&index.display().to_string(), error))?
                    .files
            } else {
                continue;
            };
            let open = |name: &String| {
                let file = FileBytes::open(&folder.join(name))?;
                let table = read_table(&file).map_err(|error| named(name, error))?;
                Ok((name.clone(), file, table))
            };
            let files = names.iter().map(open).collect::<Result<_>>()?;
            return Ok(Self { files });
        }
        Err(Error::BadWeights(format!(
            "{}: no weights found, expected model.safetensors or pytorch_model.bin, whole or in parts with an index",
            folder.display()
        )))
    }

    /// All tensors, file by file.
    pub fn tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        self.files.iter().flat_map(|(_, _, table)| table)
    }

    /// Hands every tensor's bytes to `accept`, one at a time.
    pub fn read_all(&self, mut accept: impl FnMut(&TensorInfo, &[u8]) -> Result<()>) -> Result<()> {
        for (name, file, table) in &self.files {
            for tensor in table {
                let bytes = tensor.read(file).map_err(|error| named(name, error))?;
                accept(tensor, &bytes).map_err(|error| named(name, error))?;
            }
        }
        Ok(())
    }

    /// One tensor's bytes, if there is one of that name.
    pub fn read(&self, wanted: &str) -> Result<Option<Vec<u8>>> {
        for (name, file, table) in &self.files {
            if let Some(tensor) = table.iter().find(|tensor| tensor.name == wanted) {
                return tensor
                    .read(file)
                    .map(Some)
                    .map_err(|error| named(name, error));
            }
        }
        Ok(None)
    }
}

/// Reads the table of tensors of a weight file.
type ReadTable = fn(&FileBytes) -> Result<Vec<TensorInfo>>;

/// Weight files that are looked for, in this order, and how their tables are read.
const WEIGHT_FILES: [(&str, ReadTable); 2] = [
    ("model.safetensors", safetensors_table),
    ("pytorch_model.bin", |file| pytorch::table(file)),
];

fn safetensors_table(file: &FileBytes) -> Result<Vec<TensorInfo>> {
    let start = file.read_at(0, file.len().min(8) as usize)?;
    let header = start.try_into().map_or(0, u64::from_le_bytes);
    // A wrong length is the parser's to complain about; no more than the file is ever read.
    let prefix = file.read_at(0, header.saturating_add(8).min(file.len()) as usize)?;
    match safetensors::parse(&prefix, file.len())? {
        Parsed::Complete(table) => Ok(table),
        Parsed::Incomplete => Err(Error::BadWeights("the file is truncated".to_string())),
    }
}

impl Description {
    /// The texts of a folder. A tokenizer given as vocabulary files becomes a tokenizer.json.
    pub fn from_folder(folder: &Path) -> Result<Self> {
        Ok(Self {
            config: read_text(&folder.join("config.json"))?,
            tokenizer: read_tokenizer(folder)?,
            preprocessor: read_text(&folder.join("preprocessor_config.json"))?,
        })
    }
}

fn read_tokenizer(folder: &Path) -> Result<String> {
    let path = |name: &str| -> PathBuf { folder.join(name) };
    if path("tokenizer.json").exists() {
        return read_text(&path("tokenizer.json"));
    }
    let tokenizer = if path("vocab.txt").exists() {
        Tokenizer::from_wordpiece_vocabulary(&read_text(&path("vocab.txt"))?, lowercase(folder)?)?
    } else if path("vocab.json").exists() && path("merges.txt").exists() {
        let (vocabulary, merges) = (
            read_text(&path("vocab.json"))?,
            read_text(&path("merges.txt"))?,
        );
        Tokenizer::from_bpe_files(&vocabulary, &merges)?
    } else {
        return Err(Error::BadWeights(format!(
            "{}: no tokenizer found, expected tokenizer.json, or vocab.txt, or vocab.json with merges.txt",
            folder.display()
        )));
    };
    tokenizer.to_json()
}

/// `do_lower_case` of tokenizer_config.json; the reference's default is true.
fn lowercase(folder: &Path) -> Result<bool> {
    let path = folder.join("tokenizer_config.json");
    if !path.exists() {
        return Ok(true);
    }
    let config: serde_json::Value = serde_json::from_str(&read_text(&path)?).map_err(|error| {
        Error::BadWeights(format!("tokenizer_config.json is not valid JSON: {error}"))
    })?;
    Ok(config
        .get("do_lower_case")
        .and_then(serde_json::Value::as_bool)
        .unwrap_or(true))
}

fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|error| Error::BadWeights(format!("{} cannot be read: {error}", path.display())))
}
