//! The formats that the `image` crate decodes, within the limits, and what is said where it fails.

use std::io::Cursor;

use ::image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use super::formats::Format;
use super::limits::MAX_DECODED_BYTES;
use super::memory::{self, zeroed};
use super::rgb::{self, Grey16};
use crate::{Error, Result};

/// RGB pixels as the `image` crate decodes them. What follows takes `later` bytes for each pixel.
pub(super) fn decode_with_library(
    bytes: &[u8],
    format: ImageFormat,
    grey16: Grey16,
    later: u32,
) -> Result<RgbImage> {
    let (size, colour, pixels) = pixels_by_library(bytes, format, later)?;
    rgb::into_rgb(size, colour, None, grey16, pixels)
}

/// Size, kind and bytes of the pixels, before they become RGB.
pub(super) fn pixels_by_library(
    bytes: &[u8],
    format: ImageFormat,
    later: u32,
) -> Result<((u32, u32), ColorType, Vec<u8>)> {
    let failed = |error| explain(format, error);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(failed)?;

    let (width, height) = decoder.dimensions();
    let colour = decoder.color_type();
    let decoding = match format {
        ImageFormat::WebP => memory::of_webp(bytes),
        _ => memory::of_pixels(colour),
    };
    memory::check(width, height, decoding.max(later))?;
    let mut pixels = zeroed(decoder.total_bytes() as usize)?;
    decoder.read_image(&mut pixels).map_err(failed)?;
    Ok(((width, height), colour, pixels))
}

pub(super) fn explain(format: ImageFormat, error: ImageError) -> Error {
    let name = Format::OfLibrary(format).name();
    Error::BadImage(match error {
        ImageError::Limits(_) => format!(
            "the {name} picture is too large: decoding it takes more than {MAX_DECODED_BYTES} bytes"
        ),
        ImageError::Unsupported(error) => {
            format!("the {name} picture uses a feature that is not supported: {error}")
        }
        error => format!("the {name} picture is truncated or damaged: {error}"),
    })
}

/// Libraries assert some of what a damaged file breaks. Natively that is an error here; in the browser
/// the page takes the engine for lost and begins another.
pub(super) fn without_panic<T>(format: Format, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    let decode = std::panic::AssertUnwindSafe(decode); // nothing of it is used after a panic
    std::panic::catch_unwind(decode).unwrap_or_else(|_| {
        let name = format.name();
        Err(Error::BadImage(format!(
            "the {name} picture is truncated or damaged"
        )))
    })
}
