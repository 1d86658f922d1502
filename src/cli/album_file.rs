//! An album's file, as all its commands open and read it.

use obscura::search::{Album, FileStore, Identity};
use obscura::{Error, Result};
use std::path::Path;

/// Vectors that are imported or exported together.
pub const ROWS: usize = 4096;

/// Opens an album; without a model it has to exist.
pub fn open(path: &Path, model: Option<Identity>) -> Result<Album<FileStore>> {
    let create = model.is_some();
    let named = |error: Error| match error {
        Error::BadInput(text) => Error::BadInput(format!("{}: {text}", path.display())),
        Error::Integrity(text) => Error::Integrity(format!("{}: {text}", path.display())),
        other => other,
    };
    Album::open(FileStore::open(path, create)?, model).map_err(named)
}
