//! PyTorch checkpoints (`pytorch_model.bin`): what `torch.save` of a dictionary of tensors writes
//! since PyTorch 1.6, a zip archive with a pickle that describes the tensors, and their data.
//!
//! A pickle is a program that could do anything. It is not run here, but read: [`pickle`] knows the
//! few instructions and the few classes that a checkpoint needs, and refuses everything else.

mod archive;
mod objects;
mod pickle;

use super::{Format, LONGEST_NAME, ReadAt, TensorInfo, bad, element_count, printable};
use crate::Result;
use archive::Archive;
pub use archive::LocalHeader;
use objects::{Dictionary, Objects, Storage, Tensor, Value};
use std::collections::HashSet;

/// A table longer than this is not believed; that of a model with 1,000 tensors takes 200 KB.
const LARGEST_PICKLE: u64 = 16_000_000;

/// Where a checkpoint's dictionary of tensors may be, if it is not the outermost one.
const INNER_DICTIONARIES: [&str; 4] = ["state_dict", "model_state_dict", "model", "module"];

/// The first pickle of a file from before PyTorch 1.6: the number 0x1950a86a20f9469cfc6c.
const LEGACY_START: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// Reads the table of tensors, in the order of their bytes in the file. Tensors that share their
/// bytes are listed under each of their names; what is not a tensor is passed over.
pub fn table(file: &dyn ReadAt) -> Result<Vec<TensorInfo>> {
    let (_, tensors) = read_table(file, false)?;
    Ok(tensors)
}

/// The same from the end of a file and its pickle alone, with the headers that remain to be checked
/// when the tensors are read: where one disagrees, [`table`] has to be used.
pub fn foretold_table(file: &dyn ReadAt) -> Result<(Vec<LocalHeader>, Vec<TensorInfo>)> {
    read_table(file, true)
}

fn read_table(file: &dyn ReadAt, foretell: bool) -> Result<(Vec<LocalHeader>, Vec<TensorInfo>)> {
    check_kind(file)?;
    let mut archive = Archive::open(file)?;
    let pickle = archive.pickle(LARGEST_PICKLE)?;
    let objects = pickle::load(&pickle)?;
    let dictionary = state_dictionary(&objects)?;
    if foretell {
        archive.foretell();
    }
    let mut names = HashSet::new();
    let mut tensors = Vec::new();
    for (name, value) in dictionary {
        let (&Value::Text(name), Some(tensor)) = (name, objects.tensor(*value)) else {
            continue;
        };
        if name.len() > LONGEST_NAME || !names.insert(name) {
            let name = printable(name);
            return bad(format!(
                "pytorch tensor {name} is there twice or has too long a name"
            ));
        }
        tensors.push(locate(name, tensor, &mut archive)?);
    }
    tensors.sort_by_key(|tensor| tensor.offset);
    Ok((archive.into_foretold(), tensors))
}

fn check_kind(file: &dyn ReadAt) -> Result<()> {
    let length = file.len().min(LEGACY_START.len() as u64);
    let start = file.read_at(0, length as usize)?;
    if start == LEGACY_START {
        return bad(
            "the pytorch file has the format from before PyTorch 1.6; save it again in the new one: \
             torch.save(torch.load(path, map_location=\"cpu\"), path)",
        );
    }
    if !start.starts_with(b"PK\x03\x04") {
        let found = start[..start.len().min(4)].escape_ascii();
        return bad(format!(
            "not a pytorch file: it begins with \"{found}\" instead of \"PK\\x03\\x04\""
        ));
    }
    Ok(())
}

/// The dictionary that holds the tensors: the outermost one, or one inside it by a usual name.
fn state_dictionary<'o>(objects: &'o Objects<'_>) -> Result<&'o Dictionary<'o>> {
    let Some(outer) = objects.dictionary(objects.root) else {
        return bad("the pytorch file does not hold a dictionary of tensors");
    };
    let has_tensors = |dictionary: &Dictionary| {
        let mut values = dictionary.iter().map(|(_, value)| *value);
        values.any(|value| objects.tensor(value).is_some())
    };
    if has_tensors(outer) {
        return Ok(outer);
    }
    for wanted in INNER_DICTIONARIES {
        let found = outer.iter().find(|(key, _)| *key == Value::Text(wanted));
        let inner = found.and_then(|(_, value)| objects.dictionary(*value));
        if let Some(inner) = inner.filter(|inner| has_tensors(inner)) {
            return Ok(inner);
        }
    }
    bad(format!(
        "the pytorch file holds no tensors, neither in its dictionary nor in one of {}",
        INNER_DICTIONARIES.join(", ")
    ))
}

/// Where a tensor's bytes lie in the file.
fn locate(name: &str, tensor: &Tensor, archive: &mut Archive) -> Result<TensorInfo> {
    let what = format!("pytorch tensor {}", printable(name));
    let Storage { key, format, .. } = tensor.storage;
    let Tensor { shape, .. } = tensor;
    let transposed = is_transposed(tensor, &what)?;
    let width = format.block_bytes() as u64;
    let bytes = element_count(shape).and_then(|elements| format.bytes(elements));
    let Some(bytes) = bytes.map(|bytes| bytes as u64) else {
        return bad(format!(
            "{what} has the shape {shape:?}, which is too large"
        ));
    };
    let entry = archive.storage(key, &what)?;
    let start = tensor.offset.checked_mul(width);
    let end = start.and_then(|start| start.checked_add(bytes));
    let (Some(start), true) = (start, end.is_some_and(|end| end <= entry.bytes)) else {
        return bad(format!(
            "{what} takes {bytes} bytes from number {} of storage {} on, which has {} bytes",
            tensor.offset,
            printable(key),
            entry.bytes
        ));
    };
    Ok(TensorInfo {
        name: name.to_owned(),
        shape: shape.clone(),
        format,
        offset: entry.offset + start,
        bytes,
        transposed,
    })
}

/// Whether a matrix lies column by column, as `weight.T` does. Other orders are refused.
fn is_transposed(tensor: &Tensor, what: &str) -> Result<bool> {
    let Tensor { shape, strides, .. } = tensor;
    if is_dense(shape.iter().zip(strides).rev()) {
        return Ok(false);
    }
    if shape.len() == 2 && is_dense(shape.iter().zip(strides)) {
        return Ok(true);
    }
    bad(format!(
        "{what} of shape {shape:?} has the strides {strides:?}: only contiguous tensors and \
         transposed matrices are supported, save it again after .contiguous()"
    ))
}

/// Whether dimensions, given from the innermost to the outermost, follow each other without gaps.
fn is_dense<'a>(dimensions: impl Iterator<Item = (&'a usize, &'a i64)>) -> bool {
    let mut expected = Some(1_i64);
    let mut dense = true;
    for (&size, &stride) in dimensions {
        if size == 0 {
            return true;
        }
        dense &= size == 1 || Some(stride) == expected;
        let size = i64::try_from(size).ok();
        expected = expected
            .zip(size)
            .and_then(|(stride, size)| stride.checked_mul(size));
    }
    dense
}

/// The number format of a storage class of the `torch` module.
fn storage_format(class: &str) -> Option<Format> {
    let integer = |bytes_per_element| Format::Integer { bytes_per_element };
    Some(match class {
        "DoubleStorage" => Format::F64,
        "FloatStorage" => Format::F32,
        "HalfStorage" => Format::F16,
        "BFloat16Storage" => Format::BF16,
        "LongStorage" => integer(8),
        "IntStorage" => integer(4),
        "ShortStorage" => integer(2),
        "CharStorage" | "ByteStorage" | "BoolStorage" => integer(1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
