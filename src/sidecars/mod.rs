//! Texts beside pictures: `photo.txt`, as tools for training write and read them, and XMP files, in which
//! programs for photographs keep what they know of a picture (ISO 16684-1).

pub mod xmp;

use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// How a file beside a picture is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `photo.txt` beside `photo.jpg`.
    Stem,
    /// `photo.jpg.txt`.
    Full,
}

/// The file with this ending beside a picture.
pub fn beside(picture: &Path, ending: &str, naming: Naming) -> PathBuf {
    match naming {
        Naming::Stem => picture.with_extension(ending),
        Naming::Full => {
            let mut name = picture.as_os_str().to_os_string();
            name.push(".");
            name.push(ending);
            PathBuf::from(name)
        }
    }
}

/// What the files beside a picture say of it: each line of its text, then its description and alternative
/// text in XMP. None of them blank, and none twice.
///
/// # Errors
/// [`Error::BadInput`] with the file's name, where one is there and cannot be read.
pub fn texts_beside(picture: &Path) -> Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |text: &str| {
        let text = text.trim();
        if !text.is_empty() && !found.iter().any(|known| known == text) {
            found.push(text.to_string());
        }
    };
    if let Some((_, text)) = first_of(picture, "txt", [Naming::Stem, Naming::Full])? {
        text.lines().for_each(&mut add);
    }
    if let Some((file, text)) = first_of(picture, "xmp", [Naming::Full, Naming::Stem])? {
        let texts = xmp::texts(&text).map_err(|error| named(&file, error))?;
        texts.iter().for_each(|text| add(text));
    }
    Ok(found)
}

/// Whether a file beside a picture may say something of it.
pub fn has_texts_beside(picture: &Path) -> bool {
    let names = [Naming::Stem, Naming::Full];
    let mut files = names
        .into_iter()
        .flat_map(|naming| ["txt", "xmp"].map(|ending| beside(picture, ending, naming)));
    files.any(|file| file.is_file())
}

/// The first of the possible files that is there, and its text.
fn first_of(picture: &Path, ending: &str, names: [Naming; 2]) -> Result<Option<(PathBuf, String)>> {
    let mut files = names
        .into_iter()
        .map(|naming| beside(picture, ending, naming));
    let Some(file) = files.find(|file| file.is_file()) else {
        return Ok(None);
    };
    let bytes = std::fs::read(&file)
        .map_err(|error| named(&file, Error::BadInput(format!("cannot be read: {error}"))))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| named(&file, Error::BadInput("is not UTF-8 text".to_string())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_string();
    Ok(Some((file, text)))
}

fn named(file: &Path, error: Error) -> Error {
    Error::BadInput(format!("{}: {error}", file.display()))
}
