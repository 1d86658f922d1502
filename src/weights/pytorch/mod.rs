//! PyTorch checkpoints (`pytorch_model.bin`, `.pt`, `.pth`, `.ckpt`): what `torch.save` of a dictionary
//! of tensors writes, a pickle that describes the tensors, and their data. Since PyTorch 1.6 they are
//! entries of a zip archive (`archive`), before they followed each other (`legacy`).
//! `torch.jit.save` writes the same archive of a module, whose weights are read and whose code is not.
//!
//! A pickle is a program that could do anything. It is not run here, but read: `pickle` knows the
//! few instructions and `classes` the few classes that a checkpoint needs, and everything else is
//! refused.

mod archive;
mod classes;
mod header;
mod legacy;
mod objects;
mod pickle;

use super::{LONGEST_NAME, ReadAt, TensorInfo, bad, element_count, printable, strided};
use crate::Result;
use archive::Archive;
use header::Entry;
pub use header::LocalHeader;
use legacy::Legacy;
use objects::{Dictionary, Objects, Storage, Tensor, Value};
use std::collections::HashSet;

/// A pickle longer than this is not believed; that of a model with 1,000 tensors takes 200 KB.
const LARGEST_PICKLE: u64 = 16_000_000;

/// Where a checkpoint's dictionary of tensors may be, if it is not the outermost one.
const INNER_DICTIONARIES: [&str; 4] = ["state_dict", "model_state_dict", "model", "module"];

/// What a file holds.
#[derive(Debug)]
pub struct Table {
    /// The tensors, in the order of their bytes in the file. Those that share their bytes are listed
    /// under each of their names; what is not a tensor is passed over.
    pub tensors: Vec<TensorInfo>,
    /// Headers that remain to be checked when the tensors are read: where one disagrees, the file
    /// has to be read with [`table`].
    pub headers: Vec<LocalHeader>,
    /// Whether it is a module of TorchScript, as OpenAI published its models.
    pub is_script: bool,
}

/// Reads the table of tensors and every header.
pub fn table(file: &dyn ReadAt) -> Result<Vec<TensorInfo>> {
    Ok(read_table(file, false)?.tensors)
}

/// Reads it from the pickle and, of an archive, its directory alone.
pub fn foretold_table(file: &dyn ReadAt) -> Result<Table> {
    read_table(file, true)
}

fn read_table(file: &dyn ReadAt, foretell: bool) -> Result<Table> {
    let start = file.read_at(0, file.len().min(legacy::START.len() as u64) as usize)?;
    if start == legacy::START {
        return legacy::read(file, LARGEST_PICKLE, |objects, mut legacy| {
            if !foretell {
                legacy.check_headers(file)?;
            }
            list(objects, &mut Container::Legacy(&mut legacy))
        });
    }
    if !start.starts_with(b"PK\x03\x04") {
        let found = start[..start.len().min(4)].escape_ascii();
        return bad(format!(
            "not a pytorch file: it begins with \"{found}\" instead of \"PK\\x03\\x04\""
        ));
    }
    let mut archive = Archive::open(file)?;
    let pickle = archive.pickle(LARGEST_PICKLE)?;
    let objects = pickle::load(&pickle)?;
    if foretell {
        archive.foretell();
    }
    list(&objects, &mut Container::Archive(&mut archive))
}

/// Where the storages of either format are looked up.
enum Container<'c, 'a> {
    Archive(&'c mut Archive<'a>),
    Legacy(&'c mut Legacy),
}

impl Container<'_, '_> {
    fn storage(&mut self, key: &str, what: &str) -> Result<Entry> {
        match self {
            Container::Archive(archive) => archive.storage(key, what),
            Container::Legacy(legacy) => legacy.storage(key, what),
        }
    }

    fn take_headers(&mut self) -> Vec<LocalHeader> {
        match self {
            Container::Archive(archive) => archive.take_foretold(),
            Container::Legacy(legacy) => std::mem::take(&mut legacy.headers),
        }
    }
}

/// Lists the tensors of what a pickle holds.
fn list(objects: &Objects, container: &mut Container) -> Result<Table> {
    let is_script = objects.script(objects.root).is_some();
    let named = match is_script {
        true => attributes(objects)?,
        false => entries(objects, state_dictionary(objects)?),
    };
    let mut names = HashSet::new();
    let mut tensors = Vec::new();
    for (name, tensor) in named {
        let info = locate(&name, tensor, container)?;
        if name.len() > LONGEST_NAME || !names.insert(name) {
            let name = printable(&info.name);
            return bad(format!(
                "pytorch tensor {name} is there twice or has too long a name"
            ));
        }
        tensors.push(info);
    }
    tensors.sort_by_key(|tensor| tensor.offset);
    Ok(Table {
        tensors,
        headers: container.take_headers(),
        is_script,
    })
}

/// The tensors of a dictionary.
fn entries<'o, 'p>(
    objects: &'o Objects<'p>,
    dictionary: &Dictionary<'p>,
) -> Vec<(String, &'o Tensor<'p>)> {
    let named = dictionary.iter().filter_map(|(name, value)| match name {
        Value::Text(name) => Some((name.to_string(), objects.tensor(*value)?)),
        _ => None,
    });
    named.collect()
}

/// The tensors of a TorchScript module and of those inside it, by the path of their attributes.
fn attributes<'o, 'p>(objects: &'o Objects<'p>) -> Result<Vec<(String, &'o Tensor<'p>)>> {
    /// More attributes than any model has.
    const MOST: usize = 1_000_000;
    let mut found = Vec::new();
    let mut open = vec![(String::new(), objects.root)];
    let mut seen = 0;
    while let Some((path, module)) = open.pop() {
        for (name, value) in objects.script(module).into_iter().flatten() {
            seen += 1;
            let Value::Text(name) = name else { continue };
            let name = format!("{path}{name}");
            if seen > MOST || name.len() > LONGEST_NAME {
                return bad("the pytorch file's module holds itself, or too many others");
            }
            if let Some(tensor) = objects.tensor(*value) {
                found.push((name, tensor));
            } else if objects.script(*value).is_some() {
                open.push((format!("{name}."), *value));
            }
        }
    }
    Ok(found)
}

/// The dictionary that holds the tensors: one inside the outermost by a usual name, or that itself.
fn state_dictionary<'o, 'p>(objects: &'o Objects<'p>) -> Result<&'o Dictionary<'p>> {
    let Some(outer) = objects.dictionary(objects.root) else {
        return bad("the pytorch file does not hold a dictionary of tensors");
    };
    let has_tensors = |dictionary: &Dictionary| {
        let mut values = dictionary.iter().map(|(_, value)| *value);
        values.any(|value| objects.tensor(value).is_some())
    };
    let inner = |dictionary: &Dictionary, wanted: &str| {
        let found = dictionary
            .iter()
            .find(|(key, _)| *key == Value::Text(wanted));
        found.and_then(|(_, value)| objects.dictionary(*value))
    };
    for wanted in INNER_DICTIONARIES {
        let Some(found) = inner(outer, wanted) else {
            continue;
        };
        // A trainer's dictionary may hold a checkpoint's.
        let deeper = INNER_DICTIONARIES.map(|wanted| inner(found, wanted));
        let candidates = deeper.into_iter().flatten().chain([found]);
        if let Some(found) = candidates.into_iter().find(|found| has_tensors(found)) {
            return Ok(found);
        }
    }
    if has_tensors(outer) {
        return Ok(outer);
    }
    bad(format!(
        "the pytorch file holds no tensors, neither in its dictionary nor in one of {}",
        INNER_DICTIONARIES.join(", ")
    ))
}

/// Where a tensor's bytes lie in the file.
fn locate(name: &str, tensor: &Tensor, container: &mut Container) -> Result<TensorInfo> {
    let what = format!("pytorch tensor {}", printable(name));
    let Storage { key, format, .. } = tensor.storage;
    let Tensor { shape, .. } = tensor;
    let width = format.block_bytes() as u64;
    let strides = strides(tensor, &what)?;
    let numbers = match &strides {
        Some(strides) => strided::span(shape, strides),
        None => element_count(shape),
    };
    let bytes = numbers.and_then(|numbers| format.bytes(numbers));
    let Some(bytes) = bytes.map(|bytes| bytes as u64) else {
        return bad(format!(
            "{what} has the shape {shape:?}, which is too large"
        ));
    };
    let entry = container.storage(key, &what)?;
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
        strides,
    })
}

/// How the numbers of a tensor lie, if not row by row. To put them in order takes memory for all that
/// lies between them, so a few numbers far apart are refused, and many in one place.
fn strides(tensor: &Tensor, what: &str) -> Result<Option<Vec<usize>>> {
    /// Numbers that a tensor may span for each that it has.
    const WIDEST: usize = 64;
    /// Numbers that a tensor may have which repeats some of them.
    const LARGEST_REPEATED: usize = 1 << 26;
    let Tensor { shape, strides, .. } = tensor;
    if strided::is_row_by_row(shape, strides) {
        return Ok(None);
    }
    let sizes = element_count(shape).zip(strided::span(shape, strides));
    match sizes {
        Some((elements, span))
            if span / WIDEST <= elements && (span >= elements || elements <= LARGEST_REPEATED) =>
        {
            Ok(Some(strides.clone()))
        }
        _ => bad(format!(
            "{what} of shape {shape:?} has the strides {strides:?}, a small part of a large storage, \
             or one that repeats itself: save it again after .contiguous()"
        )),
    }
}

#[cfg(test)]
mod tests;
