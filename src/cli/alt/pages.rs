//! The pages of a site, and what each lacks.

use super::markdown::Dialect;
use super::reader::Found;
use super::{Lacking, Site, Told, address, html, markdown};
use obscura::image::collection::is_left_out;
use obscura::{Error, Result};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// What a project installs is not its site.
const INSTALLED: &str = "node_modules";

/// A file that lacks something, or does not.
#[derive(Debug)]
pub struct Page {
    /// From the site's folder.
    pub path: PathBuf,
    kind: Kind,
    /// How many pictures need a text, with or without one.
    pub pictures: usize,
    pub lacking: Vec<Place>,
}

/// A picture without text, in a page.
#[derive(Debug)]
pub struct Place {
    pub lacking: Lacking,
    /// From 1.
    pub line: usize,
    /// The file, from the site's folder, or why there is none.
    pub picture: Told<PathBuf>,
}

impl Place {
    /// What decisions call the picture: its file in the site, or else its address.
    pub fn key(&self) -> String {
        match &self.picture {
            Ok(path) => super::with_slashes(path),
            Err(_) => self.lacking.address.clone(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Html,
    Markdown(Dialect),
}

impl Kind {
    fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "html" | "htm" | "xhtml" => Some(Kind::Html),
            "md" | "markdown" | "mdown" => Some(Kind::Markdown(Dialect::Markdown)),
            "mdx" => Some(Kind::Markdown(Dialect::Mdx)),
            _ => None,
        }
    }

    fn find(self, path: &Path, bytes: &[u8]) -> Result<Found> {
        let found = match self {
            Kind::Html => html::find(bytes),
            Kind::Markdown(dialect) => markdown::find(bytes, dialect),
        };
        found.map_err(|words| cannot_be_read(path, words))
    }
}

/// All pages, by name, and why some could not be read.
pub fn all(site: &Site) -> Result<(Vec<Page>, Vec<Error>)> {
    let mut paths = Vec::new();
    collect(&site.root, &mut paths)?;
    paths.sort_unstable();
    let (mut pages, mut failures) = (Vec::new(), Vec::new());
    for path in &paths {
        match Page::open(site, path) {
            Ok(page) => pages.push(page),
            Err(error) => failures.push(error),
        }
    }
    Ok((pages, failures))
}

/// Links are not followed: what they lead to may be elsewhere, or in the site once more.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |error| cannot_be_read(folder, error);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (kind, name) = (entry.file_type().map_err(failed)?, entry.file_name());
        let name = name.to_string_lossy();
        if is_left_out(&name) || name == INSTALLED {
            continue;
        }
        if kind.is_dir() {
            collect(&entry.path(), found)?;
        } else if kind.is_file() && Kind::of(&entry.path()).is_some() {
            found.push(entry.path());
        }
    }
    Ok(())
}

pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| cannot_be_read(path, error))
}

fn cannot_be_read(path: &Path, error: impl Display) -> Error {
    Error::BadInput(format!("{} cannot be read: {error}", path.display()))
}

impl Page {
    fn open(site: &Site, path: &Path) -> Result<Self> {
        let kind = Kind::of(path).expect("only pages are collected");
        let bytes = read(path)?;
        let inside = path.strip_prefix(&site.root).unwrap_or(path).to_owned();
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(Error::BadInput(format!(
                "{} is UTF-16: save it as UTF-8",
                path.display()
            )));
        }
        let found = kind.find(path, &bytes)?;
        let mut lines = Lines::new(&bytes);
        let place = |lacking: Lacking| Place {
            line: lines.of(lacking.insert),
            picture: address::resolve(site, &inside, found.base.as_deref(), &lacking.address),
            lacking,
        };
        let lacking = found.lacking.into_iter().map(place).collect();
        Ok(Self {
            path: inside,
            kind,
            pictures: found.pictures,
            lacking,
        })
    }

    /// Before anything is written: with `count` texts, the page has so many pictures less without text, and is the same
    /// otherwise.
    pub fn check(&self, before: &[u8], after: &[u8], count: usize) -> Result<()> {
        let find = |bytes| self.kind.find(&self.path, bytes);
        let (found, then) = (find(before)?, find(after)?);
        let places = self.lacking.iter().map(|place| &place.lacking);
        let is_as_read = found.lacking.iter().eq(places);
        let fits =
            found.lacking.len() == then.lacking.len() + count && found.pictures == then.pictures;
        match (is_as_read, fits) {
            (true, true) => Ok(()),
            (false, _) => Err(Error::BadInput(format!(
                "{} has changed meanwhile: start again",
                self.path.display()
            ))),
            (true, false) => Err(Error::BadInput(format!(
                "{} would not be read as before with the new texts, and was left as it is: write them by hand",
                self.path.display()
            ))),
        }
    }
}

/// Numbers of lines, asked for from the beginning to the end.
struct Lines<'a> {
    bytes: &'a [u8],
    offset: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            offset: 0,
            line: 1,
        }
    }

    fn of(&mut self, offset: usize) -> usize {
        let passed = &self.bytes[self.offset..offset];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.offset = offset;
        self.line
    }
}
