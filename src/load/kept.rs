//! A model that was kept at an earlier load: read from its cache entry, written to it, given up where
//! the entry does not work.

use super::entry::{Entry, Store, Stores, request_digest};
use super::generation::Generation;
use super::options::{Event, Options};
use super::plan::{Plan, main_format, restrict};
use super::reader::Hashed;
use super::source::Source;
use super::{Assembly, Description, Files};
use crate::device::Placement;
use crate::models::ModelConfig;
use crate::nn::Target;
use crate::tasks::Model;
use crate::weights::gguf::Header;
use crate::weights::{Parsed, TensorInfo};
use crate::{Error, Result};

/// What became of a load from the entry alone.
pub enum Complete {
    Loaded(Box<Model>),
    Damaged,
    Absent,
}

/// The cache entry, as long as it works: an error of its own never stops a load.
pub struct Cache<S> {
    entry: Option<Entry<S>>,
}

impl<S: Store> Cache<S> {
    pub async fn open(
        stores: Option<Stores<S>>,
        options: &Options,
        on_event: &mut dyn FnMut(Event),
    ) -> Self {
        let mut cache = Cache { entry: None };
        if let Some(stores) = stores {
            let request = request_digest(options);
            match Entry::open(stores, request).await {
                Ok(entry) => cache.entry = Some(entry),
                Err(error) => cache.give_up(&error, on_event).await,
            }
        }
        cache
    }

    /// Goes on without the entry.
    async fn give_up(&mut self, error: &Error, on_event: &mut dyn FnMut(Event)) {
        self.discard().await;
        on_event(Event::Uncached(&format!(
            "the model cannot be kept for the next time: {error}"
        )));
    }

    pub async fn discard(&mut self) {
        if let Some(mut entry) = self.entry.take() {
            entry.discard().await;
        }
    }

    /// Loads everything from a complete entry.
    pub async fn load_complete(
        &mut self,
        options: &Options,
        placement: &Placement,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Complete> {
        let Some(entry) = &self.entry else {
            return Ok(Complete::Absent);
        };
        let bytes = match entry.complete_header().await {
            Ok(Some(header)) => header,
            Ok(None) => return Ok(Complete::Absent),
            Err(error) => {
                self.give_up(&error, on_event).await;
                return Ok(Complete::Absent);
            }
        };
        let Parsed::Complete(header) = Header::parse(&bytes, u64::MAX)? else {
            return Ok(Complete::Absent);
        };
        let description = Description::from_gguf(&header)?;
        let config = restrict(ModelConfig::from_json(&description.config)?, &options.tasks)?;
        let tied = main_format(&header.metadata);
        let mut assembly = Assembly::of_tensors(
            &description,
            config,
            &header.tensors,
            placement.clone(),
            Target::Keep { tied },
        )?;
        let generation = Generation::of_metadata(&header.metadata)?;
        assembly = assembly.with_generation(generation.settings);
        if options.rehearse {
            assembly.rehearse(&header.tensors)?;
        }
        let total = header.tensors.iter().map(|tensor| tensor.bytes).sum();
        let mut loaded = 0;
        for (index, tensor) in header.tensors.iter().enumerate() {
            let Some(bytes) = self.read(index, tensor, on_event).await else {
                return Ok(Complete::Damaged);
            };
            assembly.accept(tensor, &bytes)?;
            loaded += tensor.bytes;
            let name = &tensor.name;
            on_event(Event::Tensor {
                name,
                loaded,
                total,
            });
        }
        Ok(Complete::Loaded(Box::new(assembly.finish()?)))
    }

    pub async fn begin<F: Files + Clone>(
        &mut self,
        plan: &Plan,
        source: &mut Source<F>,
        on_event: &mut dyn FnMut(Event),
    ) {
        let Some(entry) = &mut self.entry else {
            return;
        };
        let files = source.files().map(|(name, size)| (name.to_string(), size));
        let files: Vec<(String, u64)> = files.collect();
        match entry.begin(plan, &files).await {
            Ok(()) => entry
                .hashes()
                .for_each(|(file, hashed)| source.resume(file, hashed)),
            Err(error) => self.give_up(&error, on_event).await,
        }
    }

    pub fn has(&self, index: usize) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.has(index))
    }

    /// A tensor's bytes, unless they are not there, or damaged, which is told.
    pub async fn read(
        &mut self,
        index: usize,
        tensor: &TensorInfo,
        on_event: &mut dyn FnMut(Event),
    ) -> Option<Vec<u8>> {
        let entry = self.entry.as_ref().filter(|entry| entry.has(index))?;
        match entry.read(index, tensor).await {
            Ok(Some(bytes)) => Some(bytes),
            Ok(None) => {
                on_event(Event::Warning(&format!(
                    "the cached copy of tensor '{}' is damaged: it is fetched again",
                    tensor.name
                )));
                None
            }
            Err(error) => {
                self.give_up(&error, on_event).await;
                None
            }
        }
    }

    /// Keeps a tensor's bytes. Fails if they contradict what was kept before.
    pub async fn write(
        &mut self,
        index: usize,
        tensor: &TensorInfo,
        bytes: &[u8],
        hashed: Option<(usize, Hashed)>,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<()> {
        let Some(entry) = &mut self.entry else {
            return Ok(());
        };
        if entry.contradicts(index, bytes) {
            return Err(Error::Integrity(format!(
                "tensor '{}' of the source is not the one that was cached: the source has \
                 changed, load it again",
                tensor.name
            )));
        }
        if let Err(error) = entry.write(index, tensor, bytes, hashed).await {
            self.give_up(&error, on_event).await;
        }
        Ok(())
    }

    pub async fn finish(&mut self, plan: &Plan, on_event: &mut dyn FnMut(Event)) {
        if let Some(entry) = &mut self.entry
            && let Err(error) = entry.finish(plan).await
        {
            self.give_up(&error, on_event).await;
        }
    }
}

/// The store of loads without a cache: there is none.
#[derive(Debug, Clone, Copy)]
pub enum NoStore {}

impl Store for NoStore {
    async fn size(&self) -> Result<u64> {
        match *self {}
    }

    async fn read(&self, _: u64, _: u64) -> Result<Vec<u8>> {
        match *self {}
    }

    async fn write(&self, _: u64, _: &[u8]) -> Result<()> {
        match *self {}
    }

    async fn truncate(&self, _: u64) -> Result<()> {
        match *self {}
    }

    async fn flush(&self) -> Result<()> {
        match *self {}
    }
}
