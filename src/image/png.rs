//! PNG, through the `png` crate row by row: so a file that ends behind its pixels, without an end
//! chunk, is whole, as it is for Pillow and browsers, and one that ends within them is an error.

use std::io::Cursor;

use ::image::{ColorType, RgbImage};
use ::png::{
    BitDepth, DecodeOptions, Decoder, DecodingError, InterlaceInfo, Reader, Transformations,
};

use super::limits::{MAX_DECODED_BYTES, check_size};
use super::memory::zeroed;
use super::metadata::png_chunks;
use super::rgb::{self, ColourKey, Grey16};
use crate::{Error, Result};

pub(super) fn decode(file: &[u8], grey16: Grey16) -> Result<RgbImage> {
    check_header(file)?;
    let mut options = DecodeOptions::default();
    options.set_ignore_crc(true); // of the pixels, which have a checksum of their own
    options.set_ignore_adler32(false);
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(Cursor::new(file), options);
    decoder.set_limits(::png::Limits {
        bytes: MAX_DECODED_BYTES as usize,
    });
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(damaged)?;

    let (width, height) = reader.info().size();
    let colour = colour_type(&reader)?;
    check_size(width, height, u32::from(colour.bytes_per_pixel()).max(3))?;
    let mut pixels =
        zeroed(width as usize * height as usize * usize::from(colour.bytes_per_pixel()))?;
    read_rows(&mut reader, &mut pixels)?;
    if reader.output_color_type().1 == BitDepth::Sixteen {
        pixels
            .as_chunks_mut::<2>()
            .0
            .iter_mut()
            .for_each(|sample| *sample = u16::from_be_bytes(*sample).to_ne_bytes());
    }
    rgb::into_rgb((width, height), colour, colour_key(file), grey16, pixels)
}

/// Whether the picture is grey of 16 bits, which [`Grey16`] is about.
pub(super) fn is_grey16(file: &[u8]) -> bool {
    file.get(24..26) == Some(&[16, 0])
}

/// The checksums of what must be right before the pixels: size, colours.
fn check_header(file: &[u8]) -> Result<()> {
    let mut at = 8;
    for (kind, data) in png_chunks(file).take_while(|(kind, _)| *kind != b"IDAT") {
        at += 12 + data.len();
        let sum = file.get(at - 4..at).unwrap_or_default();
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(kind);
        hasher.update(data);
        if kind[0].is_ascii_uppercase() && sum != hasher.finalize().to_be_bytes() {
            let name = String::from_utf8_lossy(kind);
            return Err(Error::BadImage(format!(
                "the PNG picture is truncated or damaged: the checksum of its chunk {name} is wrong"
            )));
        }
    }
    Ok(())
}

fn read_rows(reader: &mut Reader<Cursor<&[u8]>>, pixels: &mut [u8]) -> Result<()> {
    let width = reader.info().width;
    let line = reader.output_line_size(width).unwrap_or(usize::MAX);
    if reader.info().interlaced {
        let (_, depth) = reader.output_color_type();
        let bits = reader.output_color_type().0.samples() as u8 * depth as u8;
        while let Some(row) = reader.next_interlaced_row().map_err(damaged)? {
            if let InterlaceInfo::Adam7(pass) = row.interlace() {
                ::png::expand_interlaced_row(pixels, line, row.data(), pass, bits);
            }
        }
    } else {
        for row in pixels.chunks_exact_mut(line) {
            reader.read_row(row).map_err(damaged)?;
        }
    }
    // The rest of the data, for the checksum of the pixels. That it is missing is no harm.
    match reader.next_row() {
        Ok(_) | Err(DecodingError::IoError(_)) => Ok(()),
        Err(error) => Err(damaged(error)),
    }
}

fn colour_type(reader: &Reader<Cursor<&[u8]>>) -> Result<ColorType> {
    use ::png::ColorType::{Grayscale, GrayscaleAlpha, Rgb, Rgba};
    let (colour, depth) = reader.output_color_type();
    match (colour, depth) {
        (Grayscale, BitDepth::Eight) => Ok(ColorType::L8),
        (GrayscaleAlpha, BitDepth::Eight) => Ok(ColorType::La8),
        (Rgb, BitDepth::Eight) => Ok(ColorType::Rgb8),
        (Rgba, BitDepth::Eight) => Ok(ColorType::Rgba8),
        (Grayscale, BitDepth::Sixteen) => Ok(ColorType::L16),
        (GrayscaleAlpha, BitDepth::Sixteen) => Ok(ColorType::La16),
        (Rgb, BitDepth::Sixteen) => Ok(ColorType::Rgb16),
        (Rgba, BitDepth::Sixteen) => Ok(ColorType::Rgba16),
        other => Err(Error::BadImage(format!(
            "the PNG picture has pixels of type {other:?}"
        ))),
    }
}

fn damaged(error: DecodingError) -> Error {
    Error::BadImage(match error {
        DecodingError::LimitsExceeded => format!(
            "the PNG picture is too large: decoding it takes more than {MAX_DECODED_BYTES} bytes"
        ),
        error => format!("the PNG picture is truncated or damaged: {error}"),
    })
}

/// The transparent colour of a grey or RGB PNG (its tRNS chunk). See [`ColourKey`].
fn colour_key(file: &[u8]) -> Option<ColourKey> {
    let (depth, colour_type) = (*file.get(24)?, *file.get(25)?);
    let mut before_pixels = png_chunks(file).take_while(|(kind, _)| *kind != b"IDAT");
    let (_, key) = before_pixels.find(|(kind, _)| *kind == b"tRNS")?;
    match (colour_type, key) {
        (0, [0, 0, ..]) if depth == 1 => Some([0; 3]),
        (0, [_, _, ..]) if depth == 1 => Some([255; 3]),
        (0, [_, grey, ..]) => Some([*grey; 3]),
        (2, [_, r, _, g, _, b, ..]) => Some([*r, *g, *b]),
        _ => None,
    }
}
