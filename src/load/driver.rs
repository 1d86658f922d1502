//! The one way in which models are loaded.

use super::adapter::AdapterPlace;
use super::entry::{Entry, Store, Stores, damaged, request_digest};
use super::plan::{Plan, check_memory, main_format, restrict};
use super::reader::Hashed;
use super::source::{Promises, Source, named};
use super::{Assembly, Description, Files};
use crate::device::Placement;
use crate::models::ModelConfig;
use crate::nn::{Dtype, Target};
use crate::tasks::Model;
use crate::weights::gguf::Header;
use crate::weights::{Parsed, TensorInfo};
use crate::{Error, Result};

/// What is asked of a load.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How the weights are held.
    pub dtype: Dtype,
    /// The tasks that the model is wanted for; none named: all that it can do.
    pub tasks: Vec<String>,
    /// The SHA-256 of its files, in hexadecimal. Empty, or with every file that holds weights.
    pub sha256: Promises,
    /// Adapters that are merged into the model while it is loaded, in this order. One that lies beside
    /// the model is merged before them, unasked.
    pub adapters: Vec<AdapterPlace>,
    /// Whether a GPU compiles what the tasks run while the weights arrive.
    pub rehearse: bool,
}

/// What is told on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'e> {
    /// What will be read of the source, in this order.
    Plan {
        /// Bytes of all tensors that the model takes, as they are in the source.
        total: u64,
        /// How many of them the cache entry has.
        cached: u64,
        /// File, offset and length of what the entry has not.
        ranges: Vec<(String, u64, u64)>,
    },
    /// A tensor is on the device.
    Tensor {
        /// Its name.
        name: &'e str,
        /// Bytes of the tensors so far.
        loaded: u64,
        /// Bytes of all tensors.
        total: u64,
    },
    /// Something went wrong that does not stop the load.
    Warning(&'e str),
    /// The cache entry could not be written, and is empty now.
    Uncached(&'e str),
}

/// Loads the model of `files`, which is called `name` in messages: the file `file`, the folder of a part
/// if it ends with a slash, or whatever a folder in Hugging Face layout holds.
///
/// With an entry, what is in it is not read from `files` again, and nothing at all if it is
/// complete. Both ways lead to the same numbers: the entry holds the tensors in the very form in
/// which they go to the device.
pub async fn load<F: Files + Clone, S: Store>(
    name: &str,
    files: F,
    file: Option<&str>,
    entry: Option<Stores<S>>,
    options: &Options,
    placement: Placement,
    mut on_event: impl FnMut(Event),
) -> Result<Model> {
    let on_event: &mut dyn FnMut(Event) = &mut on_event;
    let mut cache = Cache::open(entry, options, on_event).await;
    let complete = cache.load_complete(options, &placement, on_event).await?;
    if let Complete::Loaded(model) = complete {
        return Ok(*model);
    }
    let is_damaged = matches!(complete, Complete::Damaged);
    let loading = load_source(
        files, file, &mut cache, is_damaged, options, placement, on_event,
    );
    loading.await.map_err(|error| named(name, error))
}

/// Loads from the source what the entry lacks.
async fn load_source<F: Files + Clone, S: Store>(
    files: F,
    file: Option<&str>,
    cache: &mut Cache<S>,
    is_damaged: bool,
    options: &Options,
    placement: Placement,
    on_event: &mut dyn FnMut(Event),
) -> Result<Model> {
    let opened = async {
        let source = Source::adapted(files, file, &options.adapters, &options.sha256).await?;
        let plan = Plan::new(&source, options.dtype, &options.tasks)?;
        check_memory(&plan, placement.name == "cpu")?;
        Ok((source, plan))
    };
    let (mut source, plan) = opened.await.map_err(|error| match error {
        Error::BadWeights(_) | Error::Network(_) if is_damaged => damaged(&error),
        other => other,
    })?;
    if let Some(note) = source.note() {
        on_event(Event::Warning(note));
    }
    cache.begin(&plan, &mut source, on_event).await;
    let assembled = assemble(
        &mut source,
        &plan,
        cache,
        placement,
        options.rehearse,
        on_event,
    );
    let result = assembled.await;
    if matches!(result, Err(Error::Integrity(_))) {
        cache.discard().await;
    }
    let assembly = result?;
    cache.finish(&plan, on_event).await;
    assembly.finish()
}

/// Brings every tensor of the plan to the device.
async fn assemble<F: Files + Clone, S: Store>(
    source: &mut Source<F>,
    plan: &Plan,
    cache: &mut Cache<S>,
    placement: Placement,
    rehearse: bool,
    on_event: &mut dyn FnMut(Event),
) -> Result<Assembly> {
    let target = Target::Keep { tied: plan.tied };
    let tensors = &plan.layout.tensors;
    let mut assembly = Assembly::of_tensors(
        &plan.description,
        plan.config.clone(),
        tensors,
        placement,
        target,
    )?;
    if rehearse {
        assembly.rehearse(tensors)?;
    }
    let total = plan.source_bytes();
    on_event(outlook(source, plan, |index| cache.has(index)));
    let mut loaded = 0;
    for (index, (tensor, located)) in tensors.iter().zip(&plan.sources).enumerate() {
        match cache.read(index, tensor, on_event).await {
            Some(bytes) => assembly.accept(tensor, &bytes)?,
            None => {
                let bytes = source.fetch(located, tensor.format).await?;
                let accepted = assembly.accept(tensor, &bytes);
                accepted.map_err(|error| source.named(located, error))?;
                let hashed = source.hashed(located.file).map(|at| (located.file, at));
                cache.write(index, tensor, &bytes, hashed, on_event).await?;
            }
        }
        loaded += located.info.bytes;
        let name = &tensor.name;
        on_event(Event::Tensor {
            name,
            loaded,
            total,
        });
    }
    source.finish().await?;
    Ok(assembly)
}

/// The event that says what will be read.
fn outlook<F: Files + Clone>(
    source: &Source<F>,
    plan: &Plan,
    has: impl Fn(usize) -> bool,
) -> Event<'static> {
    /// Two tensors closer than this are one range: what lies between costs less than a request.
    const NEAR: u64 = 1 << 12;
    let files: Vec<(&str, u64)> = source.files().collect();
    let mut ranges: Vec<(String, u64, u64)> = Vec::new();
    let mut cached = 0;
    for (index, located) in plan.sources.iter().enumerate() {
        let (offset, length) = (located.info.offset, located.info.bytes);
        if has(index) {
            cached += length;
            continue;
        }
        let (file, _) = files[located.file];
        match ranges.last_mut() {
            Some((last, start, bytes))
                if last == file && offset.saturating_sub(*start + *bytes) < NEAR =>
            {
                *bytes = (offset + length).saturating_sub(*start).max(*bytes);
            }
            _ => ranges.push((file.to_string(), offset, length)),
        }
    }
    for (number, (file, size)) in files.into_iter().enumerate() {
        // Where a hash is checked, every byte is read from where it has come to.
        if let Some(Hashed { position, .. }) = source.hashed(number) {
            ranges.retain(|(other, ..)| other != file);
            ranges.push((file.to_string(), position, size - position));
        }
    }
    Event::Plan {
        total: plan.source_bytes(),
        cached,
        ranges,
    }
}

/// What became of a load from the entry alone.
enum Complete {
    Loaded(Box<Model>),
    Damaged,
    Absent,
}

/// The cache entry, as long as it works: an error of its own never stops a load.
struct Cache<S> {
    entry: Option<Entry<S>>,
}

impl<S: Store> Cache<S> {
    async fn open(
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

    async fn discard(&mut self) {
        if let Some(mut entry) = self.entry.take() {
            entry.discard().await;
        }
    }

    /// Loads everything from a complete entry.
    async fn load_complete(
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

    async fn begin<F: Files + Clone>(
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

    fn has(&self, index: usize) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.has(index))
    }

    /// A tensor's bytes, unless they are not there, or damaged, which is told.
    async fn read(
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
    async fn write(
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

    async fn finish(&mut self, plan: &Plan, on_event: &mut dyn FnMut(Event)) {
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
