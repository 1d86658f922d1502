//! Finding the nearest vectors of a query: candidates by their codes, then exact comparison.

use super::{Album, FEW, READ};
use crate::search::store::Store;
use crate::search::{Found, vectors};
use crate::{Error, Result};
use std::collections::HashMap;

/// Vectors that are compared exactly at most, whatever their codes promise.
const CANDIDATES: usize = 8192;

impl<S: Store> Album<S> {
    /// The nearest `limit` vectors of a query, which need not be of length one, nearest first.
    pub fn search(&self, query: &[f32], limit: usize) -> Result<Vec<Found>> {
        let Some(index) = &self.index else {
            return Ok(Vec::new());
        };
        if query.len() != index.width() {
            return Err(Error::BadInput(format!(
                "the query has {} numbers, the album's vectors have {}",
                query.len(),
                index.width()
            )));
        }
        let query = vectors::unit(query)?;
        let mut nearest = Nearest::new(limit.min(index.len()));
        if index.len() <= FEW.max(limit) {
            let rows: Vec<u32> = index.live().map(|(row, _)| row).collect();
            self.compare(&rows, &query, &mut nearest)?;
        } else {
            let candidates = index.candidates(&query, CANDIDATES.max(4 * limit).min(index.len()));
            for candidates in candidates.chunks(READ) {
                if candidates[0].at_most < nearest.threshold() {
                    break; // so are all that follow
                }
                let rows: Vec<u32> = candidates.iter().map(|candidate| candidate.row).collect();
                self.compare(&rows, &query, &mut nearest)?;
            }
        }
        let found = nearest.best.into_iter().filter_map(|(similarity, row)| {
            let key = index.key(row)?.to_string();
            Some(Found { key, similarity })
        });
        Ok(found.collect())
    }

    /// The cosines of the vectors of some keys and another one, which need not be of length one; none where
    /// there is no such key.
    pub fn similarities(&self, keys: &[String], vector: &[f32]) -> Result<Vec<Option<f32>>> {
        let Some(index) = &self.index else {
            return Ok(vec![None; keys.len()]);
        };
        let vector = vectors::unit(vector)?;
        let rows: Vec<Option<u32>> = keys.iter().map(|key| index.row(key)).collect();
        let mut found = HashMap::new();
        let wanted: Vec<u32> = rows.iter().flatten().copied().collect();
        self.each_of(&wanted, |row, bytes| {
            found.insert(row, vectors::cosine(bytes, &vector));
        })?;
        let cosine = |row: Option<u32>| found.get(&row?).copied();
        Ok(rows.into_iter().map(cosine).collect())
    }

    fn compare(&self, rows: &[u32], query: &[f32], nearest: &mut Nearest) -> Result<()> {
        self.each_of(rows, |row, bytes| {
            nearest.offer(vectors::cosine(bytes, query), row)
        })
    }
}

/// The nearest so far.
struct Nearest {
    limit: usize,
    /// (similarity, row), nearest first; of equals the one that was added first.
    best: Vec<(f32, u32)>,
}

impl Nearest {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            best: Vec::with_capacity(limit + 1),
        }
    }

    /// What is not above it is not among the nearest.
    fn threshold(&self) -> f32 {
        match self.best.len() < self.limit {
            true => f32::NEG_INFINITY,
            false => self
                .best
                .last()
                .map_or(f32::INFINITY, |(similarity, _)| *similarity),
        }
    }

    fn offer(&mut self, similarity: f32, row: u32) {
        if similarity < self.threshold() {
            return;
        }
        let before =
            |other: &(f32, u32)| other.0 > similarity || (other.0 == similarity && other.1 < row);
        self.best
            .insert(self.best.partition_point(before), (similarity, row));
        self.best.truncate(self.limit);
    }
}
