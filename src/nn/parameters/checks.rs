//! What a tensor is, by its name, and what is wrong with one.

use crate::weights::{Format, TensorInfo, blocks};
use crate::{Error, Result};

/// What a tensor is used for, as far as its format is concerned.
pub(super) enum Role {
    /// Added or multiplied as it is: norms, biases, positions, the class token and the query of a
    /// pooling head, the logit scale.
    Float,
    /// An embedding: looked up by token id, or a patch's. Never quantized.
    Table,
    /// A linear layer's weight.
    Matrix,
}

/// The role, from the checkpoint's own naming.
pub(super) fn role(info: &TensorInfo) -> Role {
    let name = info.name.as_str();
    if info.shape.len() < 2
        || name.contains("position_embedding")
        || name.contains("class_embedding")
        || name.ends_with(".probe")
    {
        Role::Float
    } else if is_embedding(name) {
        Role::Table
    } else {
        Role::Matrix
    }
}

/// Whether a checkpoint's tensor is an embedding (of tokens, positions, patches or the class
/// token) or the queries of what pools, which no format quantizes.
pub fn is_embedding(name: &str) -> bool {
    name.contains("_embedding") || name.ends_with(".probe")
}

/// Damaged weights show as infinities more often than as wrong sizes, and make every answer wrong.
/// Of blocks only the scales can spoil their numbers: f16 at the start of each.
pub(super) fn finite(info: &TensorInfo, bytes: &[u8]) -> Result<()> {
    let found = match info.format {
        Format::Q8_0 | Format::Q4_0 => bytes
            .chunks_exact(info.format.block_bytes())
            .map(|block| half::f16::from_le_bytes([block[0], block[1]]).to_f32())
            .enumerate()
            .find(|(_, scale)| !scale.is_finite())
            .map(|(index, scale)| (index * info.format.block_length(), scale)),
        format => blocks::first_not_finite(format, bytes, info.elements())?,
    };
    match found {
        None => Ok(()),
        Some((index, value)) => Err(Error::BadWeights(format!(
            "tensor '{}' holds {value} at position {index}: the file is damaged",
            info.name
        ))),
    }
}

pub(super) fn missing(name: &str) -> Error {
    Error::BadWeights(format!("tensor '{name}' is missing from the checkpoint"))
}

pub(super) fn wrong_shape(name: &str, expected: &[usize], found: &[usize]) -> Error {
    Error::BadWeights(format!(
        "tensor '{name}' has shape {found:?}, but the configuration asks for {expected:?}"
    ))
}
