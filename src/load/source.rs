//! What a model's files are: one GGUF file, or a folder in Hugging Face layout, whose weights may
//! be in one file or several. Opening reads texts and tables; the weights stay where they are.

use super::reader::{Hashed, Reader};
use super::{Description, Files, names, texts};
use crate::models::ModelConfig;
use crate::weights::gguf::{Header, Value};
use crate::weights::pytorch::{self, LocalHeader};
use crate::weights::{Format, Parsed, TensorInfo, blocks, safetensors};
use crate::{Error, Result};
use std::collections::{BTreeMap, VecDeque};

/// Weight files that a folder may have, the preferred first. Each may also come in parts, which
/// `{name}.index.json` lists.
const WEIGHT_FILES: [&str; 5] = [
    "model.safetensors",
    "pytorch_model.bin",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    "model.gguf",
];

/// Bytes of a tensor that are read at a time, at most.
const LARGEST_READ: u64 = 1 << 24;

/// The SHA-256 of files, in hexadecimal, by name.
pub type Promises = BTreeMap<String, String>;

/// A model's files, opened.
pub struct Source<F> {
    description: Description,
    weights: Vec<WeightFile<F>>,
    /// All tensors, file by file and in the order of their bytes, under the names of the Hugging
    /// Face checkpoints.
    tensors: Vec<Located>,
    /// The metadata, if it is one GGUF file.
    metadata: Option<BTreeMap<String, Value>>,
}

/// A tensor and the number of the file that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The file, counted from 0.
    pub file: usize,
    /// The tensor.
    pub info: TensorInfo,
}

/// A file with weights.
struct WeightFile<F> {
    reader: Reader<F>,
    /// What it is called in messages: nothing, if it is the model's only file.
    label: String,
    /// Headers that have to be checked on the way to the tensors behind them.
    headers: VecDeque<LocalHeader>,
}

impl<F: Files + Clone> Source<F> {
    /// Opens the model of `files`: the file `file`, or whatever a folder in Hugging Face layout
    /// holds. With `promises`, every file that is read must keep its own.
    pub async fn of(files: F, file: Option<&str>, promises: &Promises) -> Result<Self> {
        let config = match file {
            Some(_) => None,
            None => texts::read(&files, "config.json", promises).await?,
        };
        if let Some(config) = &config {
            ModelConfig::from_json(config)?; // whether it is a CLIP or BLIP at all, before the rest
        }
        let mut weights = Vec::new();
        let mut tensors = Vec::new();
        let mut metadata = None;
        for (name, size) in weight_files(&files, file, promises).await? {
            let promise = promise(promises, &name)?;
            let mut reader = Reader::new(files.clone(), &name, size, promise);
            let table = read_table(&mut reader).await;
            let label = file.map_or(name, |_| String::new());
            let table = table.map_err(|error| named(&label, error))?;
            let file = weights.len();
            let located = table.tensors.into_iter().map(|info| Located { file, info });
            tensors.extend(located);
            metadata = table.metadata.or(metadata);
            let headers = table.headers.into();
            weights.push(WeightFile {
                reader,
                label,
                headers,
            });
        }
        let is_original = names::are_salesforces(&tensors);
        let tensors = names::translate(tensors)?;
        let located = texts::Tensors {
            located: &tensors,
            is_original,
        };
        let description =
            texts::describe(&files, promises, config, metadata.as_ref(), &located).await?;
        Ok(Self {
            description,
            weights,
            tensors,
            metadata,
        })
    }

    /// The texts beside the weights.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// `gguf` or `folder`.
    pub fn container(&self) -> &'static str {
        match self.metadata {
            Some(_) => "gguf",
            None => "folder",
        }
    }

    /// The metadata of a GGUF file.
    pub fn metadata(&self) -> Option<&BTreeMap<String, Value>> {
        self.metadata.as_ref()
    }

    /// All tensors, in the order in which they are best read.
    pub fn tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        self.tensors.iter().map(|tensor| &tensor.info)
    }

    /// The same with the files that they are in.
    pub fn located(&self) -> &[Located] {
        &self.tensors
    }

    /// Bytes of all tensors.
    pub fn bytes(&self) -> u64 {
        self.tensors().map(|tensor| tensor.bytes).sum()
    }

    /// Name and length of each file with weights.
    pub fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        let readers = self.weights.iter().map(|file| &file.reader);
        readers.map(|reader| (reader.name.as_str(), reader.size))
    }

    /// How far the hash of a file has come, if its SHA-256 has been promised.
    pub(super) fn hashed(&self, file: usize) -> Option<Hashed> {
        self.weights[file].reader.hashed()
    }

    /// Goes on with the hash of an earlier load, which has come so far in a file.
    pub(super) fn resume(&mut self, file: usize, hashed: &Hashed) {
        if let Some(file) = self.weights.get_mut(file) {
            file.reader.resume(hashed);
        }
    }

    /// Puts the name of a tensor's file in front of a complaint about the tensor.
    pub(super) fn named(&self, tensor: &Located, error: Error) -> Error {
        named(&self.weights[tensor.file].label, error)
    }

    /// A tensor's bytes in `format`, to be asked for in the order of [`Self::located`]. Beside the
    /// result no more than a piece of the tensor is in memory, unless it lies transposed.
    pub async fn fetch(&mut self, tensor: &Located, format: Format) -> Result<Vec<u8>> {
        let file = &mut self.weights[tensor.file];
        let fetched = match file.skip_header(&tensor.info).await {
            Ok(()) => fetch(&mut file.reader, &tensor.info, format).await,
            Err(error) => Err(error),
        };
        fetched.map_err(|error| self.named(tensor, of_tensor(&tensor.info, error)))
    }

    /// Reads what is left where a SHA-256 has been promised, and checks it.
    pub async fn finish(&mut self) -> Result<()> {
        for file in &mut self.weights {
            file.reader.finish().await?;
        }
        Ok(())
    }
}

impl<F: Files> WeightFile<F> {
    /// Checks the header in front of a tensor that was located without it.
    async fn skip_header(&mut self, tensor: &TensorInfo) -> Result<()> {
        let mut passed = None;
        while let Some(header) = self
            .headers
            .pop_front_if(|header| header.data <= tensor.offset)
        {
            passed = Some(header);
        }
        let Some(header) = passed else {
            return Ok(());
        };
        let bytes = self.reader.read(header.at, header.data - header.at).await?;
        if header.agrees(&bytes) {
            return Ok(());
        }
        Err(Error::BadWeights(
            "lies elsewhere in the zip archive than PyTorch would have put it: load and save the \
             checkpoint again with torch.save"
                .to_string(),
        ))
    }
}

/// A tensor's bytes in `format`, read and converted piece by piece.
async fn fetch<F: Files>(
    reader: &mut Reader<F>,
    tensor: &TensorInfo,
    format: Format,
) -> Result<Vec<u8>> {
    /// Whole blocks of every format.
    const BLOCK: usize = 256;
    let piece = match tensor.format.bytes(BLOCK) {
        Some(block) if !tensor.transposed => LARGEST_READ - LARGEST_READ % block as u64,
        _ => tensor.bytes,
    };
    let mut converted = Vec::new();
    let mut position = 0;
    while position < tensor.bytes {
        let length = piece.min(tensor.bytes - position);
        let bytes = reader.read(tensor.offset + position, length).await?;
        let bytes = tensor.in_order(bytes);
        let elements = bytes.len() / tensor.format.block_bytes() * tensor.format.block_length();
        let bytes = if tensor.format == format {
            bytes
        } else {
            blocks::convert(tensor.format, format, &bytes, elements)?
        };
        position += length;
        if converted.is_empty() {
            converted = bytes;
            let whole = format.bytes(tensor.elements()).unwrap_or(0);
            converted.reserve_exact(whole.saturating_sub(converted.len()));
        } else {
            converted.extend_from_slice(&bytes);
        }
    }
    Ok(converted)
}

/// The files with weights: name and length.
async fn weight_files(
    files: &impl Files,
    file: Option<&str>,
    promises: &Promises,
) -> Result<Vec<(String, u64)>> {
    let candidates = match &file {
        Some(file) => std::slice::from_ref(file),
        None => &WEIGHT_FILES[..],
    };
    for name in candidates {
        if let Some(size) = files.size(name).await? {
            return Ok(vec![(name.to_string(), size)]);
        }
        let index = format!("{name}.index.json");
        let Some(index_text) = texts::read(files, &index, promises).await? else {
            continue;
        };
        let shards = safetensors::parse_index(&index_text).map_err(|error| named(&index, error))?;
        let mut found = Vec::new();
        for shard in shards.files {
            let size = files.size(&shard).await?.ok_or_else(|| {
                Error::BadWeights(format!("{shard} is missing, though {index} lists it"))
            })?;
            found.push((shard, size));
        }
        return Ok(found);
    }
    Err(Error::BadWeights(match file {
        Some(file) => format!("there is no file {file}"),
        None => {
            "no weights found, expected model.safetensors or pytorch_model.bin, whole or in parts with an index".to_string()
        }
    }))
}

/// The SHA-256 promised for a file with weights. Where any are promised, those must be.
fn promise<'p>(promises: &'p Promises, file: &str) -> Result<Option<&'p str>> {
    match promises.get(file) {
        None if !promises.is_empty() => Err(Error::BadInput(format!(
            "sha256 is given, but not of {file}, which holds weights"
        ))),
        found => Ok(found.map(String::as_str)),
    }
}

/// What a file says of itself.
struct Table {
    tensors: Vec<TensorInfo>,
    headers: Vec<LocalHeader>,
    metadata: Option<BTreeMap<String, Value>>,
}

/// Reads a file's table of tensors, in whichever container its first bytes say that it is.
async fn read_table<F: Files>(reader: &mut Reader<F>) -> Result<Table> {
    let kind = reader
        .header(|beginning, _| Ok(Parsed::Complete(kind(beginning))))
        .await?;
    let plain = |tensors| Table {
        tensors,
        headers: Vec::new(),
        metadata: None,
    };
    match kind {
        Kind::Gguf => {
            let header = reader.header(Header::parse).await?;
            Ok(Table {
                metadata: Some(header.metadata),
                ..plain(header.tensors)
            })
        }
        Kind::Safetensors => Ok(plain(reader.header(safetensors::parse).await?)),
        Kind::Pytorch => {
            let (headers, tensors) = reader.scattered(pytorch::foretold_table).await?;
            if let Some(first) = headers.first()
                && !first.agrees(&reader.look(first.at, LocalHeader::LENGTH).await?)
            {
                // Not as PyTorch writes it: every header has to be looked at.
                return Ok(plain(reader.scattered(pytorch::table).await?));
            }
            Ok(Table {
                headers,
                ..plain(tensors)
            })
        }
    }
}

enum Kind {
    Gguf,
    Safetensors,
    Pytorch,
}

/// The container. PyTorch's is left to explain what is wrong with an older pickle, and
/// safetensors, which has no mark of its own, with everything else.
fn kind(beginning: &[u8]) -> Kind {
    match beginning {
        [b'G', b'G', b'U', b'F', ..] => Kind::Gguf,
        [b'P', b'K', ..] | [0x80, ..] if !is_safetensors(beginning) => Kind::Pytorch,
        _ => Kind::Safetensors,
    }
}

/// Whether JSON begins behind the length of a safetensors header.
fn is_safetensors(beginning: &[u8]) -> bool {
    beginning.get(8) == Some(&b'{')
}

/// Puts a file's or a model's name in front of a complaint about its contents.
pub(super) fn named(name: &str, error: Error) -> Error {
    match error {
        Error::BadWeights(message) if !name.is_empty() => {
            Error::BadWeights(format!("{name}: {message}"))
        }
        other => other,
    }
}

/// Says which tensor a complaint is about, unless it does already.
fn of_tensor(tensor: &TensorInfo, error: Error) -> Error {
    match error {
        Error::BadWeights(message) if !message.contains(&tensor.name) => {
            Error::BadWeights(format!("tensor '{}': {message}", tensor.name))
        }
        other => other,
    }
}
