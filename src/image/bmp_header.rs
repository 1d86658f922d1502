//! The header of a BMP, of every kind that Windows and OS/2 wrote.

use crate::{Error, Result};

const FILE_HEADER: usize = 14;
pub(super) const RAW: u32 = 0;
pub(super) const RLE8: u32 = 1;
pub(super) const RLE4: u32 = 2;
pub(super) const MASKS: u32 = 3;

/// What the header says, with the place of what follows it.
pub(super) struct Header {
    pub width: u32,
    pub height: u32,
    pub top_down: bool,
    pub bits: u16,
    pub compression: u32,
    /// Red, green, blue and alpha.
    pub masks: [u32; 4],
    pub palette_at: usize,
    pub colours: u32,
    /// Bytes of a colour of the palette.
    pub entry: usize,
    pub pixels_at: usize,
}

impl Header {
    /// None where the file ends too early.
    pub fn read(file: &[u8]) -> Option<Result<Self>> {
        let size = u32_at(file, FILE_HEADER)?;
        let header = match size {
            12 => Self::core(file)?,
            40 | 52 | 56 | 64 | 108 | 124 => Self::info(file, size as usize)?,
            _ => {
                return Some(Err(unsupported(&format!("has a header of {size} bytes"))));
            }
        };
        Some(Ok(header.with_places(u32_at(file, 10)? as usize)))
    }

    /// The header of OS/2 1 and Windows 2.
    fn core(file: &[u8]) -> Option<Self> {
        let number = |at| u16_at(file, FILE_HEADER + at);
        Some(Self {
            width: number(4)?.into(),
            height: number(6)?.into(),
            top_down: false,
            bits: number(10)?,
            compression: RAW,
            masks: [0; 4],
            palette_at: FILE_HEADER + 12,
            colours: 0,
            entry: 3,
            pixels_at: 0,
        })
    }

    fn info(file: &[u8], size: usize) -> Option<Self> {
        file.get(..FILE_HEADER + size)?;
        let number = |at| u32_at(file, FILE_HEADER + at);
        let height = number(8)?;
        let top_down = height >> 24 == 0xff; // a negative number
        let compression = number(16)?;
        let mut palette_at = FILE_HEADER + size;
        let mut masks = [0; 4];
        if compression == MASKS {
            let given = if size >= 56 { 4 } else { 3 }; // a header of 40 bytes is followed by them
            for (place, mask) in masks.iter_mut().take(given).enumerate() {
                *mask = number(40 + 4 * place)?;
            }
            palette_at += if size == 40 { 12 } else { 0 };
        }
        Some(Self {
            width: number(4)?,
            height: if top_down {
                height.wrapping_neg()
            } else {
                height
            },
            top_down,
            bits: u16_at(file, FILE_HEADER + 14)?,
            compression,
            masks,
            palette_at,
            colours: number(32)?,
            entry: 4,
            pixels_at: 0,
        })
    }

    /// Some files name the end of the header as the place of the pixels, though the palette is
    /// there; some name none.
    fn with_places(mut self, offset: usize) -> Self {
        let indexed = self.bits <= 8;
        if self.colours == 0 && indexed {
            self.colours = 1 << self.bits;
        }
        let palette = if indexed {
            self.entry.saturating_mul(self.colours as usize)
        } else {
            0
        };
        self.pixels_at = match offset {
            0 => self.palette_at.saturating_add(palette),
            at if at == self.palette_at => at.saturating_add(palette),
            at => at,
        };
        self
    }
}

pub(super) fn u16_at(file: &[u8], at: usize) -> Option<u16> {
    file.get(at..)?
        .first_chunk()
        .map(|bytes| u16::from_le_bytes(*bytes))
}

pub(super) fn u32_at(file: &[u8], at: usize) -> Option<u32> {
    file.get(at..)?
        .first_chunk()
        .map(|bytes| u32::from_le_bytes(*bytes))
}

pub(super) fn damaged(reason: &str) -> Error {
    Error::BadImage(format!("the BMP picture is truncated or damaged: {reason}"))
}

pub(super) fn unsupported(reason: &str) -> Error {
    Error::BadImage(format!(
        "the BMP picture {reason}, which is not supported: save it as PNG"
    ))
}
