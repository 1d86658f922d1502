//! Encoded bytes to upright RGB pixels. Formats are recognised by their first bytes, sizes are
//! checked before anything is allocated for them, and the camera's orientation is applied, so that
//! no caller has to know about any of it.

use std::io::Cursor;

use ::image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use super::formats::{Format, recognise};
use super::memory::{self, zeroed};
#[cfg(feature = "formats")]
use super::orientation::{orientation_of_tiff, what_tiff_is_not_read};
use super::rgb::Grey16;
use super::turn::{turning, upright};
use super::{bmp, gif, jpeg, metadata, png, rgb};
#[cfg(feature = "formats")]
use super::{ico, jp2, jxl, pnm};
use crate::{Error, Result};

/// The longest side of a picture, in pixels.
pub const MAX_SIDE: u32 = 16_384;

/// The largest picture in bytes of decoded pixels: a 100-megapixel photo has room, with alpha too.
pub const MAX_DECODED_BYTES: u64 = 512 << 20;

/// What a caller may choose about the decoding of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    pub grey16: Grey16,
}

/// Decodes a picture into upright RGB pixels, as the reference sees it: the first frame, orientation
/// applied, transparency laid on white. PNG, JPEG, WebP, GIF and BMP are read, with the feature
/// `formats` JPEG XL, JPEG 2000, TIFF, ICO, QOI, PNM and TGA too.
///
/// # Errors
/// [`Error::BadImage`] where the bytes are empty, of another format, truncated or damaged, or where
/// the picture is larger than [`MAX_SIDE`] or [`MAX_DECODED_BYTES`]; [`Error::OutOfMemory`].
pub fn decode(bytes: &[u8]) -> Result<RgbImage> {
    decode_with(bytes, &DecodeOptions::default())
}

/// [`decode`] with options.
///
/// # Errors
/// Those of [`decode`].
pub fn decode_with(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage> {
    #[cfg_attr(
        not(feature = "formats"),
        expect(clippy::infallible_destructuring_match)
    )] // without the feature there is but one
    let format = match recognise(bytes)? {
        Format::OfLibrary(format) => format,
        #[cfg(feature = "formats")]
        Format::JpegXl => return jxl::decode(bytes, options.grey16),
        #[cfg(feature = "formats")]
        Format::Jpeg2000 => return jp2::decode(bytes, options.grey16),
    };
    let (image, orientation) = match format {
        ImageFormat::Gif => return gif::decode_first_frame(bytes),
        ImageFormat::Bmp => return bmp::decode(bytes),
        ImageFormat::Png => (
            png::decode(bytes, options.grey16)?,
            metadata::orientation_of_png(bytes),
        ),
        ImageFormat::WebP => {
            let orientation = metadata::orientation_of_webp(bytes);
            let file = metadata::webp_as_announced(bytes);
            let image = decode_with_library(&file, format, options.grey16, turning(orientation))?;
            (image, orientation)
        }
        #[cfg(feature = "formats")]
        ImageFormat::Ico => return ico::decode(bytes, options.grey16),
        #[cfg(feature = "formats")]
        ImageFormat::Pnm => return pnm::decode(bytes, options.grey16),
        #[cfg(feature = "formats")]
        ImageFormat::Tiff => {
            let orientation = orientation_of_tiff(bytes);
            let image = decode_tiff(bytes, options.grey16, turning(orientation))?;
            (image, orientation)
        }
        #[cfg(feature = "formats")]
        ImageFormat::Tga => return decode_tga(bytes),
        #[cfg(feature = "formats")]
        ImageFormat::Qoi => return decode_with_library(bytes, format, options.grey16, 0),
        _ => return jpeg::decode(bytes, metadata::orientation_of_jpeg(bytes)),
    };
    upright(image, orientation)
}

/// Whether [`decode`] cuts the picture's grey levels off at 255, so that most of it may be white:
/// see [`Grey16`].
pub fn is_grey16(bytes: &[u8]) -> bool {
    let format = match recognise(bytes) {
        Ok(Format::OfLibrary(format)) => format,
        #[cfg(feature = "formats")]
        Ok(Format::JpegXl) => return jxl::is_grey16(bytes),
        #[cfg(feature = "formats")]
        Ok(Format::Jpeg2000) => return jp2::is_grey16(bytes),
        Err(_) => return false,
    };
    match format {
        ImageFormat::Png => png::is_grey16(bytes),
        #[cfg(feature = "formats")]
        ImageFormat::Pnm => pnm::is_grey16(bytes),
        #[cfg(feature = "formats")]
        ImageFormat::Tiff => {
            let decoder =
                ImageReader::with_format(Cursor::new(bytes), ImageFormat::Tiff).into_decoder();
            decoder.is_ok_and(|decoder| decoder.color_type() == ColorType::L16)
        }
        _ => false,
    }
}

#[cfg(feature = "formats")]
fn decode_tiff(bytes: &[u8], grey16: Grey16, later: u32) -> Result<RgbImage> {
    if let Some(what) = what_tiff_is_not_read(bytes) {
        return Err(Error::BadImage(format!(
            "the TIFF picture {what}, which is not supported: save it as PNG"
        )));
    }
    without_panic("TIFF", || {
        decode_with_library(bytes, ImageFormat::Tiff, grey16, later)
    })
}

/// Decoders assert some of what a damaged file breaks.
#[cfg(feature = "formats")]
pub(super) fn without_panic<T>(name: &str, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    let decode = std::panic::AssertUnwindSafe(decode); // nothing of it is used after a panic
    std::panic::catch_unwind(decode).unwrap_or_else(|_| {
        Err(Error::BadImage(format!(
            "the {name} picture is truncated or damaged"
        )))
    })
}

/// As in Pillow, alpha counts unless the extension at the end of the file says that there is none.
#[cfg(feature = "formats")]
fn decode_tga(bytes: &[u8]) -> Result<RgbImage> {
    let (size, colour, mut pixels) = pixels_by_library(bytes, ImageFormat::Tga, 0)?;
    if colour == ColorType::Rgba8 && tga_has_no_alpha(bytes) {
        pixels
            .iter_mut()
            .skip(3)
            .step_by(4)
            .for_each(|alpha| *alpha = 255);
    }
    rgb::into_rgb(size, colour, None, Grey16::default(), pixels)
}

#[cfg(feature = "formats")]
fn tga_has_no_alpha(bytes: &[u8]) -> bool {
    const KIND_OF_ALPHA: usize = 494;
    let footer = bytes
        .last_chunk::<26>()
        .filter(|footer| footer.ends_with(b"TRUEVISION-XFILE.\0"));
    let extension =
        footer.and_then(|footer| footer.first_chunk().map(|place| u32::from_le_bytes(*place)));
    let extension = extension.filter(|place| *place != 0);
    extension.is_some_and(|place| bytes.get(place as usize + KIND_OF_ALPHA) == Some(&0))
}

fn decode_with_library(
    bytes: &[u8],
    format: ImageFormat,
    grey16: Grey16,
    later: u32,
) -> Result<RgbImage> {
    let (size, colour, pixels) = pixels_by_library(bytes, format, later)?;
    rgb::into_rgb(size, colour, None, grey16, pixels)
}

/// Size, kind and bytes of the pixels as the `image` crate decodes them. What follows takes `later`
/// bytes for each pixel.
fn pixels_by_library(
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

/// Refuses a picture of no or too many pixels, naming its size and the limit.
pub(super) fn check_size(width: u32, height: u32, bytes_per_pixel: u32) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(Error::BadImage(format!(
            "the picture is empty: {width}x{height} pixels"
        )));
    }
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(Error::BadImage(format!(
            "the picture is too large: {width}x{height} pixels, at most {MAX_SIDE}x{MAX_SIDE} are allowed"
        )));
    }
    let bytes = u64::from(width) * u64::from(height) * u64::from(bytes_per_pixel);
    if bytes > MAX_DECODED_BYTES {
        return Err(Error::BadImage(format!(
            "the picture is too large: {width}x{height} pixels take {bytes} bytes, \
             at most {MAX_DECODED_BYTES} are allowed"
        )));
    }
    Ok(())
}

pub(super) fn explain(format: ImageFormat, error: ImageError) -> Error {
    let name = match format {
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Qoi => "QOI",
        ImageFormat::Tga => "TGA",
        _ => "encoded",
    };
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
