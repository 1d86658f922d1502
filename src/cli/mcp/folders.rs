//! The folders whose pictures agents may have read. A path is followed to its end first, so that neither `..` nor a link
//! leads out of them.

use obscura::image::MAX_DECODED_BYTES;
use obscura::{Error, Result};
use percent_encoding::percent_decode_str;
use std::path::{Component, Path, PathBuf};

#[derive(Debug)]
pub struct Folders(Vec<Folder>);

#[derive(Debug)]
struct Folder {
    /// As it was named, from the root.
    named: PathBuf,
    /// Its one true path, which may be another one by way of links.
    real: PathBuf,
}

impl Folders {
    /// # Errors
    /// [`Error::BadInput`] for what is no folder.
    pub fn open(paths: &[PathBuf]) -> Result<Self> {
        let open = |path: &PathBuf| {
            let failed = |error| {
                Error::BadInput(format!(
                    "--folder {} cannot be opened: {error}",
                    path.display()
                ))
            };
            let real = path.canonicalize().map_err(failed)?;
            let named = std::path::absolute(path).map_err(failed)?;
            match real.is_dir() {
                true => Ok(Folder {
                    named: without_dots(&named),
                    real,
                }),
                false => Err(Error::BadInput(format!(
                    "--folder {} is no folder",
                    path.display()
                ))),
            }
        };
        Ok(Self(paths.iter().map(open).collect::<Result<_>>()?))
    }

    /// The file that an agent names, by its whole path, a `file:` address, or a path from one of the folders.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a path outside, which says nothing of what is there; [`Error::BadImage`] inside.
    pub fn find(&self, given: &str) -> Result<PathBuf> {
        if self.0.is_empty() {
            return Err(Error::BadInput(
                "this server may read no folder: send the picture as data, or start it with --folder DIR".to_string(),
            ));
        }
        let path = match given.strip_prefix("file://") {
            Some(path) => percent_decode_str(path.strip_prefix("localhost").unwrap_or(path))
                .decode_utf8_lossy(),
            None => given.into(),
        };
        let path = Path::new(path.as_ref());
        let places = self
            .0
            .iter()
            .map(|folder| without_dots(&folder.real.join(path))); // a whole path stays as it is
        let is_named = |path: &PathBuf| self.0.iter().any(|folder| path.starts_with(&folder.named));
        let mut inside = places
            .filter(|path| self.holds(path) || is_named(path))
            .peekable();
        if inside.peek().is_none() {
            return Err(self.outside(given));
        }
        let Some(found) = inside.find_map(|path| path.canonicalize().ok()) else {
            return Err(Error::BadImage(format!("{given} does not exist")));
        };
        if !self.holds(&found) {
            return Err(self.outside(given));
        }
        check_file(&found, given)?;
        Ok(found)
    }

    fn holds(&self, path: &Path) -> bool {
        self.0.iter().any(|folder| path.starts_with(&folder.real))
    }

    fn outside(&self, given: &str) -> Error {
        let folders = self
            .0
            .iter()
            .map(|folder| folder.named.display().to_string());
        let folders: Vec<String> = folders.collect();
        Error::BadInput(format!(
            "{given} is outside of the folders that may be read: {}",
            folders.join(", ")
        ))
    }
}

/// Devices and pipes have no end; what is longer than any picture decoded is none.
fn check_file(path: &Path, given: &str) -> Result<()> {
    let failed = |error| Error::BadImage(format!("{given} cannot be read: {error}"));
    let metadata = path.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::BadImage(format!("{given} is no file")));
    }
    match metadata.len() {
        0..=MAX_DECODED_BYTES => Ok(()),
        bytes => Err(Error::BadImage(format!(
            "{given} has {bytes} bytes, at most {MAX_DECODED_BYTES} are read"
        ))),
    }
}

/// `.` and `..` taken out by the names alone, so that what is asked about a path outside asks no disk.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
