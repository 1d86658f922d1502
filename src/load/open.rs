//! Opening a model on a native platform: a file or a folder on this machine.

use super::driver::{Event, NoStore, Options, load};
use super::entry::Stores;
use super::files::{Folder, at_once};
use super::source::{Promises, Source, named};
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
    let (folder, file) = locate(path)?;
    let options = Options {
        dtype,
        ..Options::default()
    };
    let no_entry: Option<Stores<NoStore>> = None;
    let on_event = |event: Event| {
        if let Event::Tensor { loaded, total, .. } = event {
            progress(loaded, total);
        }
    };
    let name = path.display().to_string();
    let file = file.as_deref();
    at_once(load(
        &name, folder, file, no_entry, &options, placement, on_event,
    ))
}

impl Source<Folder> {
    /// Opens a file or folder on this machine.
    pub fn open(path: &Path) -> Result<Self> {
        let (folder, file) = locate(path)?;
        at_once(Self::of(folder, file.as_deref(), &Promises::new()))
            .map_err(|error| named(&path.display().to_string(), error))
    }
}

/// The folder to look into, and the file that `path` points at if it is one.
fn locate(path: &Path) -> Result<(Folder, Option<String>)> {
    if path.is_dir() {
        return Ok((Folder(path.to_path_buf()), None));
    }
    let name = path.file_name().and_then(|name| name.to_str());
    match (path.is_file(), name) {
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
