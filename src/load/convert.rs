//! From any readable model to a GGUF file, tensor by tensor.

use super::folder::FolderWeights;
use super::gguf::{CONFIG_KEY, FILE_TYPE_KEY, PREPROCESSOR_KEY, TOKENIZER_KEY, named};
use super::{Description, open::FileBytes};
use crate::models::{ModelConfig, blip::TIES};
use crate::nn::{Dtype, is_embedding};
use crate::weights::gguf::{Header, Planned, Value, Writer};
use crate::weights::{Format, Parsed, ReadAt, TensorInfo, blocks};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// A model's files, opened: the weights stay where they are.
pub struct Source {
    description: Description,
    weights: Weights,
}

enum Weights {
    Folder(FolderWeights),
    Gguf {
        name: String,
        file: FileBytes,
        header: Header,
    },
}

impl Source {
    /// Opens a .gguf file or a folder in Hugging Face layout.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self {
                description: Description::from_folder(path)?,
                weights: Weights::Folder(FolderWeights::open(path)?),
            });
        }
        let file = FileBytes::open(path)?;
        let name = path.display().to_string();
        let header = read_header(&file).map_err(|error| named(&name, error))?;
        let description = Description::from_gguf(&header).map_err(|error| named(&name, error))?;
        Ok(Self {
            description,
            weights: Weights::Gguf { name, file, header },
        })
    }

    /// The texts beside the weights.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// `gguf` or `folder`.
    pub fn container(&self) -> &'static str {
        match self.weights {
            Weights::Folder(_) => "folder",
            Weights::Gguf { .. } => "gguf",
        }
    }

    /// All tensors.
    pub fn tensors(&self) -> Box<dyn Iterator<Item = &TensorInfo> + '_> {
        match &self.weights {
            Weights::Folder(folder) => Box::new(folder.tensors()),
            Weights::Gguf { header, .. } => Box::new(header.tensors.iter()),
        }
    }

    /// Bytes of all tensors.
    pub fn bytes(&self) -> u64 {
        self.tensors().map(|tensor| tensor.bytes).sum()
    }

    /// Reads all tensors, one after the other.
    pub fn read_all(&self, mut accept: impl FnMut(&TensorInfo, &[u8]) -> Result<()>) -> Result<()> {
        match &self.weights {
            Weights::Folder(folder) => folder.read_all(accept),
            Weights::Gguf { name, file, header } => header.tensors.iter().try_for_each(|tensor| {
                let bytes = tensor.read(file)?;
                accept(tensor, &bytes).map_err(|error| named(name, error))
            }),
        }
    }

    fn read(&self, wanted: &str) -> Result<Option<Vec<u8>>> {
        let mut found = None;
        match &self.weights {
            Weights::Folder(folder) => found = folder.read(wanted)?,
            Weights::Gguf { file, header, .. } => {
                if let Some(tensor) = header.tensors.iter().find(|tensor| tensor.name == wanted) {
                    found = Some(tensor.read(file)?);
                }
            }
        }
        Ok(found)
    }

    /// Tied matrices that hold the very bytes of their table: the official files of BLIP have the
    /// language-model head twice.
    fn redundant(&self) -> Result<Vec<&'static str>> {
        let mut redundant = Vec::new();
        for (matrix, table) in TIES {
            if let Some(bytes) = self.read(matrix)?
                && self.read(table)?.is_some_and(|table| table == bytes)
            {
                redundant.push(matrix);
            }
        }
        Ok(redundant)
    }
}

fn read_header(file: &FileBytes) -> Result<Header> {
    let mut prefix = 1 << 16;
    loop {
        let bytes = file.read_at(0, prefix.min(file.len()) as usize)?;
        match Header::parse(&bytes, file.len())? {
            Parsed::Complete(header) => return Ok(header),
            Parsed::Incomplete if prefix >= file.len() => {
                return Err(Error::BadWeights(
                    "the file ends in its header: it is truncated".into(),
                ));
            }
            Parsed::Incomplete => prefix *= 4,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Bytes of the whole file.
    pub bytes: u64,
    /// Number of tensors.
    pub tensors: usize,
    /// Number of tensors in each format.
    pub formats: BTreeMap<&'static str, usize>,
}

/// Writes `source` as a GGUF file whose matrices are in `dtype` (`Auto`: q8). Embeddings stay F16
/// (F32 with `f32`); norms, biases and whatever does not fill whole blocks stay float, too.
pub fn convert(
    source: &Source,
    output: impl Write,
    dtype: Dtype,
    mut progress: impl FnMut(u64),
) -> Result<Written> {
    let dtype = if dtype == Dtype::Auto {
        Dtype::Q8
    } else {
        dtype
    };
    let redundant = source.redundant()?;
    let kept = |tensor: &TensorInfo| {
        !tensor.format.is_integer() && !redundant.contains(&tensor.name.as_str())
    };
    let planned: Vec<Planned> = source
        .tensors()
        .filter(|tensor| kept(tensor))
        .map(|tensor| Planned {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            format: stored_format(tensor, dtype),
        })
        .collect();
    let mut formats = BTreeMap::new();
    for tensor in &planned {
        *formats.entry(tensor.format.name()).or_default() += 1;
    }
    let mut writer = Writer::new(output, &metadata(source.description(), dtype)?, &planned)?;
    let (bytes, tensors) = (writer.file_length(), planned.len());
    let mut planned = planned.iter();
    source.read_all(|tensor, bytes| {
        progress(tensor.bytes);
        let Some(plan) = planned.as_slice().first().filter(|_| kept(tensor)) else {
            return Ok(());
        };
        planned.next();
        if tensor.format == plan.format {
            return writer.write(&tensor.name, bytes);
        }
        let values = blocks::dequantize(tensor.format, bytes, tensor.elements())?;
        writer.write(&tensor.name, &blocks::quantize(plan.format, &values)?)
    })?;
    writer.finish()?;
    Ok(Written {
        bytes,
        tensors,
        formats,
    })
}

/// The format that a tensor is written in.
fn stored_format(tensor: &TensorInfo, dtype: Dtype) -> Format {
    let is_matrix = tensor.shape.len() >= 2;
    let columns: usize = tensor.shape.iter().skip(1).product();
    // ggml's blocks run along the last dimension, which for patches is a side and no whole block.
    let whole_blocks =
        tensor.shape.len() == 2 && columns.is_multiple_of(Format::Q8_0.block_length());
    match dtype {
        Dtype::F32 => Format::F32,
        _ if !is_matrix => Format::F32,
        Dtype::F16 => Format::F16,
        _ if is_embedding(&tensor.name) || !whole_blocks => Format::F16,
        Dtype::Q4 => Format::Q4_0,
        Dtype::Q8 | Dtype::Auto => Format::Q8_0,
    }
}

fn metadata(description: &Description, dtype: Dtype) -> Result<BTreeMap<String, Value>> {
    let family = ModelConfig::from_json(&description.config)?.family();
    let file_type: u32 = match dtype {
        Dtype::F32 => 0,
        Dtype::F16 => 1,
        Dtype::Q4 => 2,
        Dtype::Q8 | Dtype::Auto => 7,
    };
    let texts = [
        ("general.architecture", family.name()),
        (TOKENIZER_KEY, &description.tokenizer),
        (CONFIG_KEY, &description.config),
        (PREPROCESSOR_KEY, &description.preprocessor),
    ];
    let mut metadata: BTreeMap<String, Value> = texts
        .into_iter()
        .map(|(key, text)| (key.to_string(), Value::String(text.to_string())))
        .collect();
    metadata.insert(FILE_TYPE_KEY.to_string(), Value::U32(file_type));
    metadata.insert("general.quantization_version".to_string(), Value::U32(2));
    Ok(metadata)
}
