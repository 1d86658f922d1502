//! Vectors as a Parquet file, which databases read: a row for each picture, with the columns `id`, `path`,
//! `vector` (a list of floats, all of one length), `model` and `dtype`. How collections leave for a database, and
//! how albums come and go.
//!
//! ```text
//! "PAR1"  row group: a page for each column  row group ...  footer  its length  "PAR1"
//! ```
//!
//! What is written is not compressed: vectors hardly shrink. What is read may come from others, too, as long as it
//! is not compressed: pages of version 1, PLAIN or with dictionaries.
//!
//! Our own few hundred lines and not the `parquet` crate, which would have all of Burn compiled again (it turns on
//! features of `num-integer`) and whose writer cannot be stopped and go on.
//! <https://parquet.apache.org/docs/file-format/>

mod footer;
mod pages;
mod read;
mod thrift;

pub use footer::{Chunk, Group};
pub use read::Reader;

use crate::{Error, Result};
use pages::{data_page, runs};
use std::io::Write;

/// The note that says how many numbers each vector has.
pub const WIDTH: &str = "obscura.width";
/// The note with the model's [`super::Identity`], as JSON.
pub const IDENTITY: &str = "obscura.identity";

/// A picture's vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What tells it from others.
    pub id: String,
    /// Where the picture lies.
    pub path: String,
    /// As wide as all others.
    pub vector: Vec<f32>,
}

/// Which vectors they are: the same in each row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The model's name.
    pub model: String,
    /// The format of its weights.
    pub dtype: String,
}

/// Writes a file, a group of rows at a time. Between two groups it can be stopped, and go on later.
pub struct Writer<W> {
    to: W,
    at: u64,
    origin: Origin,
    groups: Vec<Group>,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    pub fn new(mut to: W, origin: Origin) -> Result<Self> {
        to.write_all(footer::MAGIC).map_err(unwritable)?;
        Ok(Self::go_on(to, origin, Vec::new()))
    }

    /// Goes on with a file that has these groups already; what is written next follows them.
    pub fn go_on(to: W, origin: Origin, groups: Vec<Group>) -> Self {
        Self {
            to,
            at: end_of(&groups),
            origin,
            groups,
        }
    }

    /// Writes rows as a group, and says where it lies. Their vectors are of one width.
    pub fn write(&mut self, rows: &[Row]) -> Result<&Group> {
        let width = rows.first().map_or(0, |row| row.vector.len());
        if let Some(row) = rows.iter().find(|row| row.vector.len() != width) {
            return Err(Error::BadInput(format!(
                "the vector of '{}' has {} numbers, those before it {width}",
                row.id,
                row.vector.len()
            )));
        }
        let pages = [
            texts(rows.iter().map(|row| row.id.as_str())),
            texts(rows.iter().map(|row| row.path.as_str())),
            vectors(rows, width),
            texts(rows.iter().map(|_| self.origin.model.as_str())),
            texts(rows.iter().map(|_| self.origin.dtype.as_str())),
        ];
        let mut chunks = Vec::new();
        for (values, page) in pages {
            self.to.write_all(&page).map_err(unwritable)?;
            chunks.push(Chunk {
                at: self.at,
                bytes: page.len() as u64,
                values: values as u64,
            });
            self.at += page.len() as u64;
        }
        let rows = rows.len() as u64;
        self.groups.push(Group { rows, chunks });
        self.to.flush().map_err(unwritable)?;
        Ok(&self.groups[self.groups.len() - 1])
    }

    /// Rows that are written.
    pub fn rows(&self) -> u64 {
        self.groups.iter().map(|group| group.rows).sum()
    }

    /// Where the file is written to.
    pub fn inner(&self) -> &W {
        &self.to
    }

    /// Writes the end, with notes by key.
    pub fn finish(mut self, notes: &[(&str, &str)]) -> Result<W> {
        let end = footer::encode(&self.groups, notes);
        self.to.write_all(&end).map_err(unwritable)?;
        self.to.flush().map_err(unwritable)?;
        Ok(self.to)
    }
}

/// Where the last group ends.
pub fn end_of(groups: &[Group]) -> u64 {
    let last = groups.last().and_then(|group| group.chunks.last());
    last.map_or(footer::MAGIC.len() as u64, |chunk| chunk.at + chunk.bytes)
}

/// A page of texts: the length of each before it.
fn texts<'t>(texts: impl Iterator<Item = &'t str>) -> (usize, Vec<u8>) {
    let (mut count, mut plain) = (0, Vec::new());
    for text in texts {
        count += 1;
        plain.extend((text.len() as u32).to_le_bytes());
        plain.extend(text.as_bytes());
    }
    (count, data_page(count, &[], &[], &plain))
}

/// A page of lists: each vector's first number begins a row.
fn vectors(rows: &[Row], width: usize) -> (usize, Vec<u8>) {
    let count = rows.len() * width;
    let repetition = runs(rows.iter().flat_map(|_| [(1, 0), (width - 1, 1)]));
    let definition = runs([(count, 1)]);
    let numbers = rows.iter().flat_map(|row| &row.vector);
    let plain: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
    (count, data_page(count, &repetition, &definition, &plain))
}

fn unwritable(error: std::io::Error) -> Error {
    Error::BadInput(format!("the Parquet file cannot be written: {error}"))
}

fn refused(why: &str) -> Error {
    Error::BadInput(format!("the Parquet file cannot be read: {why}"))
}
