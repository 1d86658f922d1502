//! BMP, of every header that Windows and OS/2 wrote, read as the reference reads it. The `image`
//! crate rounds 16-bit colours otherwise, takes unused alpha bits for transparency and leaves gaps
//! of run-length data transparent; what a BMP is lies in one header, so it is read here.
//!
//! `bmp_pixels` holds the three ways in which pixels are stored.

use ::image::RgbImage;

use super::bmp_pixels::{self, Layout};
use super::decode::check_size;
use crate::{Error, Result};

const FILE_HEADER: usize = 14;
const RAW: u32 = 0;
const RLE8: u32 = 1;
const RLE4: u32 = 2;
pub(super) const MASKS: u32 = 3;
/// What Pillow takes for a palette; only the first 256 colours can be named by a pixel.
const MOST_COLOURS: u32 = 1 << 16;

pub(super) fn decode(file: &[u8]) -> Result<RgbImage> {
    let header = Header::read(file).ok_or_else(|| damaged("it ends within its header"))??;
    check_size(header.width, header.height, 3)?;
    let layout = layout(file, &header)?;
    let pixels = file.get(header.pixels_at..).unwrap_or_default();
    bmp_pixels::read(pixels, &layout, &header)
}

pub(super) fn damaged(reason: &str) -> Error {
    Error::BadImage(format!("the BMP picture is truncated or damaged: {reason}"))
}

fn unsupported(reason: &str) -> Error {
    Error::BadImage(format!(
        "the BMP picture {reason}, which is not supported: save it as PNG"
    ))
}

/// What the header says, with the place of what follows it.
pub(super) struct Header {
    pub width: u32,
    pub height: u32,
    pub top_down: bool,
    pub bits: u16,
    compression: u32,
    /// Red, green, blue and alpha.
    masks: [u32; 4],
    palette_at: usize,
    colours: u32,
    /// Bytes of a colour of the palette.
    entry: usize,
    pixels_at: usize,
}

impl Header {
    /// None where the file ends too early.
    fn read(file: &[u8]) -> Option<Result<Self>> {
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

fn layout(file: &[u8], header: &Header) -> Result<Layout> {
    let run_lengths = matches!(header.compression, RLE8 | RLE4);
    match (header.bits, header.compression) {
        (_, 4) if header.bits == 0 => Err(unsupported("holds a JPEG")),
        (_, 5) if header.bits == 0 => Err(unsupported("holds a PNG")),
        (1 | 4 | 8, RAW) => Ok(Layout::Indexed(palette(file, header)?)),
        (4 | 8, _) if run_lengths => Ok(Layout::RunLengths {
            halves: header.compression == RLE4,
            colours: palette(file, header)?,
        }),
        (16, RAW) => Ok(Layout::FiveBits),
        (24, RAW) => Ok(Layout::bytes(3, "bgr")),
        (32, RAW) => Ok(Layout::bytes(4, "bgrx")),
        (16 | 24 | 32, MASKS) => of_masks(header),
        (1 | 4 | 8 | 16 | 24 | 32, compression) => Err(unsupported(&format!(
            "is compressed by method {compression} at {} bits a pixel",
            header.bits
        ))),
        (bits, _) => Err(unsupported(&format!("has {bits} bits a pixel"))),
    }
}

/// The masks that Pillow knows. Those of others would need a rounding that nothing defines.
fn of_masks(header: &Header) -> Result<Layout> {
    const R: u32 = 0xff00_0000;
    let [red, green, blue, alpha] = header.masks;
    match (header.bits, (red, green, blue, alpha)) {
        (16, (0xf800, 0x07e0, 0x001f, _)) => Ok(Layout::SixBitGreen),
        (16, (0x7c00, 0x03e0, 0x001f, _)) => Ok(Layout::FiveBits),
        (24, (0xff_0000, 0xff00, 0xff, _)) => Ok(Layout::bytes(3, "bgr")),
        (32, (0xff_0000, 0xff00, 0xff, 0)) => Ok(Layout::bytes(4, "bgrx")),
        (32, (R, 0xff_0000, 0xff00, 0)) => Ok(Layout::bytes(4, "xbgr")),
        (32, (R, 0xff00, 0xff, 0)) => Ok(Layout::bytes(4, "bgxr")),
        (32, (R, 0xff_0000, 0xff00, 0xff)) => Ok(Layout::bytes(4, "abgr")),
        (32, (0xff, 0xff00, 0xff_0000, R)) => Ok(Layout::bytes(4, "rgba")),
        (32, (0xff_0000, 0xff00, 0xff, R) | (0, 0, 0, 0)) => Ok(Layout::bytes(4, "bgra")),
        (32, (R, 0xff00, 0xff, 0xff_0000)) => Ok(Layout::bytes(4, "bgar")),
        (bits, _) => Err(unsupported(&format!(
            "has {bits} bits a pixel with the masks {red:x}, {green:x}, {blue:x} and {alpha:x}"
        ))),
    }
}

/// The colour of each index. As in Pillow, the values of a grey ramp go on beyond its end, and other
/// indices without a colour are black.
fn palette(file: &[u8], header: &Header) -> Result<Box<[[u8; 3]; 256]>> {
    if header.colours > MOST_COLOURS {
        return Err(unsupported(&format!("has {} colours", header.colours)));
    }
    let said = header.entry * header.colours as usize;
    let end = header.palette_at.saturating_add(said).min(file.len());
    let given = file.get(header.palette_at..end).unwrap_or_default();
    let entries = given.chunks_exact(header.entry).take(256);
    let mut colours = Box::new([[0; 3]; 256]);
    for (colour, entry) in colours.iter_mut().zip(entries) {
        *colour = [entry[2], entry[1], entry[0]];
    }
    let is_grey = |step: usize| {
        let expected = |(place, colour): (usize, &[u8; 3])| *colour == [(place * step) as u8; 3];
        given.len() == said
            && colours
                .iter()
                .take(header.colours as usize)
                .enumerate()
                .all(expected)
    };
    if header.colours > 2 && is_grey(1) {
        *colours = std::array::from_fn(|place| [place as u8; 3]);
    } else if header.colours == 1 && is_grey(1) && header.bits == 1 {
        colours[1] = [255; 3];
    }
    Ok(colours)
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
