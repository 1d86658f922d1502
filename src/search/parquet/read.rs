//! Reading a file of vectors, ours or another's, a page of vectors at a time.

use super::footer::{Column, Footer, MAGIC, width_of};
use super::pages::{Data, Page};
use super::{Row, refused};
use crate::search::album::WIDEST;
use crate::{Error, Result};
use std::io::{Read, Seek, SeekFrom};

/// Longest footer, and longest column of a group, that are read.
const MOST_BYTES: u64 = 1 << 31;
/// All texts of a group together: a dictionary can make much of little.
const MOST_TEXT: usize = 1 << 28;
/// Length of the footer's length and the magic text.
const END: u64 = 8;

/// An open file.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    size: u64,
    footer: Footer,
}

impl<R: Read + Seek> Reader<R> {
    /// Reads the end of a file, which says where all else lies.
    pub fn open(mut from: R) -> Result<Self> {
        let size = from.seek(SeekFrom::End(0)).map_err(unreadable)?;
        let no_parquet = || refused("it does not end as a Parquet file does");
        let end_at = size.checked_sub(END).ok_or_else(no_parquet)?;
        let end = read_at(&mut from, size, end_at, END)?;
        let length = end.strip_suffix(MAGIC).ok_or_else(no_parquet)?;
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
        let at = end_at
            .checked_sub(u64::from(length))
            .ok_or_else(no_parquet)?;
        let bytes = read_at(&mut from, size, at, u64::from(length))?;
        let footer = Footer::parse(&bytes)?;
        Ok(Self { from, size, footer })
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.footer.rows.iter().sum()
    }

    /// The text that was noted under a key.
    pub fn note(&self, key: &str) -> Option<&str> {
        let mut notes = self.footer.notes.iter();
        notes
            .find(|(found, _)| found == key)
            .map(|(_, text)| text.as_str())
    }

    /// Hands over all rows, some at a time. A row without an id has its path, and the other way round.
    pub fn for_each(&mut self, mut work: impl FnMut(Vec<Row>) -> Result<()>) -> Result<()> {
        let mut width = width_of(&self.footer.notes);
        for group in 0..self.footer.rows.len() {
            let names = self.names(group)?;
            let column = self.footer.vectors.clone();
            let bytes = self.chunk(&column, group)?;
            let mut gathered = Gathered::new(names, width);
            let mut dictionary = Vec::new();
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (page, after) = Page::read(rest)?;
                rest = after;
                if let Some((count, values)) = page.dictionary() {
                    dictionary = numbers(values, count, column.is_double)?;
                    continue;
                }
                gathered.add(&page.data(column.levels)?, &dictionary, column.is_double)?;
                let rows = gathered.whole_rows(rest.is_empty())?;
                if !rows.is_empty() {
                    work(rows)?;
                }
            }
            width = gathered.finish()?;
        }
        Ok(())
    }

    /// Ids and paths of a group.
    fn names(&mut self, group: usize) -> Result<Vec<(String, String)>> {
        let (ids, paths) = (self.footer.ids.clone(), self.footer.paths.clone());
        let ids = ids.map(|column| self.texts(&column, group)).transpose()?;
        let paths = paths.map(|column| self.texts(&column, group)).transpose()?;
        match (ids, paths) {
            (Some(ids), Some(paths)) => Ok(ids.into_iter().zip(paths).collect()),
            (Some(names), None) | (None, Some(names)) => {
                Ok(names.iter().cloned().zip(names.clone()).collect())
            }
            (None, None) => Err(refused("it has neither a column 'id' nor 'path'")),
        }
    }

    fn chunk(&mut self, column: &Column, group: usize) -> Result<Vec<u8>> {
        let (at, bytes) = column.chunks[group];
        read_at(&mut self.from, self.size, at, bytes)
    }

    /// A group's texts, as many as it has rows.
    fn texts(&mut self, column: &Column, group: usize) -> Result<Vec<String>> {
        let bytes = self.chunk(column, group)?;
        let (mut found, mut dictionary) = (Vec::new(), Vec::new());
        let (mut rest, mut length) = (bytes.as_slice(), 0);
        while !rest.is_empty() {
            let (page, after) = Page::read(rest)?;
            rest = after;
            if let Some((count, values)) = page.dictionary() {
                dictionary = plain_texts(values, count)?;
                continue;
            }
            let data = page.data(column.levels)?;
            let texts = match &data.indices {
                Some(indices) => looked_up(&dictionary, indices)?,
                None => plain_texts(data.values, data.count)?,
            };
            length += texts.iter().map(|text| text.len()).sum::<usize>();
            if length > MOST_TEXT {
                return Err(refused("a row group has too much text: write smaller ones"));
            }
            found.extend(texts.into_iter().map(str::to_string));
        }
        match found.len() as u64 == self.footer.rows[group] {
            true => Ok(found),
            false => Err(refused("a row group has not as many names as rows")),
        }
    }
}

/// Vectors of a group on the way from pages, which may end within a row, to rows.
struct Gathered {
    names: std::vec::IntoIter<(String, String)>,
    width: Option<usize>,
    numbers: Vec<f32>,
    /// Numbers of this group so far, and where rows must begin.
    count: usize,
    /// The first rows' places, until the width is known.
    starts: Vec<usize>,
}

impl Gathered {
    fn new(names: Vec<(String, String)>, width: Option<usize>) -> Self {
        Self {
            names: names.into_iter(),
            width,
            numbers: Vec::new(),
            count: 0,
            starts: Vec::new(),
        }
    }

    fn add(&mut self, data: &Data, dictionary: &[f32], is_double: bool) -> Result<()> {
        let found = match &data.indices {
            Some(indices) => looked_up(dictionary, indices)?,
            None => numbers(data.values, data.count, is_double)?,
        };
        let starts = data.starts.iter().map(|place| place_in(self.count, *place));
        self.starts.extend(starts);
        self.count += found.len();
        self.numbers.extend(found);
        Ok(())
    }

    /// The rows whose numbers are all there; with the group's last page all of them.
    fn whole_rows(&mut self, is_last: bool) -> Result<Vec<Row>> {
        let width = match (self.width, self.starts.get(1)) {
            (Some(width), _) => width,
            (None, Some(second)) => *second,
            (None, None) if is_last => self.count,
            (None, None) => return Ok(Vec::new()),
        };
        if !(1..=WIDEST).contains(&width) {
            return Err(refused(&format!(
                "a vector has {width} numbers, expected 1 to {WIDEST}"
            )));
        }
        self.width = Some(width);
        if self.starts.iter().any(|start| !start.is_multiple_of(width)) {
            return Err(refused("its vectors are not all of one length"));
        }
        self.starts.clear();
        let whole = self.numbers.len() / width * width;
        let vectors: Vec<f32> = self.numbers.drain(..whole).collect();
        let rows = vectors.chunks_exact(width).map(|vector| {
            let (id, path) = self.names.next()?;
            let vector = vector.to_vec();
            Some(Row { id, path, vector })
        });
        let rows: Option<Vec<Row>> = rows.collect();
        rows.ok_or_else(|| refused("a row group has more vectors than names"))
    }

    /// The width, once all numbers and names have found each other.
    fn finish(self) -> Result<Option<usize>> {
        match self.numbers.is_empty() && self.names.len() == 0 {
            true => Ok(self.width),
            false => Err(refused("its vectors are not all of one length")),
        }
    }
}

fn place_in(before: usize, place: u32) -> usize {
    before + place as usize
}

fn read_at<R: Read + Seek>(from: &mut R, size: u64, at: u64, bytes: u64) -> Result<Vec<u8>> {
    let end = at.checked_add(bytes).filter(|end| *end <= size);
    if end.is_none() || bytes > MOST_BYTES {
        return Err(refused("a part of it lies beyond its end, or is too large"));
    }
    let mut found = vec![0; bytes as usize];
    from.seek(SeekFrom::Start(at)).map_err(unreadable)?;
    from.read_exact(&mut found).map_err(unreadable)?;
    Ok(found)
}

/// `count` texts, the length of each before it.
fn plain_texts(mut bytes: &[u8], count: usize) -> Result<Vec<&str>> {
    let mut next = || {
        let (length, rest) = bytes.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        bytes = rest;
        std::str::from_utf8(text).ok()
    };
    let texts: Option<Vec<&str>> = (0..count).map(|_| next()).collect();
    texts.ok_or_else(|| refused("a page of texts is torn, or no UTF-8"))
}

/// `count` floats, or doubles as floats.
fn numbers(bytes: &[u8], count: usize, is_double: bool) -> Result<Vec<f32>> {
    let found: Vec<f32> = match is_double {
        true => {
            let doubles = bytes.as_chunks().0.iter();
            doubles
                .map(|bytes| f64::from_le_bytes(*bytes) as f32)
                .collect()
        }
        false => {
            let singles = bytes.as_chunks().0.iter();
            singles.map(|bytes| f32::from_le_bytes(*bytes)).collect()
        }
    };
    match found.len() == count {
        true => Ok(found),
        false => Err(refused("a page of numbers is torn")),
    }
}

fn looked_up<T: Copy>(dictionary: &[T], indices: &[u32]) -> Result<Vec<T>> {
    let values = indices
        .iter()
        .map(|place| dictionary.get(*place as usize).copied());
    let values: Option<Vec<T>> = values.collect();
    values.ok_or_else(|| refused("a page names a value that its dictionary has not"))
}

fn unreadable(error: std::io::Error) -> Error {
    refused(&error.to_string())
}
