//! A fixed random rotation. Behind it every number of a vector carries about as much as any other,
//! and is spread as a Gaussian, whatever the model that made it: so one codebook fits all of them,
//! and nothing has to be trained.
//!
//! The rotation is made of Walsh-Hadamard transforms with random signs in between, over the first
//! and over the last power of two of the numbers by turns, as in "Kac's walk" (the RaBitQ library
//! does the same): products by a full matrix would cost a hundred times as much.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Codes are kept, so this never changes.
const SEED: u64 = 0x0b5c_07a5;

/// A rotation of vectors of one width.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// Width of what comes out.
    width: usize,
    /// What each round multiplies with before it transforms: +-1, `[rounds, width]`.
    signs: Vec<f32>,
}

impl Rotation {
    /// A rotation of `width` numbers, at least 1.
    pub fn new(width: usize) -> Self {
        // Two overlapping transforms mix less than one over everything.
        let rounds = if width.is_power_of_two() { 3 } else { 6 };
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        let mut sign = || 1.0 - 2.0 * (random.next_u32() & 1) as f32;
        Self {
            width,
            signs: (0..rounds * width).map(|_| sign()).collect(),
        }
    }

    /// Rotates in place.
    ///
    /// # Panics
    /// If `vector` is not as wide as the rotation.
    pub fn apply(&self, vector: &mut [f32]) {
        assert_eq!(vector.len(), self.width, "the width of a rotated vector");
        let part = 1 << self.width.ilog2();
        for (round, signs) in self.signs.chunks_exact(self.width).enumerate() {
            for (value, sign) in vector.iter_mut().zip(signs) {
                *value *= sign;
            }
            let start = if round % 2 == 0 { 0 } else { self.width - part };
            hadamard(&mut vector[start..start + part]);
        }
    }
}

/// The Walsh-Hadamard transform, scaled to keep lengths, of a power of two of numbers.
fn hadamard(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (left, right) = pair.split_at_mut(half);
            for (a, b) in left.iter_mut().zip(right) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let scale = 1.0 / (values.len() as f32).sqrt();
    values.iter_mut().for_each(|value| *value *= scale);
}
