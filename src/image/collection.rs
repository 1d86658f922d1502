//! What counts as a picture in a folder, in one place for every command. The page has the same rule in
//! `www`, and both are held to tests/golden/picture-files.json.
//!
//! Left out are hidden files and folders, and what systems put beside people's own files: bins,
//! thumbnails, resource forks. Of the rest the first bytes decide, where they say what a file is, and
//! else its ending.

use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Endings of pictures, in small letters.
pub const ENDINGS: [&str; 31] = [
    "apng", "avif", "bmp", "dib", "gif", "heic", "heif", "hif", "ico", "j2k", "jfif", "jif", "jp2",
    "jpe", "jpeg", "jpg", "jpx", "jxl", "mpo", "pbm", "pgm", "pjp", "pjpeg", "png", "pnm", "ppm",
    "qoi", "tga", "tif", "tiff", "webp",
];

/// Names, in small letters, of what systems put into folders.
pub const SYSTEM_NAMES: [&str; 10] = [
    "$recycle.bin",
    "recycler",
    "recycled",
    "system volume information",
    "#recycle",
    "@recycle",
    "@eadir",
    "__macosx",
    "lost+found",
    "thumbs.db",
];

/// So many first bytes say what a file is.
pub const FIRST_BYTES: usize = 64;

/// Whether a file or folder of this name is passed over, with all that is in it.
pub fn is_left_out(name: &str) -> bool {
    name.starts_with('.') || SYSTEM_NAMES.contains(&name.to_lowercase().as_str())
}

/// Whether a file is a picture, by its name and its first [`FIRST_BYTES`].
pub fn is_picture(name: &str, start: &[u8]) -> bool {
    content(start).unwrap_or_else(|| {
        let ending = name
            .rsplit_once('.')
            .map(|(_, ending)| ending.to_lowercase());
        ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
    })
}

/// Whether the bytes are a picture's; None where they do not say.
fn content(start: &[u8]) -> Option<bool> {
    const PICTURES: [&[u8]; 10] = [
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF87a",
        b"GIF89a",
        b"qoif",
        b"\xff\x0a\xfa",
        b"\xff\x0a\x18",
        b"\0\0\0\x0cJXL ",
        b"\0\0\0\x0cjP  ",
        b"\xff\x4f\xff\x51",
    ];
    const OTHERS: [&[u8]; 8] = [
        b"%PDF",
        b"PK\x03\x04",
        b"\x1f\x8b",
        b"\x1a\x45\xdf\xa3",
        b"OggS",
        b"<html",
        b"<!DOCTYPE",
        b"<!doctype",
    ];
    let begins = |with: &[&[u8]]| with.iter().any(|first| start.starts_with(first));
    if begins(&PICTURES) {
        return Some(true);
    }
    if begins(&OTHERS) {
        return Some(false);
    }
    match (start.get(..4)?, start.get(4..8)?, start.get(8..12)?) {
        (b"RIFF", _, kind) => Some(kind == b"WEBP"),
        (_, b"ftyp", _) => Some(is_still(start)),
        ([b'B', b'M', ..], _, _) => matches!(
            start.get(14..18)?,
            [12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0]
        )
        .then_some(true),
        _ => None,
    }
}

/// Whether an ISO media file names a format of still pictures among its brands.
fn is_still(start: &[u8]) -> bool {
    const STILL: [&[u8]; 8] = [
        b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1",
    ];
    let length = start
        .first_chunk()
        .map_or(0, |bytes| u32::from_be_bytes(*bytes) as usize);
    let brands = &start[8..length.clamp(12, start.len())];
    brands.chunks_exact(4).any(|brand| STILL.contains(&brand))
}

/// The pictures under a folder, by name, each folder's own before those of the folders in it. No more
/// is held than the names of the folders on the way.
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

/// The folders in a folder, by name, links to folders included, without those that are left out.
pub fn folders_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| cannot_be_read(folder, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().is_dir() && !is_left_out(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn cannot_be_read(folder: &Path, error: std::io::Error) -> Error {
    Error::BadInput(format!("{} cannot be read: {error}", folder.display()))
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
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if is_left_out(&name) {
            continue;
        }
        let is_link = entry.file_type().map_err(failed)?.is_symlink();
        if path.is_dir() {
            if !is_link {
                found.push(Entry::Folder(path)); // a link may lead in a circle
            }
        } else if is_picture(&name, &first_bytes(&path)) {
            found.push(Entry::Picture(path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// None of a file that cannot be read: its ending decides, and reading it then says why.
fn first_bytes(path: &Path) -> Vec<u8> {
    use std::io::Read;
    let mut start = Vec::new();
    if path.is_file()
        && let Ok(file) = std::fs::File::open(path)
    {
        let _ = file.take(FIRST_BYTES as u64).read_to_end(&mut start);
    }
    start
}
