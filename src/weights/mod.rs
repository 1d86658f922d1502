//! Model files: bytes in, a table of tensors out. Nothing here does I/O or knows a model.
//!
//! [`gguf`], [`safetensors`] and [`pytorch`] each read one container into the same [`TensorInfo`]
//! rows, [`blocks`] turns a tensor's bytes into numbers and back. Every count, length and offset
//! comes from outside: it is checked against the file's size before anything is allocated.

pub mod blocks;
mod format;
pub mod gguf;
pub mod pytorch;
pub mod safetensors;
mod strided;
pub mod unlike;

pub use format::Format;

use crate::{Error, Result};

/// One tensor of a file: where its bytes lie and what they mean.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TensorInfo {
    /// The name the file gives it.
    pub name: String,
    /// Row-major, outermost dimension first, as PyTorch prints it. Empty for a scalar.
    pub shape: Vec<usize>,
    /// How its numbers are stored.
    pub format: Format,
    /// First byte, counted from the start of the file.
    pub offset: u64,
    /// Length in bytes of its place in the file: of its numbers and, with [`Self::strides`], of what
    /// lies between them.
    pub bytes: u64,
    /// How many numbers it is from one to the next along each dimension, where they don't lie row by
    /// row: PyTorch saves views such as `weight.T` as they lie in memory. Then the bytes are not to be
    /// used as they are: [`TensorInfo::read`] puts them in order.
    pub strides: Option<Vec<usize>>,
}

impl TensorInfo {
    /// How many numbers the tensor holds.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The tensor's bytes, row by row.
    pub fn read(&self, file: &(impl ReadAt + ?Sized)) -> Result<Vec<u8>> {
        let Ok(length) = usize::try_from(self.bytes) else {
            return bad(format!(
                "tensor {} has {} bytes, which is too large",
                printable(&self.name),
                self.bytes
            ));
        };
        let bytes = file.read_at(self.offset, length)?;
        if bytes.len() != length {
            return bad(format!(
                "tensor {} has {length} bytes, but {} were read",
                printable(&self.name),
                bytes.len()
            ));
        }
        Ok(self.in_order(bytes))
    }

    /// The tensor's bytes row by row, from how they lie in the file.
    pub fn in_order(&self, bytes: Vec<u8>) -> Vec<u8> {
        match &self.strides {
            Some(strides) => strided::gathered(&bytes, &self.shape, strides, self.format),
            None => bytes,
        }
    }

    /// The same tensor with its dimensions in another order: `axes[i]` becomes dimension `i`. Blocks
    /// of several numbers run along the last dimension and cannot be turned.
    pub fn permuted(mut self, axes: &[usize]) -> Result<Self> {
        if self.format.block_length() > 1 || axes.len() != self.shape.len() {
            return bad(format!(
                "tensor {} of shape {:?} and type {} cannot be turned",
                printable(&self.name),
                self.shape,
                self.format
            ));
        }
        let strides = self.strides.take();
        let strides = strides.unwrap_or_else(|| strided::row_by_row(&self.shape));
        let shape: Vec<usize> = axes.iter().map(|axis| self.shape[*axis]).collect();
        let strides: Vec<usize> = axes.iter().map(|axis| strides[*axis]).collect();
        self.strides = (!strided::is_row_by_row(&shape, &strides)).then_some(strides);
        self.shape = shape;
        Ok(self)
    }
}

/// What came of parsing the beginning of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Parsed<T> {
    /// The beginning held everything.
    Complete(T),
    /// Nothing is wrong so far, but a longer beginning is needed.
    Incomplete,
}

/// A file, or anything else that can hand out its bytes in any order.
pub trait ReadAt {
    /// Its length in bytes.
    fn len(&self) -> u64;

    /// Exactly `length` bytes from `offset` on, or an error.
    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>>;

    /// Whether there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ReadAt for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        let start = usize::try_from(offset).ok();
        let end = start.and_then(|start| start.checked_add(length));
        match (start, end) {
            (Some(start), Some(end)) if end <= <[u8]>::len(self) => Ok(self[start..end].to_vec()),
            _ => bad(format!(
                "needed {length} bytes at offset {offset}, but there are only {} bytes: is the file truncated?",
                <[u8]>::len(self)
            )),
        }
    }
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> u64 {
        ReadAt::len(self.as_slice())
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        self.as_slice().read_at(offset, length)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn len(&self) -> u64 {
        (**self).len()
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        (**self).read_at(offset, length)
    }
}

/// The longest tensor name that is believed.
const LONGEST_NAME: usize = 1024;

/// The most dimensions a tensor may have.
const MOST_DIMENSIONS: usize = 8;

/// The product of the dimensions, unless it overflows. A zero anywhere does not hide an overflow.
fn element_count(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1_usize, |product, &size| product.checked_mul(size.max(1)))?;
    Some(shape.iter().product())
}

/// The `Err` for a file that is not what it should be.
fn bad<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::BadWeights(message.into()))
}

/// A name from a file, made safe to print: shortened, control characters escaped.
fn printable(name: &str) -> String {
    const SHOWN: usize = 120;
    let shown: String = name.chars().take(SHOWN).collect();
    let dots = if name.chars().nth(SHOWN).is_some() {
        "..."
    } else {
        ""
    };
    format!("\"{}{dots}\"", shown.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_past_the_end_of_a_slice_is_an_error() {
        let bytes = vec![1_u8, 2, 3, 4];
        assert_eq!(bytes.read_at(1, 3), Ok(vec![2, 3, 4]));
        assert_eq!(bytes.read_at(4, 0), Ok(vec![]));
        for (offset, length) in [(1, 4), (5, 0), (u64::MAX, 1), (1, usize::MAX)] {
            let error = bytes.read_at(offset, length).unwrap_err();
            assert_eq!(error.code(), "bad_weights");
        }
    }

    #[test]
    fn a_zero_dimension_does_not_hide_an_overflow() {
        assert_eq!(element_count(&[]), Some(1));
        assert_eq!(element_count(&[2, 3, 4]), Some(24));
        assert_eq!(element_count(&[5, 0]), Some(0));
        assert_eq!(element_count(&[usize::MAX, 2, 0]), None);
    }
}
