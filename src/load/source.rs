//! What a model's files are: one GGUF file, or a folder in Hugging Face layout, whose weights may
//! be in one file or several. Opening reads texts and tables; the weights stay where they are.

use super::adapter::{self, Adapter, AdapterPlace, Base, Merge, Merged};
use super::generation::Generation;
use super::layout::{self, Configuration, Layout};
use super::reader::Hashed;
use super::table::Located;
use super::weight_file::{Change, LARGEST_READ, Promises, WeightFile};
use super::{ADAPTERS_KEY, Description, Files, names, refusals, texts};
use crate::models::ModelConfig;
use crate::weights::gguf::Value;
use crate::weights::{Format, TensorInfo};
use crate::{Error, Result};
use std::collections::BTreeMap;

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
    /// How the checkpoint has texts written.
    generation: Generation,
    /// What adapters do to the tensors.
    merge: Merge,
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
        let beside = folder.as_deref().unwrap_or(located.folder());
        let generation = Generation::find(
            &files,
            beside,
            metadata.as_ref(),
            &description.config,
            promises,
        )
        .await?;
        let source = Self {
            description,
            weights,
            tensors,
            metadata,
            note,
            generation,
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

    /// How the checkpoint has texts written.
    pub fn generation(&self) -> &Generation {
        &self.generation
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
        self.weights[tensor.file].named(error)
    }

    /// A tensor's bytes in `format`, adapters merged, to be asked for in the order of
    /// [`Self::located`]. Beside the result no more than a piece of the tensor is in memory, unless its
    /// numbers don't lie row by row.
    pub async fn fetch(&mut self, tensor: &Located, format: Format) -> Result<Vec<u8>> {
        let deltas = self.merge.deltas(&tensor.info.name);
        let merge = |place: usize, values: &mut [f32]| {
            deltas.iter().for_each(|delta| delta.add_to(place, values));
        };
        let change: Option<Change> = if deltas.is_empty() {
            None
        } else {
            Some(&merge)
        };
        self.weights[tensor.file]
            .fetch(&tensor.info, format, change)
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
