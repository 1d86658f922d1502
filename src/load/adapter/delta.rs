//! What an adapter adds to one tensor: the product of two thin matrices, as the shapes of the adapter's
//! matrices and of the tensor say.

use super::tensors::{Factor, LowRank};
use crate::{Error, Result};

/// The product of two thin matrices, `left` of `[rows, rank]` and `right` of `[rank, columns]`.
#[derive(Debug)]
pub struct Delta {
    left: Vec<f32>,
    right: Vec<f32>,
    rank: usize,
    columns: usize,
    scale: f32,
}

/// The matrices of a module, of which two are there.
pub struct Matrices {
    /// `lora_A`, and of an embedding `lora_embedding_A`.
    pub down: Factor,
    /// `lora_B`, and of an embedding `lora_embedding_B`.
    pub up: Factor,
    /// The bias of `lora_B`.
    pub bias: Option<Factor>,
    is_embedding: bool,
}

impl Matrices {
    /// Wants both matrices, without which there is nothing to add.
    pub fn of(module: &str, low_rank: LowRank) -> Result<Self> {
        match (low_rank.down, low_rank.up) {
            (Some(down), Some(up)) => Ok(Self {
                down,
                up,
                bias: low_rank.bias,
                is_embedding: low_rank.is_embedding,
            }),
            (Some(alone), None) | (None, Some(alone)) => Err(Error::BadWeights(format!(
                "'{}' is there alone: the other of the two matrices for the module '{module}' is missing",
                alone.name
            ))),
            (None, None) => Err(Error::BadWeights(format!(
                "has a bias for the module '{module}', but no matrices"
            ))),
        }
    }

    /// Whether they belong to a linear layer.
    pub fn are_linear(&self) -> bool {
        !self.is_embedding && self.down.shape.len() == 2
    }

    /// Their product for a weight of `shape`, which is called `target`.
    pub fn delta(self, target: &str, shape: &[usize], rank: usize, scale: f32) -> Result<Delta> {
        let Self { down, up, .. } = self;
        let columns = match self.is_embedding {
            true => embedding_columns(&down, &up, rank, shape),
            false => layer_columns(&down, &up, rank, shape),
        };
        let Some(columns) = columns.filter(|columns| *columns > 0) else {
            return Err(Error::BadWeights(format!(
                "'{}' of shape {:?} and '{}' of shape {:?} do not make '{target}' of shape {shape:?}",
                down.name, down.shape, up.name, up.shape
            )));
        };
        let (left, right) = match self.is_embedding {
            true => (transposed(&down), transposed(&up)),
            false => (up.values, down.values),
        };
        Ok(Delta {
            left,
            right,
            rank,
            columns,
            scale,
        })
    }
}

/// Columns of a linear layer's or a convolution's weight, if the matrices fit.
fn layer_columns(down: &Factor, up: &Factor, rank: usize, shape: &[usize]) -> Option<usize> {
    let (rows, inner) = shape.split_first()?;
    let [up_rows, up_rank, ones @ ..] = up.shape.as_slice() else {
        return None;
    };
    let up_fits = up_rows == rows && *up_rank == rank && ones.iter().all(|size| *size == 1);
    (up_fits && down.shape.get(1..)? == inner).then(|| inner.iter().product())
}

/// Columns of an embedding, whose rows are the columns of `down`, if the matrices fit.
fn embedding_columns(down: &Factor, up: &Factor, rank: usize, shape: &[usize]) -> Option<usize> {
    let [entries, width] = *shape else {
        return None;
    };
    (down.shape == [rank, entries] && up.shape == [width, rank]).then_some(width)
}

fn transposed(factor: &Factor) -> Vec<f32> {
    let (rows, columns) = (factor.shape[0], factor.shape[1]);
    let at = |index: usize| factor.values[index % rows * columns + index / rows];
    (0..factor.values.len()).map(at).collect()
}

impl Delta {
    /// What is added to a bias.
    pub fn of_bias(bias: Factor, scale: f32) -> Self {
        Self {
            left: bias.values,
            right: vec![1.0],
            rank: 1,
            columns: 1,
            scale,
        }
    }

    /// Adds the product to the numbers of a tensor from number `start` on.
    pub fn add_to(&self, start: usize, mut values: &mut [f32]) {
        let mut position = start;
        let mut sums = Vec::new();
        while !values.is_empty() {
            let (row, column) = (position / self.columns, position % self.columns);
            let length = values.len().min(self.columns - column);
            let (run, rest) = values.split_at_mut(length);
            sums.clear();
            sums.resize(length, 0.0);
            let weights = &self.left[row * self.rank..][..self.rank];
            for (weight, right) in weights.iter().zip(self.right.chunks_exact(self.columns)) {
                let right = &right[column..][..length];
                sums.iter_mut()
                    .zip(right)
                    .for_each(|(sum, value)| *sum += weight * value);
            }
            run.iter_mut()
                .zip(&sums)
                .for_each(|(value, sum)| *value += sum * self.scale);
            position += length;
            values = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_added_wherever_a_piece_begins_and_ends() {
        let (rows, rank, columns) = (5, 3, 7);
        let numbers = |count: usize, salt: usize| -> Vec<f32> {
            (0..count)
                .map(|index| ((index * 7 + salt) % 11) as f32 - 5.0)
                .collect()
        };
        let delta = Delta {
            left: numbers(rows * rank, 1),
            right: numbers(rank * columns, 2),
            rank,
            columns,
            scale: 0.5,
        };
        let start = numbers(rows * columns, 3);
        let expected: Vec<f32> = (0..rows * columns)
            .map(|index| {
                let terms = (0..rank).map(|k| {
                    delta.left[index / columns * rank + k]
                        * delta.right[k * columns + index % columns]
                });
                start[index] + 0.5 * terms.sum::<f32>()
            })
            .collect();
        for piece in 1..=rows * columns {
            let mut values = start.clone();
            for (index, piece_values) in values.chunks_mut(piece).enumerate() {
                delta.add_to(index * piece, piece_values);
            }
            assert_eq!(values, expected, "pieces of {piece}");
        }
    }
}
