//! How the numbers of a tensor are stored: plain floats, ggml's blocks of quantized ones, or
//! integers, which are listed but never computed with.

/// A number format. Quantized ones come in blocks that share a scale, along the last dimension.
#[allow(non_camel_case_types)] // ggml's own names
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Format {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of a single-precision float.
    BF16,
    /// IEEE double precision: read, never written.
    F64,
    /// 32 signed bytes and a scale.
    Q8_0,
    /// 32 4-bit numbers and a scale.
    Q4_0,
    /// 32 4-bit numbers, a scale and a minimum.
    Q4_1,
    /// 32 5-bit numbers and a scale.
    Q5_0,
    /// 256 4-bit numbers in 8 groups with their own scales and minima.
    Q4_K,
    /// 256 5-bit numbers in 8 groups with their own scales and minima.
    Q5_K,
    /// 256 6-bit numbers in 16 groups with their own scales.
    Q6_K,
    /// Integers or booleans, such as a checkpoint's `position_ids`. They are not weights: they are
    /// listed so that a file which holds them loads.
    Integer {
        /// Width of one number: 1, 2, 4 or 8.
        bytes_per_element: u8,
    },
}

impl Format {
    /// How many numbers a block holds; 1 for formats without blocks.
    pub const fn block_length(self) -> usize {
        match self {
            Format::F32 | Format::F16 | Format::BF16 | Format::F64 | Format::Integer { .. } => 1,
            Format::Q8_0 | Format::Q4_0 | Format::Q4_1 | Format::Q5_0 => 32,
            Format::Q4_K | Format::Q5_K | Format::Q6_K => 256,
        }
    }

    /// How many bytes a block takes.
    pub const fn block_bytes(self) -> usize {
        match self {
            Format::F32 => 4,
            Format::F16 | Format::BF16 => 2,
            Format::F64 => 8,
            Format::Q8_0 => 2 + 32,
            Format::Q4_0 => 2 + 16,
            Format::Q4_1 => 2 + 2 + 16,
            Format::Q5_0 => 2 + 4 + 16,
            Format::Q4_K => 2 + 2 + 12 + 128,
            Format::Q5_K => 2 + 2 + 12 + 32 + 128,
            Format::Q6_K => 128 + 64 + 16 + 2,
            Format::Integer { bytes_per_element } => bytes_per_element as usize,
        }
    }

    /// The size of `elements` numbers, unless they are not whole blocks or too many to count.
    pub const fn bytes(self, elements: usize) -> Option<usize> {
        if !elements.is_multiple_of(self.block_length()) {
            return None;
        }
        (elements / self.block_length()).checked_mul(self.block_bytes())
    }

    /// The name, as ggml and PyTorch users know it.
    pub const fn name(self) -> &'static str {
        match self {
            Format::F32 => "F32",
            Format::F16 => "F16",
            Format::BF16 => "BF16",
            Format::F64 => "F64",
            Format::Q8_0 => "Q8_0",
            Format::Q4_0 => "Q4_0",
            Format::Q4_1 => "Q4_1",
            Format::Q5_0 => "Q5_0",
            Format::Q4_K => "Q4_K",
            Format::Q5_K => "Q5_K",
            Format::Q6_K => "Q6_K",
            Format::Integer { bytes_per_element } => match bytes_per_element {
                1 => "I8",
                2 => "I16",
                4 => "I32",
                _ => "I64",
            },
        }
    }

    /// Whether the numbers are integers, of which no weights are made.
    pub const fn is_integer(self) -> bool {
        matches!(self, Format::Integer { .. })
    }

    /// The number that stands for this format in a GGUF file.
    pub const fn ggml_type(self) -> u32 {
        match self {
            Format::F32 => 0,
            Format::F16 => 1,
            Format::Q4_0 => 2,
            Format::Q4_1 => 3,
            Format::Q5_0 => 6,
            Format::Q8_0 => 8,
            Format::Q4_K => 12,
            Format::Q5_K => 13,
            Format::Q6_K => 14,
            Format::F64 => 28,
            Format::BF16 => 30,
            Format::Integer { bytes_per_element } => match bytes_per_element {
                1 => 24,
                2 => 25,
                4 => 26,
                _ => 27,
            },
        }
    }

    /// The format that a GGUF file means by `id`, if it is one of those that are read.
    pub fn from_ggml_type(id: u32) -> Option<Self> {
        let integer = |bytes_per_element| Format::Integer { bytes_per_element };
        Some(match id {
            0 => Format::F32,
            1 => Format::F16,
            2 => Format::Q4_0,
            3 => Format::Q4_1,
            6 => Format::Q5_0,
            8 => Format::Q8_0,
            12 => Format::Q4_K,
            13 => Format::Q5_K,
            14 => Format::Q6_K,
            24 => integer(1),
            25 => integer(2),
            26 => integer(4),
            27 => integer(8),
            28 => Format::F64,
            30 => Format::BF16,
            _ => return None,
        })
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ggml_types_map_both_ways() {
        let known: Vec<Format> = (0..64).filter_map(Format::from_ggml_type).collect();
        assert_eq!(known.len(), 15);
        for format in known {
            assert_eq!(Format::from_ggml_type(format.ggml_type()), Some(format));
        }
    }

    #[test]
    fn only_whole_blocks_have_a_size() {
        assert_eq!(Format::Q4_0.bytes(64), Some(36));
        assert_eq!(Format::Q4_0.bytes(65), None);
        assert_eq!(Format::Q6_K.bytes(256), Some(210));
        assert_eq!(Format::F16.bytes(3), Some(6));
        assert_eq!(Format::F32.bytes(usize::MAX), None);
        assert_eq!(
            Format::Integer {
                bytes_per_element: 8
            }
            .bytes(77),
            Some(616)
        );
    }
}
