//! A folder for each class, as ImageNet and most sets for classification come.

use crate::image::collection::{folders_in, pictures_under};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Pictures whose class is the folder that they lie in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Classes {
    /// The folders' names, sorted.
    pub names: Vec<String>,
    /// Each picture with the place of its class in `names`.
    pub pictures: Vec<(PathBuf, usize)>,
}

/// Reads a folder of folders of pictures.
///
/// # Errors
/// [`Error::BadInput`] if there are no folders in it, or no pictures in those.
pub fn read_classes(folder: &Path) -> Result<Classes> {
    let mut classes = Classes::default();
    for path in folders_in(folder)? {
        let name = path.file_name().map(|name| name.to_string_lossy());
        for picture in pictures_under(&path) {
            classes.pictures.push((picture?, classes.names.len()));
        }
        classes.names.extend(name.map(|name| name.into_owned()));
    }
    if classes.pictures.is_empty() {
        return Err(Error::BadInput(format!(
            "{}: no data found, expected a folder with captions.jsonl, captions.csv, metadata.jsonl, metadata.csv or questions.jsonl, with a .txt or .xmp file beside each picture, or with a folder of pictures for each class",
            folder.display()
        )));
    }
    Ok(classes)
}
