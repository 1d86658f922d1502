//! Pages: the values of a column, and before them how they lie in rows and lists ("levels"), in the
//! encodings PLAIN, RLE and RLE_DICTIONARY.
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/>

use super::refused;
use super::thrift::{Reader, Value, decode, varint};
use crate::Result;

pub const PLAIN: i32 = 0;
pub const RLE: i32 = 3;
/// Its older name, and the present one.
const DICTIONARY: [i64; 2] = [2, 8];
const DATA_PAGE: i64 = 0;
const DICTIONARY_PAGE: i64 = 2;
/// Values of a page at most: what is claimed is not believed beyond this.
const MOST_VALUES: usize = 1 << 24;

/// A data page of one column, its header before it. `repetition` and `definition` are levels as
/// [`runs`] writes them; empty where the column has none.
pub fn data_page(values: usize, repetition: &[u8], definition: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(repetition.len() + definition.len() + plain.len() + 8);
    for levels in [repetition, definition] {
        if !levels.is_empty() {
            content.extend((levels.len() as u32).to_le_bytes());
            content.extend(levels);
        }
    }
    content.extend(plain);
    let size = Value::I32(content.len() as i32);
    let header = Value::Struct(vec![
        (1, Value::I32(DATA_PAGE as i32)),
        (2, size.clone()),
        (3, size), // not compressed
        (
            5,
            Value::Struct(vec![
                (1, Value::I32(values as i32)),
                (2, Value::I32(PLAIN)),
                (3, Value::I32(RLE)),
                (4, Value::I32(RLE)),
            ]),
        ),
    ]);
    let mut page = Vec::with_capacity(content.len() + 32);
    header.encode(&mut page);
    page.extend(content);
    page
}

/// Levels of one bit as runs of equal ones: (how often, which).
pub fn runs(of: impl IntoIterator<Item = (usize, u8)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (count, level) in of {
        if count > 0 {
            varint((count as u64) << 1, &mut bytes);
            bytes.push(level);
        }
    }
    bytes
}

/// A page as it lies in a file.
pub struct Page<'b> {
    is_dictionary: bool,
    values: usize,
    encoding: i64,
    content: &'b [u8],
}

/// What the levels of a page's column go up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// 0 for a column without lists, 1 for one of lists.
    pub repetition: u32,
    /// How many of the column's groups may be missing.
    pub definition: u32,
}

/// What a data page says.
pub struct Data<'b> {
    /// Which values begin a row. Empty where each of them does.
    pub starts: Vec<u32>,
    pub count: usize,
    /// None: `values` are PLAIN. Else places in the dictionary.
    pub indices: Option<Vec<u32>>,
    pub values: &'b [u8],
}

impl<'b> Page<'b> {
    /// The page at the beginning of `bytes`, and what follows it.
    pub fn read(bytes: &'b [u8]) -> Result<(Self, &'b [u8])> {
        let torn = || refused("a page is torn");
        let (header, length) = decode(bytes).ok_or_else(torn)?;
        let number = |value: &Value, field| value.field(field).and_then(Value::int);
        let kind = number(&header, 1).ok_or_else(torn)?;
        let size = number(&header, 3).and_then(|size| usize::try_from(size).ok());
        let content = bytes[length..].get(..size.ok_or_else(torn)?);
        let content = content.ok_or_else(torn)?;
        let about = match kind {
            DATA_PAGE => header.field(5),
            DICTIONARY_PAGE => header.field(7),
            other => {
                return Err(refused(&format!(
                    "it has pages of kind {other}, expected data pages of version 1: write it with data_page_version='1.0'"
                )));
            }
        };
        let about = about.ok_or_else(torn)?;
        let values = number(about, 1).and_then(|count| usize::try_from(count).ok());
        let values = values.filter(|count| *count <= MOST_VALUES);
        let page = Self {
            is_dictionary: kind == DICTIONARY_PAGE,
            values: values.ok_or_else(|| refused("a page claims more values than are read"))?,
            encoding: number(about, 2).ok_or_else(torn)?,
            content,
        };
        Ok((page, &bytes[length + content.len()..]))
    }

    /// The values of a dictionary, if this is one: how many, PLAIN.
    pub fn dictionary(&self) -> Option<(usize, &'b [u8])> {
        self.is_dictionary.then_some((self.values, self.content))
    }

    /// The values of a data page, none of which may be missing.
    pub fn data(&self, levels: Levels) -> Result<Data<'b>> {
        let torn = || refused("a page is torn");
        let mut reader = Reader {
            bytes: self.content,
            at: 0,
        };
        let mut starts = Vec::new();
        if levels.repetition > 0 {
            let found = self.levels(&mut reader, levels.repetition)?;
            let zeros = found.iter().enumerate().filter(|(_, level)| **level == 0);
            starts = zeros.map(|(place, _)| place as u32).collect();
        }
        if levels.definition > 0 {
            let found = self.levels(&mut reader, levels.definition)?;
            if found.iter().any(|level| *level != levels.definition) {
                return Err(refused(
                    "a value is missing (null): write rows with values only",
                ));
            }
        }
        let mut data = Data {
            starts,
            count: self.values,
            indices: None,
            values: &self.content[reader.at..],
        };
        if DICTIONARY.contains(&self.encoding) {
            let width = u32::from(reader.byte().ok_or_else(torn)?);
            let rest = &self.content[reader.at..];
            data.indices = Some(hybrid(rest, width, self.values).ok_or_else(torn)?);
        } else if self.encoding != i64::from(PLAIN) {
            return Err(refused(&format!(
                "its values are in encoding {}, expected PLAIN or a dictionary: write it with column_encoding='PLAIN', use_dictionary=False",
                self.encoding
            )));
        }
        Ok(data)
    }

    fn levels(&self, reader: &mut Reader, highest: u32) -> Result<Vec<u32>> {
        let width = u32::BITS - highest.leading_zeros();
        let mut found = || {
            let length = u32::from_le_bytes(reader.take(4)?.try_into().ok()?);
            hybrid(reader.take(length as usize)?, width, self.values)
        };
        found().ok_or_else(|| refused("a page is torn"))
    }
}

/// `count` numbers of `width` bits: runs of equal ones, and groups of eight packed together.
fn hybrid(bytes: &[u8], width: u32, count: usize) -> Option<Vec<u32>> {
    let mut reader = Reader { bytes, at: 0 };
    let mut found = Vec::with_capacity(count);
    while found.len() < count {
        let head = reader.varint()?;
        let left = count - found.len();
        if head & 1 == 0 {
            let run = usize::try_from(head >> 1).ok().filter(|run| *run > 0)?;
            let number = reader.take(width.div_ceil(8) as usize)?;
            let number = number.iter().rev().try_fold(0_u32, |number, byte| {
                number.checked_mul(256)?.checked_add(u32::from(*byte))
            })?;
            found.extend(std::iter::repeat_n(number, run.min(left)));
        } else {
            let groups = usize::try_from(head >> 1)
                .ok()
                .filter(|groups| *groups > 0)?;
            let packed = reader.take(groups.checked_mul(width as usize)?)?;
            let numbers = (0..groups.saturating_mul(8).min(left))
                .map(|place| packed_at(packed, width, place));
            found.extend(numbers);
        }
    }
    Some(found)
}

/// The number at a place among packed ones, the lowest bits first.
fn packed_at(packed: &[u8], width: u32, place: usize) -> u32 {
    let first = place * width as usize;
    let bit = |bit: usize| u32::from(packed[(first + bit) / 8] >> ((first + bit) % 8) & 1) << bit;
    (0..width.min(u32::BITS) as usize).map(bit).sum()
}
