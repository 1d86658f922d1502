//! What a model's files are: one GGUF file, or a folder in Hugging Face layout, whose weights may
//! be in one file or several. Opening reads texts and tables; the weights stay where they are.

use super::adapter::{self, Adapter, AdapterPlace, Base, Delta, Merge, Merged};
use super::layout::{self, Configuration, Layout};
use super::reader::{Hashed, Reader};
use super::{ADAPTERS_KEY, Description, Files, names, refusals, texts};
use crate::models::ModelConfig;
use crate::weights::gguf::{Header, Value};
use crate::weights::pytorch::{self, LocalHeader};
use crate::weights::{Format, Parsed, TensorInfo, blocks, safetensors, unlike};
use crate::{Error, Result};
use std::collections::{BTreeMap, VecDeque};

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
    /// What should be said of the model.
    note: Option<&'static str>,
    /// What adapters do to the tensors.
    merge: Merge,
}

/// A tensor and the number of the file that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The file, counted from 0.
    pub file: usize,
    /// The tensor.
    pub info: TensorInfo,
}

impl Located {
    /// Whether both are the same bytes of a file.
    pub(super) fn shares_place_with(&self, other: &Self) -> bool {
        let place = |tensor: &Self| (tensor.file, tensor.info.offset, tensor.info.bytes);
        place(self) == place(other)
    }
}

/// A file with weights.
pub(super) struct WeightFile<F> {
    reader: Reader<F>,
    /// What it is called in messages: nothing, if it is the model's only file.
    label: String,
    /// Headers that have to be checked on the way to the tensors behind them.
    headers: VecDeque<LocalHeader>,
}

impl<F: Files + Clone> Source<F> {
    /// Opens the model of `files`: whatever a folder holds or, by `place`, one file or, if it ends with a
    /// slash, the folder of a part. An adapter that lies in the folder is merged. With `promises`, every
    /// file that is read must keep its own.
    pub async fn of(files: F, place: Option<&str>, promises: &Promises) -> Result<Self> {
        Self::adapted(files, place, &[], promises).await
    }

    /// The same with these adapters, which are merged into the tensors as those are read.
    pub async fn adapted(
        files: F,
        place: Option<&str>,
        adapters: &[AdapterPlace],
        promises: &Promises,
    ) -> Result<Self> {
        let (mut source, folder) = Self::base(files.clone(), place, promises).await?;
        if let Some(folder) = folder {
            let beside = AdapterPlace::beside(folder);
            if let Some(text) = adapter::configuration(&files, &beside, promises).await? {
                let adapter = Adapter::open(&files, &beside, &text, promises).await?;
                source.merge(adapter).await?;
            }
        }
        for place in adapters {
            let text = adapter::configuration(&files, place, promises).await?;
            let text = text.ok_or_else(|| adapter::missing(place))?;
            let adapter = Adapter::open(&files, place, &text, promises).await?;
            source.merge(adapter).await?;
        }
        Ok(source)
    }

    /// Opens the model without adapters; the second is its folder, unless one file was asked for.
    async fn base(
        files: F,
        place: Option<&str>,
        promises: &Promises,
    ) -> Result<(Self, Option<String>)> {
        let file = place.filter(|place| !place.ends_with('/'));
        let layout = match file {
            Some(_) => None,
            None => Some(Layout::find(&files, place, promises).await?),
        };
        if let Some(Configuration::HuggingFace(config)) =
            layout.as_ref().map(|layout| &layout.configuration)
        {
            ModelConfig::from_json(config)?; // whether it is a CLIP or BLIP at all, before the rest
        }
        let found = match (&layout, file) {
            (Some(layout), _) => layout.weights(&files, promises).await?,
            (None, file) => layout::single_file(&files, file.unwrap_or_default(), promises).await?,
        };
        let mut weights = Vec::new();
        let mut tensors = Vec::new();
        let mut metadata = None;
        let mut is_script = false;
        for (name, size) in found {
            let label = file.map_or(name.clone(), |_| String::new());
            let (weight_file, table) =
                WeightFile::open(&files, &name, size, promises, label).await?;
            let file = weights.len();
            let located = table.tensors.into_iter().map(|info| Located { file, info });
            tensors.extend(located);
            metadata = table.metadata.or(metadata);
            is_script |= table.is_script;
            weights.push(weight_file);
        }
        let folder = layout.as_ref().map(|layout| layout.folder.clone());
        refusals::check_names(&tensors)?;
        let (tensors, named_by) = names::translate(tensors)?;
        let located = texts::Tensors {
            located: &tensors,
            file: weights.first().map_or("", |file| &file.reader.name),
            named_by,
            is_single: file.is_some(),
            is_script,
        };
        let (description, note) =
            texts::describe(&files, promises, layout, metadata.as_ref(), &located).await?;
        let source = Self {
            description,
            weights,
            tensors,
            metadata,
            note,
            merge: Merge::default(),
        };
        Ok((source, folder))
    }

    /// Has an adapter merged into the tensors as they are read.
    async fn merge(&mut self, mut adapter: Adapter<F>) -> Result<()> {
        if adapter.touches_tied() {
            self.drop_copy_of_table().await?;
        }
        let mut base = Base {
            tensors: &mut self.tensors,
        };
        self.merge
            .add(&mut adapter, &mut base, self.weights.len())?;
        self.weights.push(adapter.file);
        Ok(())
    }

    /// Forgets a language-model head that is stored beside its word table with the very same numbers:
    /// the reference then has them as one.
    async fn drop_copy_of_table(&mut self) -> Result<()> {
        let base = Base {
            tensors: &mut self.tensors,
        };
        let Some([head, table]) = base.head_beside_table() else {
            return Ok(());
        };
        let mut position = 0;
        while position < head.info.bytes {
            let length = LARGEST_READ.min(head.info.bytes - position);
            let of_head = self.read(&head, position, length).await?;
            if of_head != self.read(&table, position, length).await? {
                return Ok(());
            }
            position += length;
        }
        self.tensors.retain(|tensor| *tensor != head);
        Ok(())
    }

    /// Bytes of a tensor as they lie in its file.
    async fn read(&mut self, tensor: &Located, position: u64, length: u64) -> Result<Vec<u8>> {
        let file = &mut self.weights[tensor.file];
        let bytes = file
            .reader
            .read(tensor.info.offset + position, length)
            .await;
        bytes.map_err(|error| file.of_tensor(&tensor.info, error))
    }

    /// The adapters that are merged, in their order: those that were merged into the file before, and
    /// those that are merged as it is read.
    pub fn merged(&self) -> Vec<Merged> {
        let before = self
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.get(ADAPTERS_KEY));
        let before = before
            .and_then(Value::as_str)
            .and_then(|text| serde_json::from_str(text).ok());
        let mut merged: Vec<Merged> = before.unwrap_or_default();
        merged.extend(self.merge.merged.iter().cloned());
        merged
    }

    /// Notes them in the metadata of what is made of the model.
    pub(super) fn note_adapters(&self, metadata: &mut BTreeMap<String, Value>) {
        let merged = self.merged();
        if !merged.is_empty() {
            let text = serde_json::json!(merged).to_string();
            metadata.insert(ADAPTERS_KEY.to_string(), Value::String(text));
        }
    }

    /// Whether adapters change a tensor's numbers.
    pub(super) fn is_changed(&self, tensor: &str) -> bool {
        !self.merge.deltas(tensor).is_empty()
    }

    /// What should be said of the model, where something about it had to be guessed.
    pub fn note(&self) -> Option<&str> {
        self.note
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
    pub(crate) fn named(&self, tensor: &Located, error: Error) -> Error {
        named(&self.weights[tensor.file].label, error)
    }

    /// A tensor's bytes in `format`, adapters merged, to be asked for in the order of
    /// [`Self::located`]. Beside the result no more than a piece of the tensor is in memory, unless its
    /// numbers don't lie row by row.
    pub async fn fetch(&mut self, tensor: &Located, format: Format) -> Result<Vec<u8>> {
        let deltas = self.merge.deltas(&tensor.info.name);
        self.weights[tensor.file]
            .fetch(&tensor.info, format, deltas)
            .await
    }

    /// Reads what is left where a SHA-256 has been promised, and checks it.
    pub async fn finish(&mut self) -> Result<()> {
        for file in &mut self.weights {
            file.reader.finish().await?;
        }
        Ok(())
    }
}

impl<F: Files + Clone> WeightFile<F> {
    /// Opens a file and reads its table; `label` is what it is called in messages.
    pub async fn open(
        files: &F,
        name: &str,
        size: u64,
        promises: &Promises,
        label: String,
    ) -> Result<(Self, Table)> {
        let promise = promise(promises, name)?;
        let mut reader = Reader::new(files.clone(), name, size, promise);
        let table = read_table(&mut reader).await;
        let mut table = table.map_err(|error| named(&label, error))?;
        let headers = std::mem::take(&mut table.headers).into();
        let file = Self {
            reader,
            label,
            headers,
        };
        Ok((file, table))
    }
}

impl<F: Files> WeightFile<F> {
    /// A tensor's bytes in `format`, with what is added to its numbers.
    pub async fn fetch(
        &mut self,
        tensor: &TensorInfo,
        format: Format,
        deltas: &[Delta],
    ) -> Result<Vec<u8>> {
        let fetched = match self.skip_header(tensor).await {
            Ok(()) => fetch(&mut self.reader, tensor, format, deltas).await,
            Err(error) => Err(error),
        };
        fetched.map_err(|error| self.of_tensor(tensor, error))
    }

    /// Puts the file's name in front of a complaint.
    pub fn named(&self, error: Error) -> Error {
        named(&self.label, error)
    }

    /// The same with a tensor's name, unless the complaint has it already.
    pub fn of_tensor(&self, tensor: &TensorInfo, error: Error) -> Error {
        self.named(of_tensor(tensor, error))
    }

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
        Err(Error::BadWeights(header.disagreement().to_string()))
    }
}

/// A tensor's bytes in `format`, read and converted piece by piece.
async fn fetch<F: Files>(
    reader: &mut Reader<F>,
    tensor: &TensorInfo,
    format: Format,
    deltas: &[Delta],
) -> Result<Vec<u8>> {
    /// Whole blocks of every format.
    const BLOCK: usize = 256;
    let piece = match tensor.format.bytes(BLOCK) {
        Some(block) if tensor.strides.is_none() => LARGEST_READ - LARGEST_READ % block as u64,
        _ => tensor.bytes,
    };
    let mut converted = Vec::new();
    let mut position = 0;
    while position < tensor.bytes {
        let length = piece.min(tensor.bytes - position);
        let bytes = reader.read(tensor.offset + position, length).await?;
        let bytes = tensor.in_order(bytes);
        let numbers_of =
            |bytes: usize| bytes / tensor.format.block_bytes() * tensor.format.block_length();
        let first = numbers_of(super::fits(position)?);
        let bytes = if tensor.format == format && deltas.is_empty() {
            bytes
        } else {
            let merge = |place: usize, values: &mut [f32]| {
                deltas
                    .iter()
                    .for_each(|delta| delta.add_to(first + place, values));
            };
            let elements = numbers_of(bytes.len());
            blocks::convert_changed(tensor.format, format, &bytes, elements, merge)?
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
pub(super) struct Table {
    pub tensors: Vec<TensorInfo>,
    headers: Vec<LocalHeader>,
    metadata: Option<BTreeMap<String, Value>>,
    /// Whether it is a module of TorchScript.
    is_script: bool,
}

/// Reads a file's table of tensors, in whichever container its first bytes say that it is.
async fn read_table<F: Files>(reader: &mut Reader<F>) -> Result<Table> {
    let kind = reader
        .header(|beginning, length| kind(beginning, length).map(Parsed::Complete))
        .await?;
    let plain = |tensors| Table {
        tensors,
        headers: Vec::new(),
        metadata: None,
        is_script: false,
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
            let table = reader.scattered(pytorch::foretold_table).await?;
            let is_script = table.is_script;
            if let Some(first) = table.headers.first()
                && !first.agrees(&reader.look(first.at, first.length()).await?)
            {
                // Not as PyTorch writes it: every header has to be looked at.
                let tensors = reader.scattered(pytorch::table).await?;
                return Ok(Table {
                    is_script,
                    ..plain(tensors)
                });
            }
            Ok(Table {
                headers: table.headers,
                is_script,
                ..plain(table.tensors)
            })
        }
    }
}

enum Kind {
    Gguf,
    Safetensors,
    Pytorch,
}

/// The container. PyTorch's is left to explain what is wrong with a pickle.
fn kind(beginning: &[u8], length: u64) -> Result<Kind> {
    match beginning {
        _ if is_safetensors(beginning) => return Ok(Kind::Safetensors),
        [b'G', b'G', b'U', b'F', ..] => return Ok(Kind::Gguf),
        [b'P', b'K', ..] | [0x80, ..] => return Ok(Kind::Pytorch),
        _ => {}
    }
    Err(Error::BadWeights(
        match unlike::recognized(beginning, length) {
            Some(what) => what,
            None => format!(
                "no model file that is known: it begins with \"{}\", expected GGUF, safetensors or PyTorch's format",
                beginning[..beginning.len().min(8)].escape_ascii()
            ),
        },
    ))
}

/// Whether JSON begins behind the length of a safetensors header.
fn is_safetensors(beginning: &[u8]) -> bool {
    beginning.get(8) == Some(&b'{')
}

/// Puts a file's or a model's name in front of a complaint about its contents.
pub(crate) fn named(name: &str, error: Error) -> Error {
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
