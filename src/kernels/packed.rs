//! A weight matrix on a device, in one of the formats of [`PackedFormat`].

pub use super::layout::{BLOCK, PackedFormat, PackedShape, decode};
use crate::weights::Format;
use crate::weights::blocks::quantize;
use crate::{Error, Result};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

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

/// How exactly the CPU computes with weights in quantized blocks. Nothing else depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// Inputs of layers are rounded to 16 bits.
    #[default]
    Exact,
    /// To 8 bits, each 32 of them by a scale of their own, where the machine multiplies bytes faster.
    Fast,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Exact, Self::Fast];

    /// What users call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Fast => "fast",
        }
    }
}

impl std::str::FromStr for Precision {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|one| one.name() == name);
        found.ok_or_else(|| {
            Error::BadInput(format!(
                "unknown precision '{name}': expected fast or exact"
            ))
        })
    }
}

/// A `[rows, columns]` matrix of weights on a device.
#[derive(Debug, Clone)]
pub struct PackedMatrix {
    words: Tensor<1, Int>,
    shape: PackedShape,
    precision: Precision,
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
        let Self {
            words,
            shape: first,
            precision,
        } = parts.first()?;
        let fits = |part: &Self| {
            let PackedShape {
                columns, format, ..
            } = part.shape;
            (columns, format) == (first.columns, first.format)
        };
        if !parts.iter().all(fits) {
            return None;
        }
        let shape = PackedShape {
            rows: parts.iter().map(|part| part.shape.rows).sum(),
            ..*first
        };
        if parts.iter().any(Self::is_hollow) {
            let hollow = Self::hollow(shape, &words.device());
            return Some(hollow.with_precision(*precision));
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
            shape,
            precision: *precision,
        })
    }

    /// A matrix that has a size and a format but no values.
    pub fn hollow(shape: PackedShape, device: &Device) -> Self {
        let words = Tensor::zeros([1], (device, DType::I32));
        Self {
            words,
            shape,
            precision: Precision::default(),
        }
    }

    /// The same, to be computed with in this way.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// How it is computed with.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    fn is_hollow(&self) -> bool {
        self.words.dims()[0] != self.shape.total_words()
    }

    fn from_words(words: Vec<u32>, shape: PackedShape, device: &Device) -> Self {
        assert_eq!(words.len(), shape.total_words(), "words of {shape:?}");
        // The bits matter, not the sign: Burn's integers are i32 on both devices.
        let words: Vec<i32> = bytemuck::allocation::cast_vec(words);
        let count = words.len();
        let words = Tensor::from_data(TensorData::new(words, [count]), (device, DType::I32));
        Self {
            words,
            shape,
            precision: Precision::default(),
        }
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
