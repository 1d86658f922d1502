//! The number formats that a caller can ask for.

use crate::kernels::PackedFormat;
use crate::{Error, Result};
use std::str::FromStr;

/// The number format that a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dtype {
    /// A GGUF file's own formats; for others q8, or q4 where a model has more than 600 million
    /// numbers.
    #[default]
    Auto,
    /// Blocks of 4-bit values.
    Q4,
    /// Blocks of 8-bit values.
    Q8,
    /// Half precision.
    F16,
    /// Single precision: no loss, which is how parity with the reference is measured.
    F32,
}

impl Dtype {
    /// All of them, in the order of help texts.
    pub const ALL: [Dtype; 5] = [Dtype::Auto, Dtype::Q4, Dtype::Q8, Dtype::F16, Dtype::F32];

    /// The name in options and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::Auto => "auto",
            Dtype::Q4 => "q4",
            Dtype::Q8 => "q8",
            Dtype::F16 => "f16",
            Dtype::F32 => "f32",
        }
    }

    /// The format of weight matrices; `Auto` leaves it open.
    pub fn packed_format(self) -> Option<PackedFormat> {
        match self {
            Dtype::Auto => None,
            Dtype::Q4 => Some(PackedFormat::Q4),
            Dtype::Q8 => Some(PackedFormat::Q8),
            Dtype::F16 => Some(PackedFormat::F16),
            Dtype::F32 => Some(PackedFormat::F32),
        }
    }
}

impl FromStr for Dtype {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let all = Dtype::ALL;
        all.into_iter()
            .find(|dtype| dtype.name() == name)
            .ok_or_else(|| {
                let names = all.map(Dtype::name).join(", ");
                Error::BadInput(format!("unknown dtype '{name}': expected one of {names}"))
            })
    }
}

impl From<PackedFormat> for Dtype {
    fn from(format: PackedFormat) -> Self {
        match format {
            PackedFormat::F32 => Dtype::F32,
            PackedFormat::F16 => Dtype::F16,
            PackedFormat::Q8 => Dtype::Q8,
            PackedFormat::Q4 => Dtype::Q4,
        }
    }
}
