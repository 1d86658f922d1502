//! A weight matrix as the kernels read it: 32-bit words, in one of four formats.
//!
//! Every format starts with the values, row after row, each row padded to a multiple of four
//! values; the block formats append one `f32` scale for each block of 32 values. Values of a block
//! keep ggml's order, so a `Q4` word holds elements `4i..4i+4` of its block in the low nibbles and
//! `16+4i..16+4i+4` in the high ones.

use super::simd::{LANES, Lanes, Shorts, vectorised};

/// Values per block of the quantized formats, as in ggml.
pub const BLOCK: usize = 32;

/// Vectors of integers that hold a block.
pub const SHORTS_IN_BLOCK: usize = BLOCK / (2 * LANES);

/// How the values of a [`PackedMatrix`](crate::kernels::PackedMatrix) are stored.
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

/// Size and format of a [`PackedMatrix`](crate::kernels::PackedMatrix), all that a kernel has to know besides the words.
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

/// Decodes `out.len()` values of `row`, from column `start` on, out of a matrix's words.
///
/// `start` and `out.len()` are multiples of [`BLOCK`] for the block formats, unless the range ends
/// with the row.
pub fn decode(words: &[u32], shape: PackedShape, row: usize, start: usize, out: &mut [f32]) {
    decode_row(words, shape, row, start, out);
}

vectorised!(decode_row(words: &[u32], shape: PackedShape, row: usize, start: usize, out: &mut [f32]));

mod portable {
    use super::*;

    #[inline(always)]
    pub fn decode_row<const FUSED: bool>(
        words: &[u32],
        shape: PackedShape,
        row: usize,
        start: usize,
        out: &mut [f32],
    ) {
        decode_vectors::<FUSED>(words, shape, row, start, out.len(), |step, vector| {
            let rest = &mut out[step * LANES..];
            match rest.first_chunk_mut() {
                Some(out) => *out = vector.to_array(),
                None => rest.copy_from_slice(&vector.to_array()[..rest.len()]),
            }
        });
    }
}

/// The same by vectors: calls `put(step, vector)` for each, the last one zero-padded. This is the one
/// definition of the layout that the CPU kernels read.
#[inline(always)]
pub fn decode_vectors<const FUSED: bool>(
    words: &[u32],
    shape: PackedShape,
    row: usize,
    start: usize,
    length: usize,
    mut put: impl FnMut(usize, Lanes<FUSED>),
) {
    let per_row = shape.words_per_row();
    let row_words = &words[row * per_row..(row + 1) * per_row];
    match shape.format {
        PackedFormat::F32 => {
            let values: &[f32] = bytemuck::cast_slice(&row_words[start..start + length]);
            for_each_vector(values, |step, values| put(step, Lanes::load(values)));
        }
        PackedFormat::F16 => {
            let halves: &[u16] = bytemuck::cast_slice(row_words);
            let halves = &halves[start..start + length];
            for_each_vector(halves, |step, halves| put(step, Lanes::from_halves(halves)));
        }
        PackedFormat::Q8 => {
            let bytes = bytemuck::cast_slice(&row_words[start / 4..(start + length) / 4]);
            let scales = row_scales(words, shape, row, start);
            decode_blocks::<FUSED, BLOCK>(bytes, scales, put, unpack_bytes);
        }
        PackedFormat::Q4 => {
            let bytes = bytemuck::cast_slice(&row_words[start / 8..(start + length) / 8]);
            let scales = row_scales(words, shape, row, start);
            decode_blocks::<FUSED, { BLOCK / 2 }>(bytes, scales, put, unpack_nibbles);
        }
    }
}

/// Calls `work(step, values)` for each vector's worth of values, the last one padded.
#[inline(always)]
pub fn for_each_vector<T: Copy + Default>(values: &[T], mut work: impl FnMut(usize, &[T; LANES])) {
    let (whole, rest) = values.as_chunks::<LANES>();
    for (step, values) in whole.iter().enumerate() {
        work(step, values);
    }
    if !rest.is_empty() {
        let mut padded = [T::default(); LANES];
        padded[..rest.len()].copy_from_slice(rest);
        work(whole.len(), &padded);
    }
}

/// The values of a block of [`PackedFormat::Q8`].
#[inline(always)]
pub fn unpack_bytes<const FUSED: bool>(block: &[u8; BLOCK]) -> [Shorts<FUSED>; SHORTS_IN_BLOCK] {
    let mut shorts = [Shorts::ZERO; SHORTS_IN_BLOCK];
    for (shorts, part) in shorts.iter_mut().zip(block.as_chunks().0) {
        *shorts = Shorts::from_bytes(bytemuck::cast_ref::<[u8; 2 * LANES], _>(part));
    }
    shorts
}

/// The values of a block of [`PackedFormat::Q4`].
#[inline(always)]
pub fn unpack_nibbles<const FUSED: bool>(
    block: &[u8; BLOCK / 2],
) -> [Shorts<FUSED>; SHORTS_IN_BLOCK] {
    Shorts::from_nibbles(block)
}

/// Blocks of `BYTES`, which `unpack` makes integers of, times their scales.
#[inline(always)]
fn decode_blocks<const FUSED: bool, const BYTES: usize>(
    bytes: &[u8],
    scales: &[f32],
    mut put: impl FnMut(usize, Lanes<FUSED>),
    unpack: impl Fn(&[u8; BYTES]) -> [Shorts<FUSED>; SHORTS_IN_BLOCK],
) {
    let (blocks, _) = bytes.as_chunks::<BYTES>();
    for (index, (block, scale)) in blocks.iter().zip(scales).enumerate() {
        let scale = Lanes::splat(*scale);
        for (part, shorts) in unpack(block).into_iter().enumerate() {
            let step = (index * SHORTS_IN_BLOCK + part) * 2;
            let [low, high] = shorts.to_floats();
            put(step, low.mul(scale));
            put(step + 1, high.mul(scale));
        }
    }
}

/// The scales of one row's blocks from column `start` on.
#[inline(always)]
fn row_scales(words: &[u32], shape: PackedShape, row: usize, start: usize) -> &[f32] {
    let blocks = shape.blocks_per_row();
    let first = shape.rows * shape.words_per_row() + row * blocks;
    bytemuck::cast_slice(&words[first + start / BLOCK..first + blocks])
}
