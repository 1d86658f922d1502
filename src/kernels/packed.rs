//! A weight matrix as the kernels read it: 32-bit words on the device, in one of four formats.
//!
//! Every format starts with the values, row after row, each row padded to a multiple of four
//! values; the block formats append one `f32` scale for each block of 32 values. Values of a block
//! keep ggml's order, so a `Q4` word holds elements `4i..4i+4` of its block in the low nibbles and
//! `16+4i..16+4i+4` in the high ones.

use crate::weights::Format;
use crate::weights::blocks::{dequantize_into, quantize};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// Values per block of the quantized formats, as in ggml.
pub const BLOCK: usize = 32;

/// How the values of a [`PackedMatrix`] are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PackedFormat {
    /// One 32-bit float a word.
    F32,
    /// Two half-precision floats a word.
    F16,
    /// Four signed bytes a word, scaled per block (ggml's Q8_0).
    Q8,
    /// Eight 4-bit values a word, offset by 8 and scaled per block (ggml's Q4_0).
    Q4,
}

impl PackedFormat {
    /// The file format whose bytes hold the same values.
    pub fn stored(self) -> Format {
        match self {
            PackedFormat::F32 => Format::F32,
            PackedFormat::F16 => Format::F16,
            PackedFormat::Q8 => Format::Q8_0,
            PackedFormat::Q4 => Format::Q4_0,
        }
    }
}

/// Size and format of a [`PackedMatrix`], all that a kernel has to know besides the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PackedShape {
    /// Outputs of a linear layer, entries of a table.
    pub rows: usize,
    /// Inputs of a linear layer, width of a table.
    pub columns: usize,
    /// How the values are stored.
    pub format: PackedFormat,
}

impl PackedShape {
    /// Columns as stored: padded to whole words of every format.
    pub fn padded_columns(&self) -> usize {
        self.columns.next_multiple_of(4)
    }

    /// Words that hold the values of one row.
    pub fn words_per_row(&self) -> usize {
        match self.format {
            PackedFormat::F32 => self.padded_columns(),
            PackedFormat::F16 => self.padded_columns() / 2,
            PackedFormat::Q8 => self.columns / 4,
            PackedFormat::Q4 => self.columns / 8,
        }
    }

    /// Blocks, and so scales, of one row; zero for the float formats.
    pub fn blocks_per_row(&self) -> usize {
        match self.format {
            PackedFormat::F32 | PackedFormat::F16 => 0,
            PackedFormat::Q8 | PackedFormat::Q4 => self.columns / BLOCK,
        }
    }

    /// Words of the whole matrix, scales included.
    pub fn total_words(&self) -> usize {
        self.rows * (self.words_per_row() + self.blocks_per_row())
    }

    /// Whether rows of this many columns can be stored in this format.
    pub fn fits(format: PackedFormat, columns: usize) -> bool {
        match format {
            PackedFormat::F32 | PackedFormat::F16 => true,
            PackedFormat::Q8 | PackedFormat::Q4 => columns.is_multiple_of(BLOCK),
        }
    }
}

/// A `[rows, columns]` matrix of weights on a device.
#[derive(Debug, Clone)]
pub struct PackedMatrix {
    words: Tensor<1, Int>,
    shape: PackedShape,
}

impl PackedMatrix {
    /// Packs row-major values.
    pub fn from_f32(values: &[f32], shape: PackedShape, device: &Device) -> Self {
        assert_eq!(
            values.len(),
            shape.rows * shape.columns,
            "values of the matrix"
        );
        let bytes = quantize(shape.format.stored(), values).expect("rows of whole blocks");
        Self::from_bytes(&bytes, shape, device)
    }

    /// Takes the values as they are in a file, in the format's [`PackedFormat::stored`] form.
    pub fn from_bytes(bytes: &[u8], shape: PackedShape, device: &Device) -> Self {
        let words = match shape.format {
            PackedFormat::F32 => pad_rows(bytes, shape, 4),
            PackedFormat::F16 => pad_rows(bytes, shape, 2),
            PackedFormat::Q8 => split_blocks(bytes, 32),
            PackedFormat::Q4 => split_blocks(bytes, 16),
        };
        Self::from_words(words, shape, device)
    }

    /// The rows of several matrices, one after another, or `None` if their formats or columns differ.
    pub fn join(parts: &[Self]) -> Option<Self> {
        let first = parts.first()?.shape;
        let fits = |part: &Self| {
            let PackedShape {
                columns, format, ..
            } = part.shape;
            (columns, format) == (first.columns, first.format)
        };
        if !parts.iter().all(fits) {
            return None;
        }
        // All values come first, then all scales.
        let slice = |part: &Self, is_scales: bool| {
            let values = part.shape.rows * part.shape.words_per_row();
            let range = if is_scales {
                values..part.shape.total_words()
            } else {
                0..values
            };
            part.words.clone().slice([range])
        };
        let mut pieces: Vec<_> = parts.iter().map(|part| slice(part, false)).collect();
        if first.blocks_per_row() > 0 {
            pieces.extend(parts.iter().map(|part| slice(part, true)));
        }
        Some(Self {
            words: Tensor::cat(pieces, 0),
            shape: PackedShape {
                rows: parts.iter().map(|part| part.shape.rows).sum(),
                ..first
            },
        })
    }

    /// A matrix that has a size but no values.
    pub fn hollow(rows: usize, columns: usize, device: &Device) -> Self {
        let shape = PackedShape {
            rows,
            columns,
            format: PackedFormat::F32,
        };
        let words = Tensor::zeros([1], (device, DType::I32));
        Self { words, shape }
    }

    fn from_words(words: Vec<u32>, shape: PackedShape, device: &Device) -> Self {
        assert_eq!(words.len(), shape.total_words(), "words of {shape:?}");
        // The bits matter, not the sign: Burn's integers are i32 on both devices.
        let words: Vec<i32> = bytemuck::allocation::cast_vec(words);
        let count = words.len();
        let words = Tensor::from_data(TensorData::new(words, [count]), (device, DType::I32));
        Self { words, shape }
    }

    /// Size and format.
    pub fn shape(&self) -> PackedShape {
        self.shape
    }

    /// The stored words, as the kernels take them.
    pub fn words(&self) -> Tensor<1, Int> {
        self.words.clone()
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> usize {
        self.shape.total_words() * 4
    }
}

/// The words of rows of values of `width` bytes, each row padded with zeros to the stored width.
fn pad_rows(bytes: &[u8], shape: PackedShape, width: usize) -> Vec<u32> {
    let row_words = shape.words_per_row();
    let mut words = vec![0; shape.rows * row_words];
    for (row, words) in bytes
        .chunks_exact(shape.columns * width)
        .zip(words.chunks_exact_mut(row_words))
    {
        let (whole, rest) = row.as_chunks::<4>();
        for (word, bytes) in words.iter_mut().zip(whole) {
            *word = u32::from_le_bytes(*bytes);
        }
        if let [low, high] = *rest {
            words[whole.len()] = u32::from_le_bytes([low, high, 0, 0]);
        }
    }
    words
}

/// Splits ggml blocks (an f16 scale, then `value_bytes` of values) into all values, then all scales.
fn split_blocks(blocks: &[u8], value_bytes: usize) -> Vec<u32> {
    let block_bytes = 2 + value_bytes;
    let count = blocks.len() / block_bytes;
    let mut words = Vec::with_capacity(count * (value_bytes / 4 + 1));
    for block in blocks.chunks_exact(block_bytes) {
        words.extend(
            block[2..]
                .chunks_exact(4)
                .map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]])),
        );
    }
    for block in blocks.chunks_exact(block_bytes) {
        let scale = half::f16::from_le_bytes([block[0], block[1]]);
        words.push(scale.to_f32().to_bits());
    }
    words
}

/// Decodes `out.len()` values of `row`, from column `start` on, out of a matrix's words.
///
/// `start` and `out.len()` are multiples of [`BLOCK`] for the block formats, unless the range ends
/// with the row. This is the one definition of the layout that the CPU kernels read.
#[inline(always)]
pub fn decode(words: &[u32], shape: PackedShape, row: usize, start: usize, out: &mut [f32]) {
    let per_row = shape.words_per_row();
    let row_words = &words[row * per_row..(row + 1) * per_row];
    match shape.format {
        PackedFormat::F32 => {
            for (value, word) in out.iter_mut().zip(&row_words[start..]) {
                *value = f32::from_bits(*word);
            }
        }
        PackedFormat::F16 => {
            let halves: &[u16] = bytemuck::cast_slice(row_words);
            decode_halves(&halves[start..start + out.len()], out);
        }
        PackedFormat::Q8 => {
            let scales = row_scales(words, shape, row);
            let bytes: &[i8] = bytemuck::cast_slice(&row_words[start / 4..]);
            let blocks = out.chunks_exact_mut(BLOCK).zip(bytes.chunks_exact(BLOCK));
            for ((values, bytes), scale) in blocks.zip(&scales[start / BLOCK..]) {
                let scale = f32::from_bits(*scale);
                for (value, byte) in values.iter_mut().zip(bytes) {
                    *value = f32::from(*byte) * scale;
                }
            }
        }
        PackedFormat::Q4 => {
            let scales = row_scales(words, shape, row);
            let bytes: &[u8] = bytemuck::cast_slice(&row_words[start / 8..]);
            let blocks = out
                .chunks_exact_mut(BLOCK)
                .zip(bytes.chunks_exact(BLOCK / 2));
            for ((values, bytes), scale) in blocks.zip(&scales[start / BLOCK..]) {
                let scale = f32::from_bits(*scale);
                let (low, high) = values.split_at_mut(BLOCK / 2);
                for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
                    *low = (f32::from(byte & 15) - 8.0) * scale;
                    *high = (f32::from(byte >> 4) - 8.0) * scale;
                }
            }
        }
    }
}

/// Kept out of [`decode`], whose other loops are the faster for it.
#[inline(never)]
fn decode_halves(halves: &[u16], out: &mut [f32]) {
    let bytes = bytemuck::cast_slice(halves);
    dequantize_into(Format::F16, bytes, out).expect("as many halves as values");
}

/// The bits of the scales of one row's blocks.
#[inline(always)]
fn row_scales(words: &[u32], shape: PackedShape, row: usize) -> &[u32] {
    let blocks = shape.blocks_per_row();
    let start = shape.rows * shape.words_per_row() + row * blocks;
    &words[start..start + blocks]
}
