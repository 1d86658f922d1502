//! TIFF, through the `image` crate, but for what it shows otherwise than the reference: the inks of CMYK,
//! which are mixed here, and a fourth sample of no meaning beside predicted colours.

use std::io::Cursor;

use ::image::{ColorType, ImageDecoder, ImageFormat, ImageReader, RgbImage};
use ::tiff::decoder::{Decoder, DecodingResult, Limits};

use super::jpeg::print;
use super::library::pixels_by_library;
use super::limits::MAX_DECODED_BYTES;
use super::memory::{self, zeroed};
use super::orientation::{Directory, orientation_of_tiff};
use super::rgb::{self, Grey16, image_from};
use super::turn::{turning, upright};
use crate::{Error, Result};

const BITS: u16 = 258;
const COMPRESSION: u16 = 259;
const COLOURS: u16 = 262;
const ORDER_OF_BITS: u16 = 266;
const SAMPLES: u16 = 277;
const PLANES: u16 = 284;
const PREDICTION: u16 = 317;
/// What samples beyond the colours mean: 0 nothing, 1 and 2 alpha.
const EXTRA_SAMPLES: u16 = 338;

pub(super) fn decode(file: &[u8], grey16: Grey16) -> Result<RgbImage> {
    let directory = Directory::first(file).ok_or_else(|| damaged("it has no directory"))?;
    if let Some(what) = what_is_not_read(&directory) {
        return Err(unsupported(what));
    }
    let orientation = orientation_of_tiff(file);
    let later = turning(orientation);
    let image = if directory.says(COLOURS, &[5]) {
        decode_inks(file, later)?
    } else if let Some(file) = with_fourth_sample(file, &directory) {
        let (size, colour, mut pixels) = pixels_by_library(&file, ImageFormat::Tiff, later)?;
        rgb::forget_alpha(colour, &mut pixels);
        rgb::into_rgb(size, colour, None, grey16, pixels)?
    } else {
        let (size, colour, pixels) = pixels_by_library(file, ImageFormat::Tiff, later)?;
        rgb::into_rgb(size, colour, None, grey16, pixels)?
    };
    upright(image, orientation)
}

/// Whether the picture is grey of 16 bits, which [`Grey16`] is about.
pub(super) fn is_grey16(file: &[u8]) -> bool {
    let decoder = ImageReader::with_format(Cursor::new(file), ImageFormat::Tiff).into_decoder();
    decoder.is_ok_and(|decoder| decoder.color_type() == ColorType::L16)
}

fn damaged(reason: impl std::fmt::Display) -> Error {
    Error::BadImage(format!(
        "the TIFF picture is truncated or damaged: {reason}"
    ))
}

fn unsupported(what: &str) -> Error {
    Error::BadImage(format!(
        "the TIFF picture {what}, which is not supported: save it as PNG"
    ))
}

/// What the decoder reads otherwise than the reference, or not at all.
fn what_is_not_read(directory: &Directory) -> Option<&'static str> {
    let says = |tag, numbers: &[u8]| directory.says(tag, numbers);
    let cases = [
        (says(COMPRESSION, &[6, 7]), "is compressed as JPEG"),
        (says(ORDER_OF_BITS, &[2]), "has its bits in reverse"),
        (says(PLANES, &[2]), "has its colours in separate planes"),
        (
            says(EXTRA_SAMPLES, &[1]),
            "has colours that are multiplied by alpha",
        ),
        (
            says(COLOURS, &[5]) && says(BITS, &[16]),
            "has CMYK of 16 bits",
        ),
        (
            has_unknown_samples(directory) && !is_rgb_of_four(directory),
            "has samples of unknown meaning beside predicted ones",
        ),
    ];
    let found = cases.into_iter().find(|(holds, _)| *holds);
    found.map(|(_, what)| what)
}

/// Samples that the decoder takes out before it undoes the prediction, which then takes each pixel from
/// the wrong one.
fn has_unknown_samples(directory: &Directory) -> bool {
    directory.says(PREDICTION, &[2]) && directory.says(EXTRA_SAMPLES, &[0])
}

fn is_rgb_of_four(directory: &Directory) -> bool {
    directory.says(COLOURS, &[2]) && directory.says(SAMPLES, &[4])
}

/// The file with the fourth sample called alpha, so that the decoder keeps it; None for any other file.
fn with_fourth_sample(file: &[u8], directory: &Directory) -> Option<Vec<u8>> {
    const SHORT: u16 = 3;
    if !has_unknown_samples(directory) {
        return None;
    }
    let (_, meaning) = directory
        .find(EXTRA_SAMPLES)
        .filter(|(kind, _)| *kind == SHORT)?;
    let at = meaning.as_ptr().addr() - file.as_ptr().addr();
    let alpha: &mut [u8] = &mut [2, 0];
    if directory.big_endian {
        alpha.reverse();
    }
    let mut file = file.to_vec();
    file[at..at + 2].copy_from_slice(alpha);
    Some(file)
}

/// A picture of cyan, magenta, yellow and black.
fn decode_inks(file: &[u8], later: u32) -> Result<RgbImage> {
    let mut decoder = Decoder::new(Cursor::new(file)).map_err(damaged)?;
    if decoder.colortype().map_err(damaged)? != ::tiff::ColorType::CMYK(8) {
        return Err(unsupported("has inks other than four of 8 bits"));
    }
    let (width, height) = decoder.dimensions().map_err(damaged)?;
    memory::check(width, height, later.max(4 + 3))?;
    let mut limits = Limits::unlimited();
    limits.decoding_buffer_size = MAX_DECODED_BYTES as usize;
    limits.intermediate_buffer_size = MAX_DECODED_BYTES as usize;
    let samples = decoder.with_limits(limits).read_image().map_err(damaged)?;
    let DecodingResult::U8(inks) = samples else {
        return Err(unsupported("has inks other than four of 8 bits"));
    };
    let mut rgb = zeroed(width as usize * height as usize * 3)?;
    let pixels = rgb.as_chunks_mut::<3>().0.iter_mut();
    for (pixel, &[cyan, magenta, yellow, black]) in pixels.zip(inks.as_chunks::<4>().0) {
        *pixel = [cyan, magenta, yellow].map(|ink| print(255 - ink, 255 - black));
    }
    image_from(width, height, rgb)
}
