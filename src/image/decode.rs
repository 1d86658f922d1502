//! Encoded bytes to upright RGB pixels. Formats are recognised by their first bytes, sizes are
//! checked before anything is allocated for them, and the camera's orientation is applied, so that
//! no caller has to know about any of it.

use ::image::{ImageFormat, RgbImage};

use super::formats::{Format, recognise};
use super::library::without_panic;
#[cfg(feature = "formats")]
use super::library::{decode_with_library, pixels_by_library};
use super::rgb::Grey16;
use super::turn::upright;
use super::{bmp, gif, jpeg, metadata, png, webp};
#[cfg(feature = "formats")]
use super::{ico, jp2, jxl, pnm, rgb, tiff};
use crate::Result;

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
/// [`crate::Error::BadImage`] where the bytes are empty, of another format, truncated or damaged, or where
/// the picture is larger than [`super::MAX_SIDE`] or [`super::MAX_DECODED_BYTES`];
/// [`crate::Error::OutOfMemory`].
pub fn decode(bytes: &[u8]) -> Result<RgbImage> {
    decode_with(bytes, &DecodeOptions::default())
}

/// [`decode`] with options.
///
/// # Errors
/// Those of [`decode`].
pub fn decode_with(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage> {
    let format = recognise(bytes)?;
    without_panic(format, || decode_as(format, bytes, options.grey16))
}

fn decode_as(format: Format, bytes: &[u8], grey16: Grey16) -> Result<RgbImage> {
    #[cfg_attr(
        not(feature = "formats"),
        expect(clippy::infallible_destructuring_match)
    )] // without the feature there is but one
    let format = match format {
        Format::OfLibrary(format) => format,
        #[cfg(feature = "formats")]
        Format::JpegXl => return jxl::decode(bytes, grey16),
        #[cfg(feature = "formats")]
        Format::Jpeg2000 => return jp2::decode(bytes, grey16),
    };
    match format {
        ImageFormat::Gif => gif::decode_first_frame(bytes),
        ImageFormat::Bmp => bmp::decode(bytes),
        ImageFormat::Png => upright(
            png::decode(bytes, grey16)?,
            metadata::orientation_of_png(bytes),
        ),
        ImageFormat::WebP => webp::decode(bytes),
        #[cfg(feature = "formats")]
        ImageFormat::Ico => ico::decode(bytes, grey16),
        #[cfg(feature = "formats")]
        ImageFormat::Pnm => pnm::decode(bytes, grey16),
        #[cfg(feature = "formats")]
        ImageFormat::Tiff => tiff::decode(bytes, grey16),
        #[cfg(feature = "formats")]
        ImageFormat::Tga => decode_tga(bytes),
        #[cfg(feature = "formats")]
        ImageFormat::Qoi => decode_with_library(bytes, format, grey16, 0),
        _ => jpeg::decode(bytes, metadata::orientation_of_jpeg(bytes)),
    }
}

/// Whether [`decode`] cuts the picture's grey levels off at 255, so that most of it may be white:
/// see [`Grey16`].
pub fn is_grey16(bytes: &[u8]) -> bool {
    let is_grey16 = |format| without_panic(format, || Ok(is_grey16_as(format, bytes)));
    recognise(bytes).and_then(is_grey16).unwrap_or(false)
}

fn is_grey16_as(format: Format, bytes: &[u8]) -> bool {
    match format {
        Format::OfLibrary(ImageFormat::Png) => png::is_grey16(bytes),
        #[cfg(feature = "formats")]
        Format::OfLibrary(ImageFormat::Pnm) => pnm::is_grey16(bytes),
        #[cfg(feature = "formats")]
        Format::OfLibrary(ImageFormat::Tiff) => tiff::is_grey16(bytes),
        #[cfg(feature = "formats")]
        Format::JpegXl => jxl::is_grey16(bytes),
        #[cfg(feature = "formats")]
        Format::Jpeg2000 => jp2::is_grey16(bytes),
        Format::OfLibrary(_) => false,
    }
}

/// As in Pillow, alpha counts unless the extension at the end of the file says that there is none.
#[cfg(feature = "formats")]
fn decode_tga(bytes: &[u8]) -> Result<RgbImage> {
    let (size, colour, mut pixels) = pixels_by_library(bytes, ImageFormat::Tga, 0)?;
    if tga_has_no_alpha(bytes) {
        rgb::forget_alpha(colour, &mut pixels);
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
