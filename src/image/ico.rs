//! Windows icons: the largest picture of the file, a PNG or a BMP without its file header. A BMP is
//! followed by one bit for each pixel that says where the icon is transparent; at 32 bits the pixels
//! say it themselves.

use ::image::RgbImage;

use super::bmp;
use super::bmp_header::{MASKS, u16_at, u32_at};
use super::png;
use super::rgb::{Grey16, on_white};
use crate::{Error, Result};

const DIRECTORY: usize = 6;
const ENTRY: usize = 16;
/// Of a BMP file, and the only header of an icon's.
const FILE_HEADER: usize = 14;
const HEADER: u32 = 40;

pub(super) fn decode(file: &[u8], grey16: Grey16) -> Result<RgbImage> {
    let entries = file
        .get(DIRECTORY..)
        .unwrap_or_default()
        .chunks_exact(ENTRY);
    let count = u16_at(file, 4).ok_or_else(|| damaged("it ends within its header"))?;
    let entries = entries.take(count.into()).map(Entry::read);
    // As in Pillow: of several of one size that with the fewest colours.
    let chosen = entries.min_by_key(|entry| (std::cmp::Reverse(entry.size), entry.depth));
    let chosen = chosen.ok_or_else(|| damaged("it holds no picture"))?;
    let picture = file.get(chosen.at..).unwrap_or_default();
    let picture = picture
        .get(..chosen.length)
        .ok_or_else(|| damaged("it ends within its picture"))?;
    if picture.starts_with(b"\x89PNG\r\n\x1a\n") {
        return png::decode(picture, grey16);
    }
    decode_bmp(picture, chosen.bits)
}

fn damaged(reason: &str) -> Error {
    Error::BadImage(format!("the icon is truncated or damaged: {reason}"))
}

/// What the directory says of a picture.
struct Entry {
    /// Width times height.
    size: u32,
    bits: u16,
    /// Bits a pixel, by which pictures of one size are told apart.
    depth: u32,
    at: usize,
    length: usize,
}

impl Entry {
    fn read(entry: &[u8]) -> Self {
        let side = |byte: u8| if byte == 0 { 256 } else { u32::from(byte) };
        let bits = u16::from_le_bytes([entry[6], entry[7]]);
        let number = |at| u32_at(entry, at).unwrap_or(0) as usize;
        Self {
            size: side(entry[0]) * side(entry[1]),
            bits,
            depth: match (bits, entry[2]) {
                (0, 0 | 1) => 256,
                (0, colours) => u8::BITS - (colours - 1).leading_zeros(),
                (bits, _) => bits.into(),
            },
            length: number(8),
            at: number(12),
        }
    }
}

/// `said` is the number of bits a pixel by the directory, which decides where transparency is.
fn decode_bmp(picture: &[u8], said: u16) -> Result<RgbImage> {
    let number = |at| u32_at(picture, at).ok_or_else(|| damaged("it ends within its picture"));
    if number(0)? != HEADER {
        return Err(Error::BadImage(format!(
            "the icon has a header of {} bytes, which is not supported: save it as PNG",
            number(0)?
        )));
    }
    let height = number(8)? / 2; // that of the colours and the transparency together
    let mut file = b"BM".to_vec();
    file.resize(FILE_HEADER, 0);
    file.extend_from_slice(picture);
    file[FILE_HEADER + 8..][..4].copy_from_slice(&height.to_le_bytes());
    let mut image = bmp::decode(&file)?;

    let alpha = match said {
        32 => alpha_of_pixels(picture, &image),
        _ => alpha_of_bits(picture, &image),
    };
    let alpha = alpha.ok_or_else(|| damaged("it ends before its transparency"))?;
    for (pixel, alpha) in image.pixels_mut().zip(alpha) {
        pixel.0 = on_white(pixel.0, alpha);
    }
    Ok(image)
}

/// The fourth byte of each pixel, from the last row to the first.
fn alpha_of_pixels(picture: &[u8], image: &RgbImage) -> Option<Vec<u8>> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let masks = if u32_at(picture, 16)? == MASKS { 12 } else { 0 };
    let pixels = picture.get(HEADER as usize + masks..)?;
    let rows = pixels
        .get(..width * height * 4)?
        .chunks_exact(width * 4)
        .rev();
    Some(
        rows.flat_map(|row| row.iter().skip(3).step_by(4))
            .copied()
            .collect(),
    )
}

/// The bits at the end, in rows of whole 32, from the last to the first; a set one is transparent.
fn alpha_of_bits(picture: &[u8], image: &RgbImage) -> Option<Vec<u8>> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let row = width.div_ceil(32) * 4;
    let bits = picture.get(picture.len().checked_sub(row * height)?..)?;
    let alpha = |row: &[u8], x: usize| {
        if row[x / 8] << (x % 8) & 0x80 == 0 {
            255
        } else {
            0
        }
    };
    let rows = bits.chunks_exact(row).rev();
    Some(
        rows.flat_map(|row| (0..width).map(move |x| alpha(row, x)))
            .collect(),
    )
}
