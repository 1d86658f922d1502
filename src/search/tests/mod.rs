//! The search against its definition: products with every vector.

mod album;
mod codes;
mod file;
mod npy;

use super::{Album, Store, vectors};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What rounding every number to half precision does to a cosine at worst.
const HALF_PRECISION: f32 = 1.0 / 2048.0;

/// Numbers that look like a Gaussian's, of a seed.
struct Random(ChaCha8Rng);

impl Random {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn below(&mut self, end: usize) -> usize {
        (self.0.next_u64() % end as u64) as usize
    }

    fn normal(&mut self) -> f32 {
        let uniform = (0..12).map(|_| self.0.next_u32() as f32 / u32::MAX as f32);
        uniform.sum::<f32>() - 6.0
    }

    fn normals(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.normal()).collect()
    }

    /// Vectors within a cone, in clusters: `[count, width]`.
    fn clustered(&mut self, count: usize, width: usize) -> Vec<f32> {
        let (mean, clusters) = (self.normals(width), self.normals(20 * width));
        let mut values = Vec::with_capacity(count * width);
        for _ in 0..count {
            let cluster = self.below(20) * width;
            for place in 0..width {
                values.push(mean[place] + clusters[cluster + place] + 0.5 * self.normal());
            }
        }
        values
    }
}

fn keys(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("picture {number}")).collect()
}

/// An album in memory.
fn album_of(vectors: &[f32], width: usize) -> Album<Vec<u8>> {
    let mut album = Album::open(Vec::new(), None).unwrap();
    album.add(&keys(0..vectors.len() / width), vectors).unwrap();
    album
}

/// What a search has to find: (key, cosine), nearest first.
fn exact(keys: &[String], stored: &[f32], query: &[f32], limit: usize) -> Vec<(String, f32)> {
    let query = vectors::unit(query).unwrap();
    let mut found: Vec<(String, f32)> = keys
        .iter()
        .zip(stored.chunks_exact(query.len()))
        .map(|(key, vector)| {
            let vector = vectors::unit(vector).unwrap();
            let product = vector.iter().zip(&query).map(|(a, b)| a * b).sum();
            (key.clone(), product)
        })
        .collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found.truncate(limit);
    found
}

/// Checks a search against its definition; returns how many of the nearest it found.
#[track_caller]
fn check<S: Store>(
    album: &Album<S>,
    keys: &[String],
    stored: &[f32],
    query: &[f32],
    limit: usize,
) -> usize {
    let (found, expected) = (
        album.search(query, limit).unwrap(),
        exact(keys, stored, query, limit),
    );
    assert_eq!(found.len(), expected.len());
    assert!(found.is_sorted_by(|a, b| a.similarity >= b.similarity));
    let known = exact(keys, stored, query, keys.len());
    for found in &found {
        let (_, cosine) = known
            .iter()
            .find(|(key, _)| *key == found.key)
            .expect("a key of the album");
        let difference = (found.similarity - cosine).abs();
        assert!(
            difference < HALF_PRECISION,
            "{} for {cosine}",
            found.similarity
        );
    }
    // Half precision may swap two that are as good as equal.
    let worst = expected.last().map_or(0.0, |(_, cosine)| *cosine);
    found
        .iter()
        .filter(|found| found.similarity >= worst - HALF_PRECISION)
        .count()
}
