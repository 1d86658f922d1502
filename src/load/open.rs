//! Opening a model on a native platform: a file or a folder on this machine.

use super::adapter::AdapterPlace;
use super::driver::load;
use super::entry::Stores;
use super::files::{Folder, compiled_in};
use super::kept::NoStore;
use super::layout::is_part;
use super::options::{Event, Options};
use super::source::Source;
use super::weight_file::{Promises, named};
use crate::at_once::at_once;
use crate::device::Placement;
use crate::nn::Dtype;
use crate::tasks::Model;
use crate::{Error, Result};
use std::path::Path;

/// Loads the model at `path`; `progress` is told how many of how many bytes have been read.
pub fn open(
    path: &Path,
    placement: Placement,
    dtype: Dtype,
    mut progress: impl FnMut(u64, u64),
) -> Result<Model> {
    open_with(path, placement, dtype, |event| {
        if let Event::Tensor { loaded, total, .. } = event {
            progress(loaded, total);
        }
    })
}

/// The same; `on_event` is told everything.
pub fn open_with(
    path: &Path,
    placement: Placement,
    dtype: Dtype,
    on_event: impl FnMut(Event),
) -> Result<Model> {
    open_adapted(path, &[], placement, dtype, on_event)
}

/// The same with adapters, whose folders are absolute.
pub fn open_adapted(
    path: &Path,
    adapters: &[AdapterPlace],
    placement: Placement,
    dtype: Dtype,
    on_event: impl FnMut(Event),
) -> Result<Model> {
    let (folder, place) = locate(path)?;
    let options = Options {
        dtype,
        adapters: adapters.to_vec(),
        ..Options::default()
    };
    let no_entry: Option<Stores<NoStore>> = None;
    let name = path.display().to_string();
    let place = place.as_deref();
    at_once(load(
        &name, folder, place, no_entry, &options, placement, on_event,
    ))
}

impl Source<Folder> {
    /// Opens a file or folder on this machine.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_adapted(path, &[])
    }

    /// The same with adapters, whose folders are absolute.
    pub fn open_adapted(path: &Path, adapters: &[AdapterPlace]) -> Result<Self> {
        let (folder, place) = locate(path)?;
        let promises = Promises::new();
        at_once(Self::adapted(folder, place.as_deref(), adapters, &promises))
            .map_err(|error| named(&path.display().to_string(), error))
    }
}

/// The folder to look into, and what is meant in it: the file that `path` points at, or the folder of a
/// pipeline's part, which has its texts beside itself.
fn locate(path: &Path) -> Result<(Folder, Option<String>)> {
    let name = path.file_name().and_then(|name| name.to_str());
    if path.is_dir() && compiled_in(path).is_none() {
        return Ok(match (path.parent(), name) {
            (Some(parent), Some(name)) if is_part(name) => {
                (Folder(parent.to_path_buf()), Some(format!("{name}/")))
            }
            _ => (Folder(path.to_path_buf()), None),
        });
    }
    match (path.is_file() || compiled_in(path).is_some(), name) {
        (true, Some(name)) => {
            let folder = path.parent().unwrap_or(Path::new(""));
            Ok((Folder(folder.to_path_buf()), Some(name.to_string())))
        }
        _ => Err(Error::BadInput(format!(
            "{}: no such file or folder. A model is a .gguf file or a folder in Hugging Face layout; hub ids have to be downloaded first",
            path.display()
        ))),
    }
}
