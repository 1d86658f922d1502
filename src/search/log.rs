//! The file of an album: a log of records, only ever appended to, each with its checksums.
//!
//! ```text
//! record = head (64 bytes) | keys | codes | vectors | zeros up to a multiple of 64
//! ```
//!
//! | Kind | keys | codes | vectors |
//! |---|---|---|---|
//! | Start | JSON: the format, the width, the model | | |
//! | Centre | | | the centre of all further codes, f32 |
//! | Add | JSON: a list of keys | code and factor (f32) of each | the vectors, f16 |
//! | Delete | JSON: a list of keys | | |
//!
//! Numbers are little-endian. A record is written and flushed before the next one is begun, so
//! nothing but the last one can be torn; a torn one is cut off when the album is opened. Damage
//! anywhere else is an error, and nothing is cut off.

use super::store::Store;
use crate::{Error, Result};

const MAGIC: [u8; 8] = *b"obsALBM1";
/// Records begin at multiples of this; a head is as long.
const ALIGNMENT: u64 = 64;
/// Bytes looked at together for what follows a damaged place.
const WINDOW: usize = 1 << 20;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whose album this is: the first record.
    Start = 1,
    /// What further codes are relative to.
    Centre = 2,
    /// Vectors with their keys; a key that is there already gets the new vector.
    Add = 3,
    /// Keys that are no more.
    Delete = 4,
}

/// The parts of a record that is written.
#[derive(Debug, Default)]
pub struct Body {
    /// JSON.
    pub keys: Vec<u8>,
    /// Codes with factors.
    pub codes: Vec<u8>,
    /// Vectors.
    pub vectors: Vec<u8>,
}

/// Where a record is and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// What it says.
    pub kind: Kind,
    /// How many keys.
    pub count: u32,
    /// Where it begins.
    pub at: u64,
    /// Its place among the records, from 0 on.
    number: u64,
    keys: u64,
    codes: u64,
    vectors: u64,
    body_checksum: u32,
    vectors_checksum: u32,
}

impl Head {
    /// Where its vectors begin.
    pub fn vectors_at(&self) -> u64 {
        self.at + ALIGNMENT + self.keys + self.codes
    }

    fn end(&self) -> Option<u64> {
        let body = self
            .keys
            .checked_add(self.codes)?
            .checked_add(self.vectors)?;
        let end = self.at.checked_add(ALIGNMENT)?.checked_add(body)?;
        end.checked_next_multiple_of(ALIGNMENT)
    }

    fn to_bytes(&self) -> [u8; ALIGNMENT as usize] {
        let mut bytes = [0; ALIGNMENT as usize];
        bytes[..8].copy_from_slice(&MAGIC);
        let fields: [&[u8]; 8] = [
            &(self.kind as u32).to_le_bytes(),
            &self.count.to_le_bytes(),
            &self.keys.to_le_bytes(),
            &self.codes.to_le_bytes(),
            &self.vectors.to_le_bytes(),
            &self.body_checksum.to_le_bytes(),
            &self.vectors_checksum.to_le_bytes(),
            &self.number.to_le_bytes(),
        ];
        let mut at = MAGIC.len();
        for field in fields {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        }
        let checksum = crc32fast::hash(&bytes[..60]);
        bytes[60..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// None if these are no head's bytes.
    fn parse(bytes: &[u8], at: u64) -> Option<Self> {
        let short = |from: usize| {
            Some(u32::from_le_bytes(
                bytes.get(from..from + 4)?.try_into().ok()?,
            ))
        };
        let long = |from: usize| {
            Some(u64::from_le_bytes(
                bytes.get(from..from + 8)?.try_into().ok()?,
            ))
        };
        if bytes.get(..8)? != MAGIC || crc32fast::hash(bytes.get(..60)?) != short(60)? {
            return None;
        }
        let kinds = [Kind::Start, Kind::Centre, Kind::Add, Kind::Delete];
        let kind = short(8)?;
        Some(Self {
            kind: kinds.into_iter().find(|known| *known as u32 == kind)?,
            count: short(12)?,
            at,
            keys: long(16)?,
            codes: long(24)?,
            vectors: long(32)?,
            body_checksum: short(40)?,
            vectors_checksum: short(44)?,
            number: long(48)?,
        })
    }
}

/// The records of a file.
#[derive(Debug)]
pub struct Log<S> {
    store: S,
    /// Where the next record begins.
    end: u64,
    /// How many there are.
    records: u64,
}

impl<S: Store> Log<S> {
    /// Finds the whole records of a file and cuts a torn one off the end.
    pub fn open(mut store: S) -> Result<(Self, Vec<Head>)> {
        let size = store.size()?;
        if size > 0 {
            check_beginning(&store, size)?;
        }
        let mut heads = Vec::new();
        let mut end = 0;
        while let Some((head, next)) = next_head(&store, end, heads.len() as u64, size)? {
            heads.push(head);
            end = next;
        }
        if let Some(last) = heads.last()
            && !is_whole(&store, last)?
        {
            if end != size {
                return Err(damaged(last.at));
            }
            end = last.at;
            heads.pop();
        }
        if end < size {
            if let Some(at) = next_record(&store, end, size)? {
                return Err(Error::Integrity(format!(
                    "the album's file is damaged at byte {end}, and goes on at byte {at}: nothing was changed; restore it from a copy or an export"
                )));
            }
            store.truncate(end)?;
            store.flush()?;
        }
        let records = heads.len() as u64;
        Ok((
            Self {
                store,
                end,
                records,
            },
            heads,
        ))
    }

    /// Appends a record and returns its head when it is safe. If that fails, the log is as before.
    pub fn append(&mut self, kind: Kind, count: usize, body: &Body) -> Result<Head> {
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&body.keys);
        checksum.update(&body.codes);
        let head = Head {
            kind,
            count: count as u32,
            at: self.end,
            number: self.records,
            keys: body.keys.len() as u64,
            codes: body.codes.len() as u64,
            vectors: body.vectors.len() as u64,
            body_checksum: checksum.finalize(),
            vectors_checksum: crc32fast::hash(&body.vectors),
        };
        let mut bytes = [&head.to_bytes()[..], &body.keys, &body.codes, &body.vectors].concat();
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT as usize), 0);
        let written = self
            .store
            .write(self.end, &bytes)
            .and_then(|()| self.store.flush());
        if let Err(error) = written {
            // What is left of it would be taken for a torn record; gone is better still.
            let _ = self.store.truncate(self.end);
            return Err(error);
        }
        self.end += bytes.len() as u64;
        self.records += 1;
        Ok(head)
    }

    /// Deletes all records.
    pub fn clear(&mut self) -> Result<()> {
        self.store.truncate(0)?;
        self.store.flush()?;
        (self.end, self.records) = (0, 0);
        Ok(())
    }

    /// Keys and codes of a record, found undamaged.
    pub fn body(&self, head: &Head) -> Result<(Vec<u8>, Vec<u8>)> {
        let mut keys = self.part(head.at + ALIGNMENT, head.keys + head.codes)?;
        if crc32fast::hash(&keys) != head.body_checksum {
            return Err(damaged(head.at));
        }
        let codes = keys.split_off(head.keys as usize);
        Ok((keys, codes))
    }

    /// A centre.
    pub fn vectors(&self, head: &Head) -> Result<Vec<u8>> {
        let bytes = self.part(head.vectors_at(), head.vectors)?;
        match crc32fast::hash(&bytes) == head.vectors_checksum {
            true => Ok(bytes),
            false => Err(damaged(head.at)),
        }
    }

    fn part(&self, at: u64, length: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length as usize];
        self.store.read(at, &mut bytes)?;
        Ok(bytes)
    }

    /// The file.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The file, of which the log is done.
    pub fn into_store(self) -> S {
        self.store
    }

    /// Length in bytes, and in records.
    pub fn length(&self) -> (u64, u64) {
        (self.end, self.records)
    }
}

/// Another program's file is left alone. What was torn while it was made is all zeros, or nearly
/// nothing.
fn check_beginning(store: &impl Store, size: u64) -> Result<()> {
    let mut bytes = vec![0; size.min(ALIGNMENT) as usize];
    store.read(0, &mut bytes)?;
    let start = &bytes[..bytes.len().min(MAGIC.len())];
    if MAGIC.starts_with(start) || start.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    Err(Error::BadInput(
        "the file is not an album of obscura".to_string(),
    ))
}

/// The record at `at` and where the next one begins, if all of it is there.
fn next_head(store: &impl Store, at: u64, number: u64, size: u64) -> Result<Option<(Head, u64)>> {
    if size < at + ALIGNMENT {
        return Ok(None);
    }
    let mut bytes = [0; ALIGNMENT as usize];
    store.read(at, &mut bytes)?;
    let head = Head::parse(&bytes, at).filter(|head| head.number == number);
    Ok(head.and_then(|head| {
        let end = head.end().filter(|end| *end <= size)?;
        Some((head, end))
    }))
}

/// Whether all of a record is what was written.
fn is_whole(store: &impl Store, head: &Head) -> Result<bool> {
    let mut at = head.at + ALIGNMENT;
    for (length, expected) in [
        (head.keys + head.codes, head.body_checksum),
        (head.vectors, head.vectors_checksum),
    ] {
        let mut checksum = crc32fast::Hasher::new();
        let end = at + length;
        while at < end {
            let mut bytes = vec![0; (end - at).min(WINDOW as u64) as usize];
            store.read(at, &mut bytes)?;
            checksum.update(&bytes);
            at += bytes.len() as u64;
        }
        if checksum.finalize() != expected {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where, behind a place that is no record, there is one.
fn next_record(store: &impl Store, after: u64, size: u64) -> Result<Option<u64>> {
    let mut at = after + ALIGNMENT;
    while at + ALIGNMENT <= size {
        let mut bytes = vec![0; (size - at).min(WINDOW as u64) as usize];
        store.read(at, &mut bytes)?;
        let heads = bytes.chunks_exact(ALIGNMENT as usize);
        let found = heads
            .enumerate()
            .find(|(_, bytes)| Head::parse(bytes, 0).is_some());
        if let Some((index, _)) = found {
            return Ok(Some(at + index as u64 * ALIGNMENT));
        }
        at += WINDOW as u64;
    }
    Ok(None)
}

fn damaged(at: u64) -> Error {
    Error::Integrity(format!(
        "the album's file is damaged in the record at byte {at}: nothing was changed; restore it from a copy or an export"
    ))
}
