//! Pictures with the texts that are known of them, one after another: collections that are larger
//! than memory, in which a line or a picture may be unusable without harm to the others.
//!
//! | Source | Items |
//! |---|---|
//! | `*.jsonl`, or any reader | one object a line, `{"image": "a.png"}`, with `"caption"` or `"captions"`, and `"id"`, if there are any; or Hugging Face's `{"file_name": "a.png", "text": "a dog"}` |
//! | `*.csv` | the columns `image` and `caption`, or `file_name` and `text`; rows of a picture that follow one another are one item |
//! | a folder | the first of `captions.jsonl`, `captions.csv`, `metadata.jsonl` and `metadata.csv` that it has, or else the pictures in it and in its folders, with the texts in the files beside them (`.txt`, `.xmp`) |

use super::lines::{LineReader, Object};
use super::{CAPTION_FILES, Entry, cannot_be_read, table};
use crate::image::collection::pictures_under;
use crate::sidecars::texts_beside;
use crate::{Error, Result};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// A picture, which may not exist, and the texts that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What a line calls it by `"id"`, a text or a number.
    pub id: Option<String>,
    /// As the source names it.
    pub name: String,
    /// Where it is.
    pub image: PathBuf,
    /// None of them blank; there may be none.
    pub captions: Vec<String>,
}

/// Items in the order of the source. An error is one item's: the next may be usable.
pub type Items = Box<dyn Iterator<Item = Result<Item>>>;

/// Opens a file or a folder. `images` is where its pictures are, if not where the file is.
///
/// # Errors
/// [`Error::BadInput`] if there is no such file or folder, or a table lacks a column.
pub fn stream(source: &Path, images: Option<&Path>) -> Result<Items> {
    if source.is_dir() {
        let existing = |name: &str| Some(source.join(name)).filter(|path| path.is_file());
        return match CAPTION_FILES.into_iter().find_map(existing) {
            Some(file) => stream(&file, images),
            None => Ok(stream_folder(source)),
        };
    }
    let folder = images.or(source.parent()).unwrap_or(Path::new(""));
    let ending = source.extension().and_then(|ending| ending.to_str());
    match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => Ok(grouped(table::rows(source)?, folder)),
        Some("jsonl") => {
            let file = File::open(source).map_err(|error| cannot_be_read(source, error))?;
            Ok(stream_lines(source, BufReader::new(file), folder))
        }
        _ if source.exists() => Err(Error::BadInput(format!(
            "{}: unknown kind of file, expected a folder, .jsonl or .csv",
            source.display()
        ))),
        _ => Err(cannot_be_read(source, "there is no such file or folder")),
    }
}

/// The lines of any reader, which errors call `name`.
pub fn stream_lines(name: &Path, reader: impl BufRead + 'static, images: &Path) -> Items {
    let images = images.to_owned();
    let lines = LineReader::new(name, reader);
    Box::new(lines.map(move |line| {
        let (place, bytes) = line?;
        let object = Object::parse(place, &bytes)?;
        let (name, one) = object.image()?;
        Ok(Item {
            id: object.id(),
            image: images.join(&name),
            captions: object.any(one, "captions")?,
            name,
        })
    }))
}

fn stream_folder(folder: &Path) -> Items {
    let base = folder.to_owned();
    Box::new(pictures_under(folder).map(move |path| {
        let image = path?;
        let name = image.strip_prefix(&base).unwrap_or(&image);
        Ok(Item {
            id: None,
            name: name.to_string_lossy().into_owned(),
            captions: texts_beside(&image)?,
            image,
        })
    }))
}

/// Rows of the same picture that follow one another as one item.
fn grouped(rows: impl Iterator<Item = Result<Entry>> + 'static, images: &Path) -> Items {
    let images = images.to_owned();
    let mut rows = rows.peekable();
    Box::new(std::iter::from_fn(move || {
        let first = match rows.next()? {
            Ok(row) => row,
            Err(error) => return Some(Err(error)),
        };
        let mut captions = vec![first.caption];
        while let Some(Ok(row)) =
            rows.next_if(|row| row.as_ref().is_ok_and(|row| row.image == first.image))
        {
            captions.push(row.caption);
        }
        captions.retain(|caption| !caption.trim().is_empty());
        Some(Ok(Item {
            id: None,
            image: images.join(&first.image),
            name: first.image,
            captions,
        }))
    }))
}
