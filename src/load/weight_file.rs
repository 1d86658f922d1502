//! A file with weights: opened once for its table, then read tensor by tensor, each converted to the
//! format that is asked for.

use super::Files;
use super::reader::Reader;
use super::table::{Table, read_table};
use crate::weights::pytorch::LocalHeader;
use crate::weights::{Format, TensorInfo, blocks};
use crate::{Error, Result};
use std::collections::{BTreeMap, VecDeque};

/// Bytes of a tensor that are read at a time, at most.
pub(super) const LARGEST_READ: u64 = 1 << 24;

/// The SHA-256 of files, in hexadecimal, by name.
pub type Promises = BTreeMap<String, String>;

/// What is done to numbers of a tensor, from the one at a place on.
pub(super) type Change<'c> = &'c dyn Fn(usize, &mut [f32]);

/// A file with weights.
pub(super) struct WeightFile<F> {
    pub reader: Reader<F>,
    /// What it is called in messages: nothing, if it is the model's only file.
    label: String,
    /// Headers that have to be checked on the way to the tensors behind them.
    headers: VecDeque<LocalHeader>,
}

impl<F: Files + Clone> WeightFile<F> {
    /// Opens a file and reads its table; `label` is what it is called in messages.
    pub async fn open(
        files: &F,
        name: &str,
        size: u64,
        promises: &Promises,
        label: String,
    ) -> Result<(Self, Table)> {
        let promise = promise(promises, name)?;
        let mut reader = Reader::new(files.clone(), name, size, promise);
        let table = read_table(&mut reader).await;
        let mut table = table.map_err(|error| named(&label, error))?;
        let headers = std::mem::take(&mut table.headers).into();
        let file = Self {
            reader,
            label,
            headers,
        };
        Ok((file, table))
    }
}

impl<F: Files> WeightFile<F> {
    /// A tensor's bytes in `format`, its numbers changed before.
    pub async fn fetch(
        &mut self,
        tensor: &TensorInfo,
        format: Format,
        change: Option<Change<'_>>,
    ) -> Result<Vec<u8>> {
        let fetched = match self.skip_header(tensor).await {
            Ok(()) => fetch(&mut self.reader, tensor, format, change).await,
            Err(error) => Err(error),
        };
        fetched.map_err(|error| self.of_tensor(tensor, error))
    }

    /// Puts the file's name in front of a complaint.
    pub fn named(&self, error: Error) -> Error {
        named(&self.label, error)
    }

    /// The same with a tensor's name, unless the complaint has it already.
    pub fn of_tensor(&self, tensor: &TensorInfo, error: Error) -> Error {
        self.named(of_tensor(tensor, error))
    }

    /// Checks the header in front of a tensor that was located without it.
    async fn skip_header(&mut self, tensor: &TensorInfo) -> Result<()> {
        let mut passed = None;
        while let Some(header) = self
            .headers
            .pop_front_if(|header| header.data <= tensor.offset)
        {
            passed = Some(header);
        }
        let Some(header) = passed else {
            return Ok(());
        };
        let bytes = self.reader.read(header.at, header.data - header.at).await?;
        if header.agrees(&bytes) {
            return Ok(());
        }
        Err(Error::BadWeights(header.disagreement().to_string()))
    }
}

/// A tensor's bytes in `format`, read and converted piece by piece.
async fn fetch<F: Files>(
    reader: &mut Reader<F>,
    tensor: &TensorInfo,
    format: Format,
    change: Option<Change<'_>>,
) -> Result<Vec<u8>> {
    /// Whole blocks of every format.
    const BLOCK: usize = 256;
    let piece = match tensor.format.bytes(BLOCK) {
        Some(block) if tensor.strides.is_none() => LARGEST_READ - LARGEST_READ % block as u64,
        _ => tensor.bytes,
    };
    let mut converted = Vec::new();
    let mut position = 0;
    while position < tensor.bytes {
        let length = piece.min(tensor.bytes - position);
        let bytes = reader.read(tensor.offset + position, length).await?;
        let bytes = tensor.in_order(bytes);
        let numbers_of =
            |bytes: usize| bytes / tensor.format.block_bytes() * tensor.format.block_length();
        let first = numbers_of(super::fits(position)?);
        let bytes = if tensor.format == format && change.is_none() {
            bytes
        } else {
            let merge = |place: usize, values: &mut [f32]| {
                if let Some(change) = change {
                    change(first + place, values);
                }
            };
            let elements = numbers_of(bytes.len());
            blocks::convert_changed(tensor.format, format, &bytes, elements, merge)?
        };
        position += length;
        if converted.is_empty() {
            converted = bytes;
            let whole = format.bytes(tensor.elements()).unwrap_or(0);
            converted.reserve_exact(whole.saturating_sub(converted.len()));
        } else {
            converted.extend_from_slice(&bytes);
        }
    }
    Ok(converted)
}

/// The SHA-256 promised for a file with weights. Where any are promised, those must be.
fn promise<'p>(promises: &'p Promises, file: &str) -> Result<Option<&'p str>> {
    match promises.get(file) {
        None if !promises.is_empty() => Err(Error::BadInput(format!(
            "sha256 is given, but not of {file}, which holds weights"
        ))),
        found => Ok(found.map(String::as_str)),
    }
}

/// Puts a file's or a model's name in front of a complaint about its contents.
pub(crate) fn named(name: &str, error: Error) -> Error {
    match error {
        Error::BadWeights(message) if !name.is_empty() => {
            Error::BadWeights(format!("{name}: {message}"))
        }
        other => other,
    }
}

/// Says which tensor a complaint is about, unless it does already.
fn of_tensor(tensor: &TensorInfo, error: Error) -> Error {
    match error {
        Error::BadWeights(message) if !message.contains(&tensor.name) => {
            Error::BadWeights(format!("tensor '{}': {message}", tensor.name))
        }
        other => other,
    }
}
