//! Safetensors: a JSON table of tensors, then their data; large checkpoints come as several such
//! files with an index. <https://github.com/huggingface/safetensors#format>
//!
//! The `safetensors` crate wants the whole file in memory before it says what is in it, keeps
//! offsets in `usize` (32 bits in a browser), and does not name the tensor it objects to. The header
//! is plain JSON, so it is read here.

use super::{
    Format, LONGEST_NAME, MOST_DIMENSIONS, Parsed, TensorInfo, bad, element_count, printable,
};
use crate::Result;
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

/// A header larger than this is not believed; the reference implementation has the same limit.
const LARGEST_HEADER: u64 = 100_000_000;

/// Reads the table from the beginning of a file of `file_length` bytes (`u64::MAX` if that is not
/// known yet). Rows come in the order of their bytes, with offsets from the start of the file.
pub fn parse(prefix: &[u8], file_length: u64) -> Result<Parsed<Vec<TensorInfo>>> {
    if file_length < 8 {
        return bad(format!(
            "not a safetensors file: it has only {file_length} bytes"
        ));
    }
    let Some(length) = prefix.first_chunk::<8>() else {
        return Ok(Parsed::Incomplete);
    };
    let length = u64::from_le_bytes(*length);
    if length > LARGEST_HEADER || length > file_length - 8 {
        return bad(format!(
            "not a safetensors file, or a truncated one: it announces a header of {length} bytes, \
             expected at most {LARGEST_HEADER} and no more than the file, which has {file_length} bytes"
        ));
    }
    match prefix[8..].get(..length as usize) {
        Some(header) => Ok(Parsed::Complete(table(header, file_length)?)),
        None => Ok(Parsed::Incomplete),
    }
}

fn table(header: &[u8], file_length: u64) -> Result<Vec<TensorInfo>> {
    let mut entries = match serde_json::from_slice::<Entries>(header) {
        Ok(Entries(entries)) => entries,
        Err(error) => return bad(format!("the safetensors header is unusable: {error}")),
    };
    entries.sort_by_key(|(_, entry)| entry.data_offsets);
    let data_offset = 8 + header.len() as u64;
    let mut names = HashSet::new();
    let mut tensors = Vec::with_capacity(entries.len());
    let mut position = 0;
    for (name, entry) in &entries {
        if !names.insert(name.as_str()) {
            return bad(format!(
                "safetensors tensor {} is there twice",
                printable(name)
            ));
        }
        let tensor = entry.check(name, position, data_offset)?;
        position = entry.data_offsets.1;
        tensors.push(tensor);
    }
    let expected = data_offset.saturating_add(position);
    if file_length != u64::MAX && expected != file_length {
        return bad(format!(
            "the safetensors file should have {expected} bytes by its header, but has {file_length}: is it truncated?"
        ));
    }
    Ok(tensors)
}

/// The header's entries in its own order, duplicates and all.
struct Entries(Vec<(String, Entry)>);

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Shape,
    data_offsets: (u64, u64),
}

impl Entry {
    fn check(&self, name: &str, position: u64, data_offset: u64) -> Result<TensorInfo> {
        let what = format!("safetensors tensor {}", printable(name));
        let Some(format) = format_of(&self.dtype) else {
            let found = printable(&self.dtype);
            return bad(format!(
                "{what} has the type {found}, which is not supported: take the checkpoint in float16, \
                 bfloat16 or float32"
            ));
        };
        let shape = &self.shape.0;
        let Some(bytes) = element_count(shape).and_then(|elements| format.bytes(elements)) else {
            return bad(format!(
                "{what} has the shape {shape:?}, which is too large"
            ));
        };
        let (start, end) = self.data_offsets;
        if start != position {
            return bad(format!(
                "{what} begins at {start}, but {position} was expected: tensors should follow each other without gaps or overlaps"
            ));
        }
        if end.checked_sub(start) != Some(bytes as u64) {
            return bad(format!(
                "{what} of shape {shape:?} and type {format} takes {bytes} bytes, but lies from {start} to {end}"
            ));
        }
        let Some(offset) = data_offset
            .checked_add(start)
            .filter(|_| end <= u64::MAX - data_offset)
        else {
            return bad(format!(
                "{what} lies from {start} to {end}, which is too far"
            ));
        };
        Ok(TensorInfo {
            name: name.to_owned(),
            shape: shape.clone(),
            format,
            offset,
            bytes: bytes as u64,
            strides: None,
        })
    }
}

fn format_of(dtype: &str) -> Option<Format> {
    let integer = |bytes_per_element| Format::Integer { bytes_per_element };
    Some(match dtype {
        "F64" => Format::F64,
        "F32" => Format::F32,
        "F16" => Format::F16,
        "BF16" => Format::BF16,
        "I64" | "U64" => integer(8),
        "I32" | "U32" => integer(4),
        "I16" | "U16" => integer(2),
        "I8" | "U8" | "BOOL" => integer(1),
        _ => return None,
    })
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let shown = printable(&name);
            if name.len() > LONGEST_NAME {
                return Err(A::Error::custom(format!(
                    "the tensor name {shown} is too long"
                )));
            }
            let entry = map.next_value::<Entry>();
            let entry =
                entry.map_err(|error| A::Error::custom(format!("tensor {shown}: {error}")))?;
            entries.push((name, entry));
        }
        Ok(Entries(entries))
    }
}

/// Dimensions, not so many that a list of them would become a burden.
struct Shape(Vec<usize>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_seq(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "at most {MOST_DIMENSIONS} dimensions")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sizes: A) -> std::result::Result<Shape, A::Error> {
        let mut shape = Vec::new();
        while let Some(size) = sizes.next_element::<usize>()? {
            if shape.len() == MOST_DIMENSIONS {
                return Err(A::Error::invalid_length(MOST_DIMENSIONS + 1, &self));
            }
            shape.push(size);
        }
        Ok(Shape(shape))
    }
}

/// Which file of a sharded checkpoint holds which tensor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Index {
    /// The files' names, sorted, each once. They lie next to the index.
    pub files: Vec<String>,
    /// From a tensor's name to its file's.
    pub tensors: BTreeMap<String, String>,
}

/// Reads `model.safetensors.index.json`, or the `pytorch_model.bin.index.json` that looks the same.
pub fn parse_index(json: &str) -> Result<Index> {
    #[derive(Deserialize)]
    struct Raw {
        weight_map: BTreeMap<String, String>,
    }
    let tensors = match serde_json::from_str::<Raw>(json) {
        Ok(raw) => raw.weight_map,
        Err(error) => {
            return bad(format!(
                "the index of a sharded checkpoint is unusable: {error}"
            ));
        }
    };
    let files: BTreeSet<&String> = tensors.values().collect();
    if files.is_empty() {
        return bad("the index of a sharded checkpoint names no files");
    }
    // A name from outside must not lead out of the checkpoint's folder.
    if let Some(file) = files.iter().find(|file| !is_plain_name(file)) {
        return bad(format!(
            "the index of a sharded checkpoint names {}, expected a plain file name",
            printable(file)
        ));
    }
    let files = files.into_iter().cloned().collect();
    Ok(Index { files, tensors })
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests;
