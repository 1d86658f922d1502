//! The header, read from a beginning of the file that may still be too short.

use super::cursor::{Cursor, Step, Stop};
use super::{Array, DEEPEST_ARRAY, Header, LONGEST_KEY, MAGIC, MOST_DIMENSIONS, Value, alignment};
use crate::weights::{Format, LONGEST_NAME, Parsed, TensorInfo, bad, element_count, printable};
use crate::{Error, Result};
use std::collections::{BTreeMap, HashSet};

/// The shortest metadata entry: an empty key, a type and one byte.
const SHORTEST_ENTRY: u64 = 8 + 4 + 1;
/// The shortest row of the tensor table: an empty name and no dimensions.
const SHORTEST_ROW: u64 = 8 + 4 + 4 + 8;

impl Header {
    /// Reads the header from the beginning of a file of `file_length` bytes (`u64::MAX` if that is
    /// not known yet). Allocates no more than a small multiple of `prefix`.
    pub fn parse(prefix: &[u8], file_length: u64) -> Result<Parsed<Header>> {
        match read_header(&mut Cursor::new(prefix, file_length)) {
            Ok(header) => Ok(Parsed::Complete(header)),
            Err(Stop::TooShort) => Ok(Parsed::Incomplete),
            Err(Stop::Bad(error)) => Err(error),
        }
    }
}

fn read_header(cursor: &mut Cursor) -> Step<Header> {
    check_magic_and_version(cursor)?;
    let tensor_count = cursor.u64("gguf tensor count")?;
    let entry_count = cursor.u64("gguf metadata count")?;
    let metadata = read_metadata(cursor, entry_count)?;
    let alignment = alignment(&metadata)?;
    let rows = read_rows(cursor, tensor_count)?;
    let data_offset = cursor.position.next_multiple_of(alignment);
    let tensors = place(rows, alignment, data_offset, cursor.file_length)?;
    Ok(Header {
        metadata,
        tensors,
        alignment,
        data_offset,
    })
}

fn check_magic_and_version(cursor: &mut Cursor) -> Step<()> {
    let available = cursor.prefix.len().min(MAGIC.len());
    if cursor.prefix[..available] != MAGIC[..available] {
        let found = cursor.prefix[..available].escape_ascii();
        bad(format!(
            "not a gguf file: it begins with \"{found}\" instead of \"GGUF\""
        ))?;
    }
    cursor.take(4, "gguf magic")?;
    match cursor.u32("gguf version")? {
        2 | 3 => Ok(()),
        1 => Ok(bad(
            "gguf version 1 is not supported, only 2 and 3: convert the file again",
        )?),
        version if version.trailing_zeros() >= 16 => Ok(bad(
            "the gguf file is big endian, only little endian is supported",
        )?),
        version => Ok(bad(format!(
            "gguf version {version} is not supported, only 2 and 3"
        ))?),
    }
}

fn read_metadata(cursor: &mut Cursor, count: u64) -> Step<BTreeMap<String, Value>> {
    cursor.check_count(count, SHORTEST_ENTRY, "gguf metadata")?;
    let mut metadata = BTreeMap::new();
    for index in 0..count {
        let key = cursor.string(LONGEST_KEY, || {
            format!("the key of gguf metadata entry {index}")
        })?;
        let value = read_value(cursor, &key)?;
        if metadata.contains_key(&key) {
            bad(format!("gguf metadata {} is there twice", printable(&key)))?;
        }
        metadata.insert(key, value);
    }
    Ok(metadata)
}

fn read_value(cursor: &mut Cursor, key: &str) -> Step<Value> {
    let what = format!("gguf metadata {}", printable(key));
    let type_id = cursor.u32(&what)?;
    Ok(match type_id {
        0 => Value::U8(cursor.number(u8::from_le_bytes, &what)?),
        1 => Value::I8(cursor.number(i8::from_le_bytes, &what)?),
        2 => Value::U16(cursor.number(u16::from_le_bytes, &what)?),
        3 => Value::I16(cursor.number(i16::from_le_bytes, &what)?),
        4 => Value::U32(cursor.number(u32::from_le_bytes, &what)?),
        5 => Value::I32(cursor.number(i32::from_le_bytes, &what)?),
        6 => Value::F32(cursor.number(f32::from_le_bytes, &what)?),
        7 => Value::Bool(truth(cursor.number(u8::from_le_bytes, &what)?, &what)?),
        8 => Value::String(cursor.string(usize::MAX, || what)?),
        9 => Value::Array(read_array(cursor, DEEPEST_ARRAY, &what)?),
        10 => Value::U64(cursor.number(u64::from_le_bytes, &what)?),
        11 => Value::I64(cursor.number(i64::from_le_bytes, &what)?),
        12 => Value::F64(cursor.number(f64::from_le_bytes, &what)?),
        _ => bad(format!("{what} has type {type_id}, expected 0 to 12"))?,
    })
}

fn read_array(cursor: &mut Cursor, depth: usize, what: &str) -> Step<Array> {
    if depth == 0 {
        bad(format!(
            "{what} nests arrays more than {DEEPEST_ARRAY} deep"
        ))?;
    }
    let type_id = cursor.u32(what)?;
    let count = cursor.u64(what)?;
    Ok(match type_id {
        0 => Array::U8(cursor.numbers(count, u8::from_le_bytes, what)?),
        1 => Array::I8(cursor.numbers(count, i8::from_le_bytes, what)?),
        2 => Array::U16(cursor.numbers(count, u16::from_le_bytes, what)?),
        3 => Array::I16(cursor.numbers(count, i16::from_le_bytes, what)?),
        4 => Array::U32(cursor.numbers(count, u32::from_le_bytes, what)?),
        5 => Array::I32(cursor.numbers(count, i32::from_le_bytes, what)?),
        6 => Array::F32(cursor.numbers(count, f32::from_le_bytes, what)?),
        7 => Array::Bool(read_truths(cursor, count, what)?),
        8 => Array::String(read_strings(cursor, count, what)?),
        9 => Array::Array(read_arrays(cursor, count, depth - 1, what)?),
        10 => Array::U64(cursor.numbers(count, u64::from_le_bytes, what)?),
        11 => Array::I64(cursor.numbers(count, i64::from_le_bytes, what)?),
        12 => Array::F64(cursor.numbers(count, f64::from_le_bytes, what)?),
        _ => bad(format!(
            "{what} holds an array of type {type_id}, expected 0 to 12"
        ))?,
    })
}

fn read_truths(cursor: &mut Cursor, count: u64, what: &str) -> Step<Vec<bool>> {
    let bytes = cursor.take(count, what)?;
    Ok(bytes
        .iter()
        .map(|&byte| truth(byte, what))
        .collect::<Result<_>>()?)
}

fn read_strings(cursor: &mut Cursor, count: u64, what: &str) -> Step<Vec<String>> {
    cursor.check_count(count, 8, what)?;
    (0..count)
        .map(|_| cursor.string(usize::MAX, || what.to_owned()))
        .collect()
}

fn read_arrays(cursor: &mut Cursor, count: u64, depth: usize, what: &str) -> Step<Vec<Array>> {
    cursor.check_count(count, 4 + 8, what)?;
    (0..count)
        .map(|_| read_array(cursor, depth, what))
        .collect()
}

fn truth(byte: u8, what: &str) -> Result<bool> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => bad(format!(
            "{what} is a boolean of value {byte}, expected 0 or 1"
        )),
    }
}

/// The tensor table, its offsets still relative to the beginning of the data.
fn read_rows(cursor: &mut Cursor, count: u64) -> Step<Vec<TensorInfo>> {
    cursor.check_count(count, SHORTEST_ROW, "gguf tensor table")?;
    let mut rows = Vec::new();
    for index in 0..count {
        rows.push(read_row(cursor, index)?);
    }
    Ok(rows)
}

fn read_row(cursor: &mut Cursor, index: u64) -> Step<TensorInfo> {
    let name = cursor.string(LONGEST_NAME, || format!("the name of gguf tensor {index}"))?;
    let what = format!("gguf tensor {}", printable(&name));
    let shape = read_shape(cursor, &what)?;
    let type_id = cursor.u32(&what)?;
    let offset = cursor.u64(&what)?;
    let Some(format) = Format::from_ggml_type(type_id) else {
        Err(unknown_type(&what, type_id))?
    };
    let bytes = byte_length(&shape, format, &what)?;
    Ok(TensorInfo {
        name,
        shape,
        format,
        offset,
        bytes,
        strides: None,
    })
}

fn unknown_type(what: &str, type_id: u32) -> Error {
    let known: Vec<&str> = (0..64)
        .filter_map(Format::from_ggml_type)
        .map(Format::name)
        .collect();
    Error::BadWeights(format!(
        "{what} has ggml type {type_id}, which is not supported; supported are {}",
        known.join(", ")
    ))
}

fn read_shape(cursor: &mut Cursor, what: &str) -> Step<Vec<usize>> {
    let dimensions = cursor.u32(what)?;
    if dimensions as usize > MOST_DIMENSIONS {
        bad(format!(
            "{what} has {dimensions} dimensions, expected at most {MOST_DIMENSIONS}"
        ))?;
    }
    let mut sizes = cursor.numbers(u64::from(dimensions), u64::from_le_bytes, what)?;
    sizes.reverse();
    let shape: Option<Vec<usize>> = sizes
        .iter()
        .map(|&size| usize::try_from(size).ok())
        .collect();
    match shape {
        Some(shape) => Ok(shape),
        None => Ok(bad(format!(
            "{what} has the shape {sizes:?}, which is too large"
        ))?),
    }
}

/// The size of a tensor, whose rows must be whole blocks.
pub(super) fn byte_length(shape: &[usize], format: Format, what: &str) -> Result<u64> {
    let row = shape.last().copied().unwrap_or(1);
    let block = format.block_length();
    if !row.is_multiple_of(block) {
        return bad(format!(
            "{what} of shape {shape:?} is {format}, whose rows should be multiples of {block}"
        ));
    }
    match element_count(shape).and_then(|elements| format.bytes(elements)) {
        Some(bytes) => Ok(bytes as u64),
        None => bad(format!(
            "{what} has the shape {shape:?}, which is too large"
        )),
    }
}

/// Makes offsets absolute, and checks that the tensors lie in the file and apart.
fn place(
    mut tensors: Vec<TensorInfo>,
    alignment: u64,
    data_offset: u64,
    file_length: u64,
) -> Result<Vec<TensorInfo>> {
    for tensor in &mut tensors {
        let relative = tensor.offset;
        let what = printable(&tensor.name);
        if !relative.is_multiple_of(alignment) {
            return bad(format!(
                "gguf tensor {what} has offset {relative}, expected a multiple of {alignment}"
            ));
        }
        let start = data_offset.checked_add(relative);
        let end = start.and_then(|start| start.checked_add(tensor.bytes));
        match (start, end) {
            (Some(start), Some(end)) if end <= file_length => tensor.offset = start,
            _ => {
                return bad(format!(
                    "gguf tensor {what} takes {} bytes from {relative} after {data_offset} on, \
                     but the file has {file_length} bytes: is it truncated?",
                    tensor.bytes
                ));
            }
        }
    }
    check_names(&tensors)?;
    tensors.sort_by_key(|tensor| (tensor.offset, tensor.bytes));
    check_overlaps(&tensors)?;
    Ok(tensors)
}

fn check_names(tensors: &[TensorInfo]) -> Result<()> {
    let mut names = HashSet::new();
    for tensor in tensors {
        if !names.insert(&tensor.name) {
            return bad(format!(
                "gguf tensor {} is there twice",
                printable(&tensor.name)
            ));
        }
    }
    Ok(())
}

fn check_overlaps(tensors: &[TensorInfo]) -> Result<()> {
    for pair in tensors.windows(2) {
        if pair[0].offset + pair[0].bytes > pair[1].offset {
            return bad(format!(
                "gguf tensors {} and {} overlap: the first takes {} bytes from {} on, the second begins at {}",
                printable(&pair[0].name),
                printable(&pair[1].name),
                pair[0].bytes,
                pair[0].offset,
                pair[1].offset
            ));
        }
    }
    Ok(())
}
