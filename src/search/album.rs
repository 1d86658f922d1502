//! An album: vectors with keys, in a file that outlives crashes, and the search among them.

mod compaction;
mod nearest;

use super::identity::Identity;
use super::index::Index;
use super::log::{Body, Head, Kind, Log};
use super::store::Store;
use super::vectors;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The widest vectors that an album takes.
pub const WIDEST: usize = 4096;
/// Vectors that are written, and lost by a crash in the middle of it, together.
const BATCH: usize = 4096;
/// Vectors that are read together.
const READ: usize = 512;
/// So few vectors are all compared exactly.
const FEW: usize = 2048;
/// At so many vectors, codes get a new centre: the mean of what is there by then.
const CENTRES: [usize; 3] = [1 << 10, 1 << 14, 1 << 18];
/// Vectors that a mean is taken of.
const SAMPLE: usize = 4096;

/// The first record's text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Start {
    format: u32,
    width: usize,
    model: Option<Identity>,
}

const FORMAT: u32 = 1;

/// Something found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// The key it was added under.
    pub key: String,
    /// The cosine of its vector and the query.
    pub similarity: f32,
}

/// Vectors with keys, over a file.
#[derive(Debug)]
pub struct Album<S> {
    log: Log<S>,
    /// The model that vectors come from, or that searches among them, if one is known.
    model: Option<Identity>,
    /// The model that vectors come from, where the other only searches.
    maker: Option<Identity>,
    /// None while nothing was ever added.
    index: Option<Index>,
}

impl<S: Store> Album<S> {
    /// Opens the album in a file, which may be empty. `model`, if there is one, has to be the one that
    /// the album's vectors come from, or a text encoder alone whose texts lie among them, which then
    /// only searches.
    pub fn open(store: S, model: Option<Identity>) -> Result<Self> {
        let (log, heads) = Log::open(store)?;
        let mut album = Self {
            log,
            model,
            maker: None,
            index: None,
        };
        let left = |from: usize| heads[from..].iter().map(|head| head.count as usize).sum();
        for (place, head) in heads.iter().enumerate() {
            album.replay(head)?;
            if place == 0
                && let Some(index) = &mut album.index
            {
                index.reserve(left(0));
            }
        }
        Ok(album)
    }

    fn replay(&mut self, head: &Head) -> Result<()> {
        let (keys, codes) = self.log.body(head)?;
        let unreadable = |error: serde_json::Error| {
            Error::Integrity(format!("the album's file cannot be understood: {error}"))
        };
        if head.kind == Kind::Start {
            let start = serde_json::from_slice(&keys).map_err(unreadable)?;
            return self.begin(start);
        }
        let index = self.index.as_mut().ok_or_else(|| {
            Error::Integrity("the album's file does not begin with its format".to_string())
        })?;
        let names = |keys: &[u8]| serde_json::from_slice::<Vec<String>>(keys).map_err(unreadable);
        match head.kind {
            Kind::Add => index.insert(names(&keys)?, &codes, head.vectors_at())?,
            Kind::Delete => {
                for key in names(&keys)? {
                    index.remove(&key);
                }
            }
            _ => {
                let bytes = self.log.vectors(head)?;
                let centre = bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|bytes| f32::from_le_bytes(*bytes));
                index.set_centre(centre.collect())?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, start: Start) -> Result<()> {
        if start.format != FORMAT {
            return Err(Error::BadInput(format!(
                "the album is of format {}, expected {FORMAT}: it was written by another version",
                start.format
            )));
        }
        check_width(start.width)?;
        self.index = Some(Index::new(start.width));
        match (&start.model, &self.model) {
            (Some(kept), Some(given)) if given.is_text_encoder() && !kept.is_text_encoder() => {
                kept.check_texts(given)?;
                self.maker = start.model;
            }
            (Some(kept), Some(given)) => kept.check(given)?,
            (None, Some(_)) => {
                return Err(Error::BadInput(
                    "the album was made of vectors of unknown origin: open it without a model"
                        .to_string(),
                ));
            }
            _ => self.model = start.model,
        }
        Ok(())
    }

    /// Deletes everything; what is added next may come from another model.
    pub fn clear(&mut self) -> Result<()> {
        self.log.clear()?;
        self.index = None;
        self.maker = None;
        Ok(())
    }

    /// The model that vectors come from, if one is known.
    fn origin(&self) -> Option<Identity> {
        self.maker.clone().or_else(|| self.model.clone())
    }

    /// The model that the vectors come from, if it is known.
    pub fn identity(&self) -> Option<&Identity> {
        self.model.as_ref()
    }

    /// How many vectors there are.
    pub fn len(&self) -> usize {
        self.index.as_ref().map_or(0, Index::len)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Numbers of a vector, once that is known.
    pub fn width(&self) -> Option<usize> {
        let known = self.index.as_ref().map(Index::width);
        known.or_else(|| Some(self.model.as_ref()?.probe.len()))
    }

    /// Bytes of memory that a search reads, and bytes of the file.
    pub fn bytes(&self) -> (usize, u64) {
        let codes = self.index.as_ref().map_or(0, Index::code_bytes);
        (codes, self.log.length().0)
    }

    /// Keys in the order of adding.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let index = self.index.iter();
        index.flat_map(|index| index.live().map(|(_, key)| &**key))
    }

    /// Whether there is a vector of that key.
    pub fn contains(&self, key: &str) -> bool {
        self.index.as_ref().is_some_and(|index| index.contains(key))
    }

    /// Adds vectors, `[keys, width]`, scaled to length one; returns when they are safe. A key that is
    /// there already gets the new vector. A batch of 4,096 is added whole or not at all.
    pub fn add(&mut self, keys: &[String], vectors: &[f32]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let width = vectors.len() / keys.len();
        self.check_new(keys, vectors, width)?;
        let mut unit = Vec::with_capacity(vectors.len());
        for vector in vectors.chunks_exact(width) {
            unit.extend(vectors::unit(vector)?);
        }
        if self.index.is_none() {
            let start = Start {
                format: FORMAT,
                width,
                model: self.origin(),
            };
            let keys = json(&start)?;
            let body = Body {
                keys,
                ..Body::default()
            };
            self.log.append(Kind::Start, 0, &body)?;
            self.index = Some(Index::new(width));
        }
        for (keys, vectors) in keys.chunks(BATCH).zip(unit.chunks(BATCH * width)) {
            self.add_batch(keys, vectors)?;
        }
        Ok(())
    }

    fn check_new(&self, keys: &[String], vectors: &[f32], width: usize) -> Result<()> {
        if width * keys.len() != vectors.len() {
            return Err(Error::BadInput(format!(
                "there are {} numbers for {} keys, which are not whole vectors",
                vectors.len(),
                keys.len()
            )));
        }
        check_width(width)?;
        if let Some(maker) = &self.maker {
            return Err(Error::BadInput(format!(
                "the album's vectors come from {}, and this text encoder only searches among them: open the album with its own model to add to it",
                maker.describe()
            )));
        }
        if let Some(expected) = self.width().filter(|expected| *expected != width) {
            return Err(Error::BadInput(format!(
                "a vector has {width} numbers, the album's have {expected}"
            )));
        }
        let mut seen = HashSet::new();
        match keys.iter().find(|key| !seen.insert(key.as_str())) {
            Some(key) => Err(Error::BadInput(format!("the key '{key}' is there twice"))),
            None => Ok(()),
        }
    }

    fn add_batch(&mut self, keys: &[String], vectors: &[f32]) -> Result<()> {
        self.update_centre(vectors)?;
        let Some(index) = &mut self.index else {
            return Ok(()); // `add` has made it
        };
        let mut body = Body {
            keys: json(&keys)?,
            codes: index.encode(vectors),
            vectors: Vec::with_capacity(2 * vectors.len()),
        };
        vectors::to_bytes(vectors, &mut body.vectors);
        let head = self.log.append(Kind::Add, keys.len(), &body)?;
        index.insert(keys.to_vec(), &body.codes, head.vectors_at())
    }

    /// Begins a new centre where the album has outgrown the last one.
    fn update_centre(&mut self, coming: &[f32]) -> Result<()> {
        let Some(index) = &self.index else {
            return Ok(());
        };
        let (width, total) = (index.width(), index.total());
        let after = total + coming.len() / width;
        if !CENTRES
            .iter()
            .any(|size| (total < *size || total == 0) && *size <= after)
        {
            return Ok(());
        }
        let step = after.div_ceil(SAMPLE).max(1);
        let kept: Vec<u32> = index.live().map(|(row, _)| row).step_by(step).collect();
        let mut sum = vec![0.0_f64; width];
        let mut count = 0;
        let mut add = |vector: &mut dyn Iterator<Item = f32>| {
            sum.iter_mut()
                .zip(vector)
                .for_each(|(sum, value)| *sum += f64::from(value));
            count += 1;
        };
        for vector in coming.chunks_exact(width).step_by(step) {
            add(&mut vector.iter().copied());
        }
        self.each_of(&kept, |_, bytes| add(&mut vectors::from_bytes(bytes)))?;
        let centre: Vec<f32> = sum
            .iter()
            .map(|sum| (sum / f64::from(count)) as f32)
            .collect();
        self.write_centre(centre)
    }

    fn write_centre(&mut self, centre: Vec<f32>) -> Result<()> {
        let body = Body {
            vectors: centre
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            ..Body::default()
        };
        self.log.append(Kind::Centre, 0, &body)?;
        if let Some(index) = &mut self.index {
            index.set_centre(centre)?;
        }
        Ok(())
    }

    /// Deletes vectors; returns how many there were of those keys, when that is safe.
    pub fn delete(&mut self, keys: &[String]) -> Result<usize> {
        let there: Vec<&String> = keys.iter().filter(|key| self.contains(key)).collect();
        if there.is_empty() {
            return Ok(0);
        }
        let keys = json(&there)?;
        let body = Body {
            keys,
            ..Body::default()
        };
        self.log.append(Kind::Delete, there.len(), &body)?;
        let index = self.index.iter_mut();
        Ok(index
            .map(|index| there.iter().filter(|key| index.remove(key)).count())
            .sum())
    }

    /// Reads vectors as they are kept.
    fn each_of(&self, rows: &[u32], mut work: impl FnMut(u32, &[u8])) -> Result<()> {
        let Some(index) = &self.index else {
            return Ok(());
        };
        let length = 2 * index.width();
        let mut bytes = vec![0; READ.min(rows.len()) * length];
        for rows in rows.chunks(READ) {
            let mut places: Vec<(u64, u32)> = rows
                .iter()
                .map(|row| (index.place_of(*row), *row))
                .collect();
            places.sort_unstable(); // disks like it
            let offsets: Vec<u64> = places.iter().map(|(at, _)| *at).collect();
            let bytes = &mut bytes[..rows.len() * length];
            self.log.store().read_many(&offsets, bytes)?;
            for ((_, row), bytes) in places.iter().zip(bytes.chunks_exact(length)) {
                work(*row, bytes);
            }
        }
        Ok(())
    }

    /// The vectors of `count` keys from the `start`-th on, in the order of [`Self::keys`]:
    /// `[vectors, width]`.
    pub fn vectors(&self, start: usize, count: usize) -> Result<Vec<f32>> {
        let Some(index) = &self.index else {
            return Ok(Vec::new());
        };
        let rows: Vec<u32> = index
            .live()
            .map(|(row, _)| row)
            .skip(start)
            .take(count)
            .collect();
        let mut values = Vec::with_capacity(rows.len() * index.width());
        self.each_of(&rows, |_, bytes| values.extend(vectors::from_bytes(bytes)))?; // rows ascend as places do
        Ok(values)
    }

    /// Gives the file back.
    pub fn close(self) -> S {
        self.log.into_store()
    }
}

fn check_width(width: usize) -> Result<()> {
    match width {
        1..=WIDEST => Ok(()),
        _ => Err(Error::BadInput(format!(
            "vectors have {width} numbers, expected 1 to {WIDEST}"
        ))),
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::BadInput(format!("no JSON form: {error}")))
}
