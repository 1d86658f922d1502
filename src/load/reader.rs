//! One file's bytes, asked for in order and never twice: what has been read for a header is kept
//! until the tensors that it reaches into have been read. Where a SHA-256 is promised, every byte
//! goes through the hash on its way.

use super::{Files, fits};
use crate::weights::{Parsed, ReadAt};
use crate::{Error, Result};
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest, Sha256};
use std::cell::Cell;

/// Bytes of a header that are asked for first.
const FIRST: u64 = 1 << 17;
/// A header longer than this is not believed.
const LONGEST_HEADER: u64 = 1 << 28;
/// Bytes read at a time where only the hash needs them.
const PIECE: u64 = 1 << 22;

/// A file that is read from front to back.
pub(super) struct Reader<F> {
    files: F,
    /// The file's name.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Runs of bytes in memory, in order and apart.
    kept: Vec<(u64, Vec<u8>)>,
    hash: Option<Hash>,
}

struct Hash {
    expected: String,
    state: Sha256,
    /// How many bytes have gone through.
    position: u64,
}

/// How far the hash of a file has come: so many bytes, and the hash's inner state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hashed {
    pub position: u64,
    pub state: Vec<u8>,
}

impl<F: Files> Reader<F> {
    /// A reader of the file `name`, which has `size` bytes and perhaps a promised SHA-256.
    pub fn new(files: F, name: &str, size: u64, sha256: Option<&str>) -> Self {
        Self {
            files,
            name: name.to_string(),
            size,
            kept: Vec::new(),
            hash: sha256.map(|expected| Hash {
                expected: expected.to_lowercase(),
                state: Sha256::new(),
                position: 0,
            }),
        }
    }

    /// What `parse` makes of the file's beginning, of which more and more is read until it is
    /// enough.
    pub async fn header<T>(
        &mut self,
        parse: impl Fn(&[u8], u64) -> Result<Parsed<T>>,
    ) -> Result<T> {
        let mut length = FIRST;
        loop {
            self.keep(0, length.min(self.size)).await?;
            let beginning = self.kept.first().map_or(&[][..], |(_, bytes)| bytes);
            match parse(beginning, self.size)? {
                Parsed::Complete(header) => return Ok(header),
                Parsed::Incomplete if length >= self.size => {
                    return Err(Error::BadWeights(
                        "the file ends in its header: it is truncated".to_string(),
                    ));
                }
                Parsed::Incomplete if length >= LONGEST_HEADER => {
                    return Err(Error::BadWeights(format!(
                        "the header takes more than {LONGEST_HEADER} bytes"
                    )));
                }
                Parsed::Incomplete => length *= 2,
            }
        }
    }

    /// What `parse` makes of a file that it reads here and there: it is run again after each piece
    /// that it turned out to need.
    pub async fn scattered<T>(
        &mut self,
        mut parse: impl FnMut(&dyn ReadAt) -> Result<T>,
    ) -> Result<T> {
        // The end of an archive says what is in it.
        let tail = self.size.saturating_sub(FIRST);
        self.keep(tail, self.size - tail).await?;
        loop {
            let known = Known {
                size: self.size,
                kept: &self.kept,
                missing: Cell::new(None),
            };
            let result = parse(&known);
            match known.missing.get() {
                None => return result,
                Some((offset, length)) => {
                    let length = length.max(PAGE.min(self.size - offset));
                    self.keep(offset, length).await?;
                }
            }
        }
    }

    /// How far the hash has come.
    pub fn hashed(&self) -> Option<Hashed> {
        let hash = self.hash.as_ref()?;
        Some(Hashed {
            position: hash.position,
            state: hash.state.serialize().to_vec(),
        })
    }

    /// Goes on with the hash of an earlier load of the same file.
    pub fn resume(&mut self, hashed: &Hashed) {
        let state = SerializedState::<Sha256>::try_from(&hashed.state[..]);
        let state = state
            .ok()
            .and_then(|state| Sha256::deserialize(&state).ok());
        if let (Some(hash), Some(state)) = (&mut self.hash, state) {
            hash.position = hashed.position;
            hash.state = state;
        }
    }

    /// These bytes, which stay in memory until they are read.
    pub async fn look(&mut self, offset: u64, length: u64) -> Result<Vec<u8>> {
        self.keep(offset, length.min(self.size.saturating_sub(offset)))
            .await?;
        self.take(offset, length).await
    }

    /// Exactly these bytes. What lies before them is forgotten.
    pub async fn read(&mut self, offset: u64, length: u64) -> Result<Vec<u8>> {
        self.pass(offset).await?;
        let bytes = self.take(offset, length).await?;
        if let Some(hash) = self
            .hash
            .as_mut()
            .filter(|hash| hash.position <= offset + length)
        {
            let new = fits(offset + length - hash.position)?;
            hash.state.update(&bytes[bytes.len() - new..]);
            hash.position = offset + length;
        }
        self.kept
            .retain(|(start, bytes)| start + bytes.len() as u64 > offset);
        Ok(bytes)
    }

    /// Reads what remains, if there is a hash to be checked, and checks it.
    pub async fn finish(&mut self) -> Result<()> {
        self.pass(self.size).await?;
        let Some(hash) = self.hash.take() else {
            return Ok(());
        };
        check_sha256(&self.name, hash.state, &hash.expected)
    }

    /// Puts everything before `offset` through the hash.
    async fn pass(&mut self, offset: u64) -> Result<()> {
        while let Some(position) = self.hash.as_ref().map(|hash| hash.position) {
            if position >= offset {
                break;
            }
            let bytes = self.take(position, PIECE.min(offset - position)).await?;
            if let Some(hash) = &mut self.hash {
                hash.state.update(&bytes);
                hash.position += bytes.len() as u64;
            }
        }
        Ok(())
    }

    /// Makes sure that these bytes lie in one run in memory.
    async fn keep(&mut self, offset: u64, length: u64) -> Result<()> {
        let end = offset + length;
        let first = self
            .kept
            .iter()
            .position(|(start, bytes)| start + bytes.len() as u64 >= offset)
            .filter(|first| self.kept[*first].0 <= offset);
        let Some(first) = first else {
            let bytes = self.take(offset, length).await?;
            self.kept
                .retain(|(start, _)| !(offset..end).contains(start));
            self.kept.push((offset, bytes));
            self.kept.sort_by_key(|(start, _)| *start);
            return Ok(());
        };
        let known = self.kept[first].0 + self.kept[first].1.len() as u64;
        if known < end {
            let more = self.take(known, end - known).await?;
            self.kept[first].1.extend_from_slice(&more);
            self.kept.retain(|(start, _)| !(known..end).contains(start));
        }
        Ok(())
    }

    /// These bytes, from memory as far as they are there.
    async fn take(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        let end = offset.checked_add(length).filter(|end| *end <= self.size);
        let Some(end) = end else {
            return Err(too_short(self.size, offset, length));
        };
        let mut bytes = Vec::new();
        let mut position = offset;
        for (start, run) in &self.kept {
            let run_end = start + run.len() as u64;
            if run_end <= position || *start >= end {
                continue;
            }
            if position < *start {
                self.ask(&mut bytes, position, start - position, length)
                    .await?;
                position = *start;
            }
            let part = run_end.min(end) - position;
            let from = fits(position - start)?;
            bytes.extend_from_slice(&run[from..from + fits(part)?]);
            position += part;
        }
        if position < end {
            self.ask(&mut bytes, position, end - position, length)
                .await?;
        }
        Ok(bytes)
    }

    /// Appends bytes of the source to what will be `total` bytes long.
    async fn ask(&self, bytes: &mut Vec<u8>, offset: u64, length: u64, total: u64) -> Result<()> {
        let answer = self.files.read(&self.name, offset, length).await?;
        if answer.len() as u64 != length {
            return Err(Error::BadWeights(format!(
                "{length} bytes were asked for at {offset}, but {} came",
                answer.len()
            )));
        }
        if bytes.is_empty() {
            *bytes = answer;
        } else {
            bytes.reserve_exact(fits(total)?.saturating_sub(bytes.len()));
            bytes.extend_from_slice(&answer);
        }
        Ok(())
    }
}

/// Bytes that are read at least where a file is looked into here and there.
const PAGE: u64 = 1 << 13;

/// A file of which some runs of bytes are known.
struct Known<'k> {
    size: u64,
    kept: &'k [(u64, Vec<u8>)],
    /// What was asked for in vain: offset and length.
    missing: Cell<Option<(u64, u64)>>,
}

impl ReadAt for Known<'_> {
    fn len(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        let wanted = length as u64;
        if offset.checked_add(wanted).is_none_or(|end| end > self.size) {
            return Err(too_short(self.size, offset, wanted));
        }
        for (start, bytes) in self.kept {
            let Some(skipped) = offset.checked_sub(*start) else {
                continue;
            };
            if skipped + wanted <= bytes.len() as u64 {
                let skipped = skipped as usize;
                return Ok(bytes[skipped..skipped + length].to_vec());
            }
        }
        if self.missing.get().is_none() {
            self.missing.set(Some((offset, wanted)));
        }
        Err(Error::BadWeights("not read yet".to_string()))
    }
}

/// Checks a whole file against the SHA-256 that was promised for it.
pub(super) fn check_sha256(file: &str, state: Sha256, expected: &str) -> Result<()> {
    let found: String = state
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if found == expected.to_lowercase() {
        return Ok(());
    }
    Err(Error::Integrity(format!(
        "{file} has the SHA-256 {found}, but {expected} was promised: it is damaged, or another file"
    )))
}

fn too_short(size: u64, offset: u64, length: u64) -> Error {
    Error::BadWeights(format!(
        "the file has {size} bytes, but {length} are needed at {offset}: it is truncated"
    ))
}
