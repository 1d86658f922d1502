//! NumPy's `.npy` files of vectors, `[rows, width]`: how an album's vectors come and go.
//!
//! The format is that of `numpy.lib.format`: a magic text, a version, a header that is a Python
//! dictionary, then the numbers.

use crate::{Error, Result};
use half::f16;

const MAGIC: &[u8] = b"\x93NUMPY";
/// The numbers begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Where the numbers begin, in bytes.
    pub offset: usize,
    /// How many vectors.
    pub rows: usize,
    /// How many numbers a vector.
    pub width: usize,
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    F16,
    F32,
    F64,
}

/// The beginning of a file of f32, in version 1.0.
pub fn header(rows: usize, width: usize) -> Vec<u8> {
    let dictionary =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}");
    let unpadded = MAGIC.len() + 4 + dictionary.len() + 1;
    let padding = unpadded.next_multiple_of(ALIGNMENT) - unpadded;
    let length = (dictionary.len() + padding + 1) as u16;
    let mut bytes = [MAGIC, &[1, 0], &length.to_le_bytes(), dictionary.as_bytes()].concat();
    bytes.resize(bytes.len() + padding, b' ');
    bytes.push(b'\n');
    bytes
}

impl Header {
    /// Reads the header from the first bytes of a file; 64 KiB are enough for any.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let rest = bytes.strip_prefix(MAGIC);
        let rest = rest.ok_or_else(|| refused("it does not begin as an .npy file does"))?;
        let cut_off = || refused("it ends within its header");
        let (length, start) = match rest.first().ok_or_else(cut_off)? {
            1 => (
                rest.get(2..4)
                    .map(|b| u32::from(u16::from_le_bytes([b[0], b[1]]))),
                4,
            ),
            2 | 3 => (
                rest.get(2..6)
                    .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])),
                6,
            ),
            other => return Err(refused(&format!("its version is {other}, expected 1 to 3"))),
        };
        let length = length.ok_or_else(cut_off)? as usize;
        let text = rest[start..].get(..length).ok_or_else(cut_off)?;
        let text = std::str::from_utf8(text).map_err(|_| refused("its header is not text"))?;
        let (rows, width) = shape(text)?;
        Ok(Self {
            offset: MAGIC.len() + start + length,
            rows,
            width,
            format: format(text)?,
        })
    }

    /// Bytes of a vector.
    pub fn row_bytes(&self) -> usize {
        let size = match self.format {
            Format::F16 => 2,
            Format::F32 => 4,
            Format::F64 => 8,
        };
        self.width * size
    }

    /// The numbers of whole vectors.
    pub fn decode(&self, bytes: &[u8]) -> Vec<f32> {
        match self.format {
            Format::F16 => numbers(bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
            Format::F32 => numbers(bytes, f32::from_le_bytes),
            Format::F64 => numbers(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        }
    }
}

fn numbers<const SIZE: usize>(bytes: &[u8], number: impl Fn([u8; SIZE]) -> f32) -> Vec<f32> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|bytes| number(*bytes))
        .collect()
}

/// The value of a key of the dictionary: what follows its colon.
fn value<'h>(header: &'h str, key: &str) -> Result<&'h str> {
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    let found = quoted
        .iter()
        .find_map(|quoted| header.split_once(quoted.as_str()));
    let value = found.and_then(|(_, after)| after.trim_start().strip_prefix(':'));
    let missing = || refused(&format!("its header has no '{key}'"));
    value.map(str::trim_start).ok_or_else(missing)
}

fn shape(header: &str) -> Result<(usize, usize)> {
    let text = value(header, "shape")?;
    let inner = text.strip_prefix('(').and_then(|text| text.split_once(')'));
    let sizes = inner
        .map_or("", |(inner, _)| inner)
        .split(',')
        .map(str::trim);
    let sizes: Vec<&str> = sizes.filter(|size| !size.is_empty()).collect();
    let parsed: Option<Vec<usize>> = sizes.iter().map(|size| size.parse().ok()).collect();
    match parsed.as_deref() {
        Some([rows, width]) => Ok((*rows, *width)),
        _ => Err(refused(&format!(
            "its shape is ({}), expected (vectors, numbers)",
            sizes.join(", ")
        ))),
    }
}

fn format(header: &str) -> Result<Format> {
    if !value(header, "fortran_order")?.starts_with("False") {
        return Err(refused(
            "its numbers lie in Fortran's order: save numpy.ascontiguousarray(vectors)",
        ));
    }
    let text = value(header, "descr")?;
    let descr: String = text
        .chars()
        .skip(1)
        .take_while(|c| *c != '\'' && *c != '"')
        .collect();
    match descr.as_str() {
        "<f2" => Ok(Format::F16),
        "<f4" => Ok(Format::F32),
        "<f8" => Ok(Format::F64),
        other => Err(refused(&format!(
            "its numbers are of type {other}, expected <f4, <f2 or <f8: save vectors.astype('float32')"
        ))),
    }
}

fn refused(why: &str) -> Error {
    Error::BadInput(format!("the .npy file cannot be read: {why}"))
}
