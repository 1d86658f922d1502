//! Encoded bytes to upright RGB pixels. Formats are recognised by their first bytes, sizes are
//! checked before anything is allocated for them, and the camera's orientation is applied, so that
//! no caller has to know about any of it.

use std::io::Cursor;

use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use super::{gif, rgb};
use crate::{Error, Result};

/// The longest side of a picture, in pixels.
pub const MAX_SIDE: u32 = 16_384;

/// The largest picture in bytes of decoded pixels: a 100-megapixel photo has room, with alpha too.
pub const MAX_DECODED_BYTES: u64 = 512 << 20;

const SUPPORTED: &str = "PNG, JPEG, WebP, GIF and BMP are supported";

/// Decodes a PNG, JPEG, WebP, GIF (first frame) or BMP picture into upright RGB pixels, as the
/// reference sees it: EXIF orientation applied, transparency laid on white.
///
/// # Errors
/// [`Error::BadImage`] where the bytes are empty, of another format, truncated or damaged, or where
/// the picture is larger than [`MAX_SIDE`] or [`MAX_DECODED_BYTES`]; [`Error::OutOfMemory`].
pub fn decode(bytes: &[u8]) -> Result<RgbImage> {
    match recognise(bytes)? {
        ImageFormat::Gif => gif::decode_first_frame(bytes),
        format => decode_with_library(bytes, format),
    }
}

fn decode_with_library(bytes: &[u8], format: ImageFormat) -> Result<RgbImage> {
    let failed = |error| explain(format, error);
    if format == ImageFormat::Jpeg && !jpeg_has_end(bytes) {
        return Err(Error::BadImage(
            "the JPEG picture is truncated: its end-of-image marker is missing".into(),
        ));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(failed)?;

    let (width, height) = decoder.dimensions();
    let colour = decoder.color_type();
    check_size(width, height, u32::from(colour.bytes_per_pixel()).max(3))?;
    let orientation = orientation(&mut decoder);
    let mut pixels = zeroed(decoder.total_bytes() as usize)?;
    decoder.read_image(&mut pixels).map_err(failed)?;

    let key = if format == ImageFormat::Png {
        png_colour_key(bytes)
    } else {
        None
    };
    let image = rgb::into_rgb((width, height), colour, key, pixels)?;
    Ok(upright(image, orientation))
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

/// A buffer of zeros, or an error where a plain allocation would end the program.
pub(super) fn zeroed(length: usize) -> Result<Vec<u8>> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(length).map_err(|_| {
        Error::OutOfMemory(format!(
            "there is no memory for the {length} bytes of the picture"
        ))
    })?;
    buffer.resize(length, 0);
    Ok(buffer)
}

fn recognise(bytes: &[u8]) -> Result<ImageFormat> {
    if bytes.is_empty() {
        return Err(Error::BadImage(format!(
            "the picture is empty (0 bytes); {SUPPORTED}"
        )));
    }
    match ::image::guess_format(bytes) {
        Ok(
            format @ (ImageFormat::Png
            | ImageFormat::Jpeg
            | ImageFormat::WebP
            | ImageFormat::Gif
            | ImageFormat::Bmp),
        ) => Ok(format),
        _ => Err(Error::BadImage(match name_of_other_format(bytes) {
            Some(name) => {
                format!("the picture looks like {name}, which is not supported; {SUPPORTED}")
            }
            None => format!("the format of the picture is not recognised; {SUPPORTED}"),
        })),
    }
}

/// What a file that we do not read most likely is, by its first bytes.
fn name_of_other_format(bytes: &[u8]) -> Option<&'static str> {
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some(match bytes.get(8..12) {
            Some(b"avif" | b"avis") => "AVIF",
            Some(b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1") => "HEIC",
            _ => "a video (MP4 or QuickTime)",
        });
    }
    const FIRST_BYTES: [(&[u8], &str); 14] = [
        (b"II*\0", "TIFF"),
        (b"MM\0*", "TIFF"),
        (b"%PDF", "PDF"),
        (b"8BPS", "a Photoshop document"),
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cJXL ", "JPEG XL"),
        (b"\0\0\0\x0cjP  ", "JPEG 2000"),
        (b"\0\0\x01\0", "an icon (ICO)"),
        (b"v/1\x01", "OpenEXR"),
        (b"qoif", "QOI"),
        (b"\x1a\x45\xdf\xa3", "a video (WebM or Matroska)"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x1f\x8b", "gzip-compressed data"),
        (b"DDS ", "DDS"),
    ];
    let known = FIRST_BYTES
        .iter()
        .find(|(magic, _)| bytes.starts_with(magic));
    known.map(|(_, name)| *name).or_else(|| name_of_text(bytes))
}

fn name_of_text(bytes: &[u8]) -> Option<&'static str> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).to_lowercase();
    let start = start.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with("<svg") || (start.starts_with("<?xml") && start.contains("<svg")) {
        return Some("SVG");
    }
    let page = start.starts_with("<!doctype html") || start.starts_with("<html");
    page.then_some("a web page (HTML)")
}

fn explain(format: ImageFormat, error: ImageError) -> Error {
    let name = match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
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

/// The orientation that Pillow's `exif_transpose` would undo: the EXIF tag or, where there is none,
/// the XMP property. Metadata that does not parse is no reason to refuse the picture.
fn orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    let exif = decoder.exif_metadata().ok().flatten();
    let tag = exif.and_then(|chunk| Orientation::from_exif_chunk(&chunk));
    tag.or_else(|| xmp_orientation(&decoder.xmp_metadata().ok().flatten()?))
        .unwrap_or(Orientation::NoTransforms)
}

pub(super) fn xmp_orientation(xmp: &[u8]) -> Option<Orientation> {
    const PROPERTY: &[u8] = b"tiff:Orientation";
    xmp.windows(PROPERTY.len())
        .enumerate()
        .find_map(|(at, name)| {
            let value = xmp.get(at + PROPERTY.len()..)?;
            let value = value
                .strip_prefix(b"=\"")
                .or_else(|| value.strip_prefix(b">"))?;
            let digit = value.first().filter(|_| name == PROPERTY)?;
            Orientation::from_exif(digit.wrapping_sub(b'0'))
        })
}

fn upright(image: RgbImage, orientation: Orientation) -> RgbImage {
    if orientation == Orientation::NoTransforms {
        return image;
    }
    let mut image = DynamicImage::ImageRgb8(image);
    image.apply_orientation(orientation);
    image.into_rgb8()
}

/// Whether the first picture in a JPEG file goes on to its end. The decoder fills what is missing
/// with grey; the reference refuses such a file, and a caption of half a picture helps nobody.
/// Entropy-coded data cannot hold the marker, and thumbnails lie in the segments skipped here.
fn jpeg_has_end(bytes: &[u8]) -> bool {
    let mut at = 2; // after the start-of-image marker
    while let Some(&[0xff, marker]) = bytes.get(at..at + 2) {
        at += match (marker, bytes.get(at + 2..at + 4)) {
            (0xff, _) => 1,                 // padding
            (0x01 | 0xd0..=0xd8, _) => 2,   // markers without a segment
            (0xda, _) | (_, None) => break, // the first scan
            (_, Some(length)) => 2 + usize::from(length[0]) * 256 + usize::from(length[1]),
        };
    }
    let scan = bytes.get(at..).unwrap_or_default();
    scan.windows(2).any(|pair| pair == [0xff, 0xd9])
}

/// The transparent colour of a grey or RGB PNG (its tRNS chunk). See [`rgb::ColourKey`].
fn png_colour_key(bytes: &[u8]) -> Option<rgb::ColourKey> {
    let (depth, colour_type) = (*bytes.get(24)?, *bytes.get(25)?);
    let chunk = png_chunk_before_pixels(bytes, b"tRNS")?;
    match (colour_type, chunk) {
        (0, [0, 0, ..]) if depth == 1 => Some([0; 3]),
        (0, [_, _, ..]) if depth == 1 => Some([255; 3]),
        (0, [_, grey, ..]) => Some([*grey; 3]),
        (2, [_, r, _, g, _, b, ..]) => Some([*r, *g, *b]),
        _ => None,
    }
}

fn png_chunk_before_pixels<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    let mut rest = bytes.get(8..)?;
    loop {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (name, tail) = tail.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        if name == kind {
            return tail.get(..length);
        }
        if name == b"IDAT" {
            return None;
        }
        rest = tail.get(length.checked_add(4)?..)?; // the checksum follows
    }
}
