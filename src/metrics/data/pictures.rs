//! Pictures in folders: which files are some, and all of them in an order that is the same every time.

use super::cannot_be_read;
use crate::Result;
use std::path::{Path, PathBuf};

const ENDINGS: [&str; 6] = ["png", "jpg", "jpeg", "webp", "gif", "bmp"];

/// Whether a file is a picture, by its ending.
pub fn is_picture(file: &Path) -> bool {
    let ending = file.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
}

/// The pictures under a folder, by name, each folder's own before those of the folders in it. Hidden
/// files and folders are left out. No more is held than the names of the folders on the way.
pub fn pictures_under(folder: &Path) -> impl Iterator<Item = Result<PathBuf>> + use<> {
    let mut waiting = vec![Entry::Folder(folder.to_owned())];
    std::iter::from_fn(move || {
        loop {
            match waiting.pop()? {
                Entry::Picture(path) => return Some(Ok(path)),
                Entry::Folder(path) => match entries(&path) {
                    Ok(found) => waiting.extend(found.into_iter().rev()),
                    Err(error) => return Some(Err(error)),
                },
            }
        }
    })
}

/// In the order in which they are visited.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    Picture(PathBuf),
    Folder(PathBuf),
}

fn entries(folder: &Path) -> Result<Vec<Entry>> {
    let failed = |error| cannot_be_read(folder, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let is_link = entry.file_type().map_err(failed)?.is_symlink();
        if is_picture(&path) && !path.is_dir() {
            found.push(Entry::Picture(path));
        } else if path.is_dir() && !is_link {
            found.push(Entry::Folder(path)); // a link may lead in a circle
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The folders in a folder, by name, hidden ones left out.
pub(super) fn folders_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| cannot_be_read(folder, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if entry.path().is_dir() && !hidden {
            found.push(entry.path());
        }
    }
    found.sort_unstable();
    Ok(found)
}
