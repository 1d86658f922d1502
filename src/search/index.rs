//! What an album holds in memory: keys, and codes of all vectors. It says which vectors are worth a
//! look at their exact numbers ([`Index::candidates`]), and where in the album's file those are.

use super::codes::{Coder, MEAN_FACTOR, RELATIVE_ERROR};
use super::scan::Blocks;
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// How many standard deviations an estimate is given the benefit of. A vector is missed if its
/// estimate lies lower than that below what it should be: 1 in 160.
const BENEFIT: f32 = 2.5;

/// A vector that may be among the nearest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The similarity that it hardly exceeds.
    pub at_most: f32,
    /// Which vector.
    pub row: u32,
}

/// Vectors whose codes are relative to the same centre.
#[derive(Debug)]
struct Run {
    first_row: usize,
    centre: Vec<f32>,
    blocks: Blocks,
}

/// Keys and codes. A row is a vector's place in the order of adding; a row whose vector was deleted
/// or replaced stays, without a key.
#[derive(Debug)]
pub struct Index {
    coder: Coder,
    runs: Vec<Run>,
    keys: Vec<Option<Arc<str>>>,
    rows: HashMap<Arc<str>, u32>,
    /// (the first row of a record, where the record's vectors begin), ascending.
    extents: Vec<(u32, u64)>,
    width: usize,
}

impl Index {
    /// No vectors yet; they will have `width` numbers.
    pub fn new(width: usize) -> Self {
        let coder = Coder::new(width);
        let run = Run {
            first_row: 0,
            centre: vec![0.0; width],
            blocks: Blocks::new(coder.runs()),
        };
        Self {
            coder,
            runs: vec![run],
            keys: Vec::new(),
            rows: HashMap::new(),
            extents: Vec::new(),
            width,
        }
    }

    /// Numbers of a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many vectors there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many there ever were.
    pub fn total(&self) -> usize {
        self.keys.len()
    }

    /// The vectors there are, in the order of adding, with their keys.
    pub fn live(&self) -> impl Iterator<Item = (u32, &Arc<str>)> {
        let keys = self.keys.iter().enumerate();
        keys.filter_map(|(row, key)| Some((row as u32, key.as_ref()?)))
    }

    /// A vector's key, unless it was deleted.
    pub fn key(&self, row: u32) -> Option<&Arc<str>> {
        self.keys[row as usize].as_ref()
    }

    /// The row of a key's vector.
    pub fn row(&self, key: &str) -> Option<u32> {
        self.rows.get(key).copied()
    }

    /// Whether there is a vector of that key.
    pub fn contains(&self, key: &str) -> bool {
        self.rows.contains_key(key)
    }

    /// What the scan reads, in bytes.
    pub fn code_bytes(&self) -> usize {
        self.runs.iter().map(|run| run.blocks.bytes()).sum()
    }

    /// Where in the file a vector is.
    pub fn place_of(&self, row: u32) -> u64 {
        let extent = self.extents.partition_point(|(first, _)| *first <= row) - 1;
        let (first, at) = self.extents[extent];
        at + u64::from(row - first) * 2 * self.width as u64
    }

    /// What further codes are relative to.
    pub fn set_centre(&mut self, centre: Vec<f32>) -> Result<()> {
        if centre.len() != self.width {
            return Err(Error::Integrity(format!(
                "the album's file has a centre of {} numbers, expected {}",
                centre.len(),
                self.width
            )));
        }
        let first_row = self.total();
        if self.runs.last().is_some_and(|run| run.blocks.is_empty()) {
            self.runs.pop();
        }
        self.runs.push(Run {
            first_row,
            centre,
            blocks: Blocks::new(self.coder.runs()),
        });
        Ok(())
    }

    /// The present one.
    pub fn centre(&self) -> &[f32] {
        &self.runs[self.runs.len() - 1].centre
    }

    /// Bytes of a vector's code with its factor.
    pub fn code_length(&self) -> usize {
        self.coder.bytes() + 4
    }

    /// The codes and factors of vectors, `[vectors, width]`.
    pub fn encode(&self, vectors: &[f32]) -> Vec<u8> {
        let count = vectors.len() / self.width;
        let mut bytes = vec![0; count * self.code_length()];
        let codes = bytes.chunks_exact_mut(self.code_length());
        for (vector, code) in vectors.chunks_exact(self.width).zip(codes) {
            let (code, factor) = code.split_at_mut(self.coder.bytes());
            factor.copy_from_slice(&self.coder.encode(vector, self.centre(), code).to_le_bytes());
        }
        bytes
    }

    /// The code and factor of a vector.
    pub fn code(&self, row: u32) -> Vec<u8> {
        let run = &self.runs[self.run_of(row)];
        let (mut code, factor) = run.blocks.get(row as usize - run.first_row);
        code.extend(factor.to_le_bytes());
        code
    }

    /// Which vectors share a centre.
    pub fn run_of(&self, row: u32) -> usize {
        let row = row as usize;
        self.runs.partition_point(|run| run.first_row <= row) - 1
    }

    /// The centre of a run that [`Self::run_of`] named.
    pub fn centre_of(&self, run: usize) -> &[f32] {
        &self.runs[run].centre
    }

    /// Takes up vectors whose exact numbers begin at `at`. A vector replaces an earlier one of its
    /// key.
    pub fn insert(&mut self, keys: Vec<String>, codes: &[u8], at: u64) -> Result<()> {
        if codes.len() != keys.len() * self.code_length() {
            return Err(Error::Integrity(format!(
                "the album's file has {} bytes of codes for {} keys, expected {}",
                codes.len(),
                keys.len(),
                keys.len() * self.code_length()
            )));
        }
        let first = self.total() as u32;
        self.extents.push((first, at));
        for (key, code) in keys.into_iter().zip(codes.chunks_exact(self.code_length())) {
            self.remove(&key);
            let key: Arc<str> = key.into();
            self.rows.insert(key.clone(), self.total() as u32);
            self.keys.push(Some(key));
            let (code, factor) = code.split_at(self.coder.bytes());
            let factor = f32::from_le_bytes([factor[0], factor[1], factor[2], factor[3]]);
            let last = self.runs.len() - 1;
            self.runs[last].blocks.push(code, factor);
        }
        Ok(())
    }

    /// Makes room for the keys of so many more vectors.
    pub fn reserve(&mut self, more: usize) {
        self.keys.reserve_exact(more);
        self.rows.reserve(more);
    }

    /// Forgets a vector; false if there is none of that key.
    pub fn remove(&mut self, key: &str) -> bool {
        let Some(row) = self.rows.remove(key) else {
            return false;
        };
        self.keys[row as usize] = None;
        let run = self.run_of(row);
        let run = &mut self.runs[run];
        run.blocks.remove(row as usize - run.first_row);
        true
    }

    /// The most promising vectors for a query of length one, best first, at most `capacity`.
    pub fn candidates(&self, query: &[f32], capacity: usize) -> Vec<Candidate> {
        let mut best = Best::new(capacity);
        let mut tables = self.coder.tables(query);
        // A vector's error is proportional to its length, and so is its factor.
        tables.bias += BENEFIT * RELATIVE_ERROR / MEAN_FACTOR;
        for run in &self.runs {
            let base: f32 = run.centre.iter().zip(query).map(|(a, b)| a * b).sum();
            let first = run.first_row as u32;
            run.blocks
                .scan(&tables, base, best.threshold, |place, at_most| {
                    best.push(Candidate {
                        at_most,
                        row: first + place as u32,
                    })
                });
        }
        best.sorted()
    }
}

/// Collects the best of many.
struct Best {
    capacity: usize,
    found: Vec<Candidate>,
    /// Not worth pushing what is not above.
    threshold: f32,
}

impl Best {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            found: Vec::with_capacity(2 * capacity),
            threshold: f32::NEG_INFINITY,
        }
    }

    /// Returns the threshold.
    fn push(&mut self, candidate: Candidate) -> f32 {
        self.found.push(candidate);
        if self.found.len() == 2 * self.capacity {
            self.shrink();
        }
        self.threshold
    }

    fn shrink(&mut self) {
        let best_first = |a: &Candidate, b: &Candidate| b.at_most.total_cmp(&a.at_most);
        if self.found.len() > self.capacity {
            let (_, worst, _) = self
                .found
                .select_nth_unstable_by(self.capacity - 1, best_first);
            self.threshold = worst.at_most;
            self.found.truncate(self.capacity);
        }
    }

    fn sorted(mut self) -> Vec<Candidate> {
        self.shrink();
        self.found
            .sort_unstable_by(|a, b| b.at_most.total_cmp(&a.at_most).then(a.row.cmp(&b.row)));
        self.found
    }
}
