//! GGUF, the one-file model format of ggml: metadata, a table of tensors, then their data.
//! <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>
//!
//! Read are versions 2 and 3, little endian; written is version 3. GGUF lists dimensions innermost
//! first; here they are turned around at once, so that shapes read as in PyTorch everywhere.

mod cursor;
mod read;
mod value;
mod write;

pub use value::{Array, Value};
pub use write::{Layout, Planned, Writer};

use super::{TensorInfo, bad, printable};
use crate::Result;
use std::collections::BTreeMap;

/// Everything in front of the tensors' data.
#[derive(Clone, PartialEq, Debug)]
pub struct Header {
    /// All key-value pairs.
    pub metadata: BTreeMap<String, Value>,
    /// The tensors in the order of their bytes in the file, with absolute offsets.
    pub tensors: Vec<TensorInfo>,
    /// What the tensors' offsets are multiples of.
    pub alignment: u64,
    /// Where the first tensor's bytes begin.
    pub data_offset: u64,
}

impl Header {
    /// The text stored under `key`, or an error that names the key.
    pub fn text(&self, key: &str) -> Result<&str> {
        match self.metadata.get(key) {
            Some(Value::String(text)) => Ok(text),
            Some(other) => bad(format!(
                "gguf metadata {} should be a string, but is {}",
                printable(key),
                other.type_name()
            )),
            None => bad(format!("gguf metadata lacks {}", printable(key))),
        }
    }
}

const MAGIC: [u8; 4] = *b"GGUF";
const VERSION: u32 = 3;
const ALIGNMENT_KEY: &str = "general.alignment";
const DEFAULT_ALIGNMENT: u64 = 32;

/// A header larger than this is not believed. Tokenizers, the largest thing in it, take a few MB.
const LARGEST_HEADER: u64 = 100_000_000;

/// The longest metadata key, by the specification.
const LONGEST_KEY: usize = 65_535;

/// ggml has no tensors of more dimensions.
const MOST_DIMENSIONS: usize = 4;

/// Arrays of arrays are read down to this depth.
const DEEPEST_ARRAY: usize = 4;

/// The alignment that the metadata ask for.
fn alignment(metadata: &BTreeMap<String, Value>) -> Result<u64> {
    match metadata.get(ALIGNMENT_KEY) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(Value::U32(alignment)) if alignment.is_power_of_two() => Ok(u64::from(*alignment)),
        Some(other) => bad(format!(
            "gguf metadata \"{ALIGNMENT_KEY}\" should be a power of two as u32, but is {other:?}"
        )),
    }
}

#[cfg(test)]
mod tests;
