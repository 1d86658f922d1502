//! The one way in which models are loaded.

use super::entry::{Store, Stores, damaged};
use super::kept::{Cache, Complete};
use super::options::{Event, Options};
use super::plan::{Plan, check_memory};
use super::reader::Hashed;
use super::source::Source;
use super::weight_file::named;
use super::{Assembly, Files};
use crate::device::Placement;
use crate::nn::Target;
use crate::tasks::Model;
use crate::{Error, Result};

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
    if let Some(note) = source.generation().note_of_left_out() {
        on_event(Event::Warning(&note));
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
    )?
    .with_generation(source.generation().settings.clone());
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
