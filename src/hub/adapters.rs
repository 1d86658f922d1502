//! Models with adapters: where an adapter is given instead of a model, its base is found, and every
//! adapter is fetched as the model is.

use super::source::Source;
use super::{CheckConfig, Observer, Options, fetch};
use crate::load::{ADAPTER_CONFIG_FILE, ADAPTER_WEIGHT_FILES, AdapterPlace, base_of};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Adapters of adapters that are believed.
const DEEPEST: usize = 8;

/// A model as it is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The model, or an adapter alone.
    pub model: Source,
    /// Adapters to merge into it, in this order.
    pub adapters: Vec<Source>,
    /// What an adapter in place of the model was made for, if it is not what the adapter says.
    pub base: Option<Source>,
}

/// A model on this machine and the adapters to merge into it, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The file or folder.
    pub model: PathBuf,
    /// Adapters; one beside the model is not among them.
    pub adapters: Vec<AdapterPlace>,
}

/// Fetches a model with its adapters. The options' revision and hash are those of the model.
pub fn fetch_adapted(
    wanted: &Wanted,
    options: &Options,
    check_config: &CheckConfig,
    observer: &mut Observer,
) -> Result<Fetched> {
    let model = fetch(&wanted.model, options, check_config, observer)?;
    let mut fetched = Fetched {
        adapters: Vec::new(),
        model,
    };
    let mut source = wanted.model.clone();
    let mut base = wanted.base.clone();
    while let Some(text) = alone(&fetched.model, &source)? {
        if fetched.adapters.len() == DEEPEST {
            return Err(Error::BadInput(format!(
                "{}: adapters name each other as their base",
                fetched.adapters[0].name
            )));
        }
        fetched.adapters.insert(0, place(&source, &fetched.model)?);
        let mut options = of_others(options);
        if let Some(given) = base.take() {
            source = given;
        } else {
            (source, options.revision) = base_source(&text, &source, &options)?;
        }
        fetched.model = fetch(&source, &options, check_config, observer)?;
    }
    if base.is_some() {
        return Err(Error::BadInput(format!(
            "--base is the model that an adapter was made for, but {} is a whole model: give adapters for it by --adapter",
            fetched.model.display()
        )));
    }
    for adapter in &wanted.adapters {
        let path = fetch(adapter, &of_others(options), check_config, observer)?;
        fetched.adapters.push(place(adapter, &path)?);
    }
    Ok(fetched)
}

/// The options for what is not the model itself.
fn of_others(options: &Options) -> Options {
    Options {
        revision: None,
        sha256: None,
        ..options.clone()
    }
}

/// The configuration of an adapter that is there instead of a model.
fn alone(path: &Path, source: &Source) -> Result<Option<String>> {
    let file = folder_of(path).join(ADAPTER_CONFIG_FILE);
    let is_other_file = path.is_file() && !is_weights(path);
    if is_other_file || !file.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&file).map_err(|error| {
        Error::BadWeights(format!("{} cannot be read: {error}", file.display()))
    })?;
    let is_alone = path.is_file() || !has_model(path) || is_of_another(&text, source.id());
    Ok(is_alone.then_some(text))
}

/// Whether an adapter on the hub belongs to another model than the one that may lie beside it there:
/// the reference then takes the adapter's base, and the files beside it may have it merged already.
pub(super) fn is_of_another(text: &str, id: Option<&str>) -> bool {
    let base = base_of(text);
    id.zip(base).is_some_and(|(id, base)| base.name != id)
}

/// Whether a folder holds a model beside its adapter.
fn has_model(folder: &Path) -> bool {
    const ENDINGS: [&str; 6] = ["safetensors", "bin", "gguf", "pt", "pth", "json"];
    let is_weights = |name: &str| {
        let ending = name.rsplit('.').next().unwrap_or_default();
        let is_table = name.ends_with(".json") && !name.ends_with(".index.json");
        ENDINGS.contains(&ending) && !is_table && !ADAPTER_WEIGHT_FILES.contains(&name)
    };
    let has_config = folder.join("config.json").exists();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name());
    has_config && names.any(|name| name.to_str().is_some_and(is_weights))
}

/// An adapter's folder, which may have been named by its weights.
fn folder_of(path: &Path) -> &Path {
    match path.is_file() {
        true => path.parent().unwrap_or(Path::new("")),
        false => path,
    }
}

fn is_weights(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| ADAPTER_WEIGHT_FILES.contains(&name))
}

fn place(source: &Source, path: &Path) -> Result<AdapterPlace> {
    let folder = std::path::absolute(folder_of(path))
        .map_err(|error| Error::BadInput(format!("{} cannot be found: {error}", path.display())))?;
    let named_otherwise = path.is_file() && !is_weights(path);
    if named_otherwise || !folder.join(ADAPTER_CONFIG_FILE).is_file() {
        return Err(Error::BadInput(format!(
            "{} is no PEFT adapter: an adapter is a folder with {ADAPTER_CONFIG_FILE} and {}",
            path.display(),
            ADAPTER_WEIGHT_FILES[0]
        )));
    }
    let last = folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = match source {
        Source::Hub { id, .. } => id.clone(),
        Source::Folder(url) | Source::File(url) => super::address::shown(url).to_string(),
        Source::Local(_) => last.unwrap_or_else(|| folder.display().to_string()),
    };
    Ok(AdapterPlace {
        name,
        folder: folder.display().to_string(),
    })
}

/// The base that an adapter names, and its revision.
fn base_source(
    text: &str,
    adapter: &Source,
    options: &Options,
) -> Result<(Source, Option<String>)> {
    let Some(base) = base_of(text) else {
        return Err(Error::BadInput(format!(
            "{adapter} is an adapter that does not say what model it was made for (base_model_name_or_path): name that by --base"
        )));
    };
    let source = Source::parse(Path::new(&base.name), &options.environment).map_err(|_| {
        Error::BadInput(format!(
            "{adapter} is an adapter for {:?}, which is neither a file or folder here nor a hub id: name its base by --base",
            base.name
        ))
    })?;
    let revision = base
        .revision
        .filter(|_| matches!(source, Source::Hub { .. }));
    Ok((source, revision))
}
