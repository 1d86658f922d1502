//! The format from before PyTorch 1.6, which `torch.save` still writes if told to: five pickles (a mark,
//! a version, facts about the machine, the checkpoint itself, the names of its storages), then the
//! storages in the order of their names, each behind the count of its numbers.
//! <https://github.com/pytorch/pytorch/blob/v2.9.0/torch/serialization.py>, `_legacy_save`.

use super::header::{Entry, LocalHeader};
use super::objects::{Objects, Value};
use super::pickle::{First, load_first};
use crate::weights::{ReadAt, bad, printable};
use crate::{Error, Result};
use std::collections::HashMap;

/// The first pickle, without its end: the number 0x1950a86a20f9469cfc6c.
pub(super) const START: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// The version of the format, which has never been another.
const PROTOCOL: i64 = 1001;

/// Where the storages lie.
pub(super) struct Legacy {
    storages: HashMap<String, Entry>,
    /// The counts in front of them, which remain to be checked.
    pub headers: Vec<LocalHeader>,
}

/// Reads the pickles, and hands what the checkpoint holds and where its storages lie to `list`.
pub(super) fn read<T>(
    file: &dyn ReadAt,
    longest: u64,
    list: impl FnOnce(&Objects, Legacy) -> Result<T>,
) -> Result<T> {
    // Nothing says how long the pickles are: a longer and longer beginning is tried.
    let mut length = 1 << 17;
    loop {
        let beginning = file.read_at(0, file.len().min(length) as usize)?;
        match pickles(&beginning)? {
            Pickles::Whole(objects, keys, end) => {
                let legacy = Legacy::locate(&objects, &keys, end as u64, file.len())?;
                return list(&objects, legacy);
            }
            Pickles::EndEarly(error) if length >= file.len() => return Err(error),
            Pickles::EndEarly(_) if length >= 4 * longest => {
                return bad(format!(
                    "the pytorch file's pickles take more than {length} bytes"
                ));
            }
            Pickles::EndEarly(_) => length *= 2,
        }
    }
}

enum Pickles<'p> {
    /// The checkpoint, the names of its storages, and where the storages begin.
    Whole(Objects<'p>, Objects<'p>, usize),
    EndEarly(Error),
}

/// Reads the four pickles behind the mark.
fn pickles(beginning: &[u8]) -> Result<Pickles<'_>> {
    let mut position = START.len() + 1; // and the end of the first
    let mut read = Vec::new();
    while read.len() < 4 {
        match load_first(beginning.get(position..).unwrap_or_default())? {
            First::EndsEarly(error) => return Ok(Pickles::EndEarly(error)),
            First::Whole(objects, length) => {
                position += length;
                read.push(objects);
            }
        }
    }
    let [version, machine, checkpoint, keys] = <[Objects; 4]>::try_from(read)
        .map_err(|_| Error::BadWeights("four pickles were read, and no more".to_string()))?;
    if version.root != Value::Integer(PROTOCOL) {
        return bad(format!(
            "the pytorch file's version is not {PROTOCOL}: it is of no PyTorch that is known"
        ));
    }
    let facts = machine.dictionary(machine.root).into_iter().flatten();
    let big_endian = (Value::Text("little_endian"), Value::Bool(false));
    if facts.into_iter().any(|fact| *fact == big_endian) {
        return bad("the pytorch file is big endian, only little endian is supported");
    }
    Ok(Pickles::Whole(checkpoint, keys, position))
}

impl Legacy {
    /// Finds the storages: they follow each other from `start` on, in the order of `keys`.
    fn locate(objects: &Objects, keys: &Objects, start: u64, file_length: u64) -> Result<Self> {
        let known: HashMap<&str, _> = objects
            .storages()
            .map(|storage| (storage.key, (storage.format, storage.length)))
            .collect();
        let Some(keys) = keys.list(keys.root) else {
            return bad("the pytorch file does not name its storages");
        };
        let mut legacy = Legacy {
            storages: HashMap::new(),
            headers: Vec::new(),
        };
        let mut position = start;
        for key in keys {
            let Value::Text(key) = key else {
                return bad("the pytorch file names a storage by something else than text");
            };
            let Some((format, Some(count))) = known.get(key) else {
                let key = printable(key);
                return bad(format!(
                    "the pytorch file holds a storage {key} of which it does not say how long it is"
                ));
            };
            let header = LocalHeader::of_count(position, *count);
            let bytes = count.checked_mul(format.block_bytes() as u64);
            let end = bytes.and_then(|bytes| header.data.checked_add(bytes));
            let (Some(bytes), Some(end)) = (bytes, end.filter(|end| *end <= file_length)) else {
                return bad(format!(
                    "storage {} of the pytorch file has {count} numbers from byte {} on, but the \
                     file has {file_length} bytes: it is truncated",
                    printable(key),
                    header.data
                ));
            };
            let offset = header.data;
            legacy
                .storages
                .insert(key.to_string(), Entry { offset, bytes });
            legacy.headers.push(header);
            position = end;
        }
        Ok(legacy)
    }

    /// Reads and checks the headers, instead of leaving them to be checked.
    pub fn check_headers(&mut self, file: &dyn ReadAt) -> Result<()> {
        for header in self.headers.drain(..) {
            let bytes = file.read_at(header.at, header.length() as usize)?;
            if !header.agrees(&bytes) {
                return bad(format!(
                    "a tensor of the pytorch file {}",
                    header.disagreement()
                ));
            }
        }
        Ok(())
    }

    /// Where the storage lies that the tensor `what` refers to.
    pub fn storage(&mut self, key: &str, what: &str) -> Result<Entry> {
        match self.storages.get(key) {
            Some(entry) => Ok(*entry),
            None => bad(format!(
                "{what} is in storage {}, which the file lacks",
                printable(key)
            )),
        }
    }
}
