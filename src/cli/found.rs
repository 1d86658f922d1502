//! Which pictures a command is about: files, folders with all in them, patterns, videos, and names on
//! standard input.

use super::video;
use obscura::image::collection::{FIRST_BYTES, is_left_out, is_picture, pictures_under};
use obscura::{Error, Result};
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// One of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Picture(PathBuf),
    /// Its frames are pictures.
    Video(PathBuf),
    /// A folder that could not be looked into, and why.
    Unreadable(PathBuf, String),
}

/// All of a run, in the order of the arguments, each once.
#[derive(Debug, Default)]
pub struct Found {
    pub sources: Vec<Source>,
    /// The folder that was named, if that is all.
    pub folder: Option<PathBuf>,
    /// Whether one file was named and nothing else.
    pub is_single: bool,
    seen: HashSet<PathBuf>,
}

/// What `words` mean.
///
/// # Errors
/// [`Error::BadInput`] for a pattern that no file fits, and where there is no picture at all.
pub fn find(words: &[PathBuf]) -> Result<Found> {
    let mut found = Found::default();
    for word in words {
        if word == Path::new("-") {
            names_on_standard_input()?
                .iter()
                .for_each(|path| found.add(path));
        } else if !word.exists()
            && let Some(pattern) = word.to_str().filter(|text| is_pattern(text))
        {
            found.add_fitting(pattern)?;
        } else {
            found.add(word);
        }
    }
    if let [word] = words {
        found.folder = Some(word.clone()).filter(|word| word.is_dir());
        found.is_single = matches!(&found.sources[..], [Source::Picture(path)] if path == word);
    }
    match &found.sources[..] {
        [] => Err(no_pictures("what was named")),
        [Source::Unreadable(_, message)] => Err(Error::BadInput(message.clone())),
        _ => Ok(found),
    }
}

fn no_pictures(place: &str) -> Error {
    Error::BadInput(format!("there are no pictures in {place}"))
}

impl Found {
    /// The files alone, for commands that keep them by their names.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let file = |source: &Source| match source {
            Source::Picture(path) => Ok(path.clone()),
            Source::Unreadable(_, message) => Err(Error::BadInput(message.clone())),
            Source::Video(path) => Err(Error::BadInput(format!(
                "{} is a video: only caption, classify, embed, match and answer take its frames",
                path.display()
            ))),
        };
        self.sources.iter().map(file).collect()
    }

    /// A file, whatever it holds, or all in a folder.
    fn add(&mut self, path: &Path) {
        if !path.is_dir() {
            let of = match video::is_video(path) {
                true => Source::Video,
                false => Source::Picture,
            };
            return self.push(path.to_owned(), of);
        }
        let mut pictures = pictures_under(path).peekable();
        if pictures.peek().is_none() {
            let message = no_pictures(&path.display().to_string()).to_string();
            self.push(path.to_owned(), |path| Source::Unreadable(path, message));
        }
        for picture in pictures {
            match picture {
                Ok(picture) => self.push(picture, Source::Picture),
                Err(error) => self.push(path.to_owned(), |path| {
                    Source::Unreadable(path, error.to_string())
                }),
            }
        }
    }

    fn push(&mut self, path: PathBuf, of: impl FnOnce(PathBuf) -> Source) {
        if self.seen.insert(path.clone()) {
            self.sources.push(of(path));
        }
    }

    /// What fits a pattern, for shells that leave that to programs: pictures by the rule for folders,
    /// videos, and folders.
    fn add_fitting(&mut self, pattern: &str) -> Result<()> {
        let refuse = |what: String| Error::BadInput(format!("{pattern}: {what}"));
        let options = glob::MatchOptions {
            require_literal_leading_dot: true,
            require_literal_separator: true,
            case_sensitive: true,
        };
        let paths = glob::glob_with(pattern, options)
            .map_err(|error| refuse(format!("is no pattern for names: {error}")))?;
        let before = self.sources.len();
        for path in paths {
            match path {
                Ok(path) if is_wanted(&path) => self.add(&path),
                Ok(_) => {}
                Err(error) => {
                    let (path, message) = (error.path().to_owned(), error.to_string());
                    self.push(path, |path| Source::Unreadable(path, message));
                }
            }
        }
        match self.sources.len() > before {
            true => Ok(()),
            false => Err(refuse("no picture has a name like this".to_string())),
        }
    }
}

/// Whether a name that is no file's has a wildcard.
fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn is_wanted(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if is_left_out(&name) {
        return false;
    }
    path.is_dir() || video::is_video(path) || is_picture(&name, &first_bytes(path))
}

fn first_bytes(path: &Path) -> Vec<u8> {
    let mut start = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        let _ = file.take(FIRST_BYTES as u64).read_to_end(&mut start); // then its ending decides
    }
    start
}

/// A name in each line, or, as `find -print0` writes them, with a zero behind each.
fn names_on_standard_input() -> Result<Vec<PathBuf>> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().read_to_end(&mut bytes);
    read.map_err(|error| Error::BadInput(format!("standard input cannot be read: {error}")))?;
    let end = match bytes.contains(&0) {
        true => 0,
        false => b'\n',
    };
    let names = bytes.split(|byte| *byte == end);
    let names = names.map(|name| match end {
        0 => name,
        _ => name.strip_suffix(b"\r").unwrap_or(name),
    });
    names.filter(|name| !name.is_empty()).map(path_of).collect()
}

#[cfg(unix)]
fn path_of(name: &[u8]) -> Result<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Ok(PathBuf::from(std::ffi::OsStr::from_bytes(name)))
}

#[cfg(not(unix))]
fn path_of(name: &[u8]) -> Result<PathBuf> {
    let name = String::from_utf8(name.to_vec());
    name.map(PathBuf::from)
        .map_err(|_| Error::BadInput("a name on standard input is not UTF-8".to_string()))
}
