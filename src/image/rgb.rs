//! Decoded pixels of any kind to 8-bit RGB, with the reference's arithmetic: transparency is laid on
//! white with Pillow's rounding, and 16-bit colour loses its low byte. For 16-bit grey see [`Grey16`].

use ::image::{ColorType, RgbImage};

use super::limits::check_size;
use super::memory::zeroed;
use crate::{Error, Result};

/// Composites the RGBA pixels of a canvas on white. `rgba` is row by row, four bytes a pixel, alpha
/// not multiplied in, as in the browser's `ImageData`.
///
/// # Errors
/// [`Error::BadImage`] for an empty or too large picture, or where `rgba` has the wrong length.
pub fn from_rgba(width: u32, height: u32, rgba: &[u8]) -> Result<RgbImage> {
    check_size(width, height, 3)?;
    let expected = u64::from(width) * u64::from(height) * 4;
    if rgba.len() as u64 != expected {
        return Err(Error::BadImage(format!(
            "a picture of {width}x{height} pixels has {expected} bytes of RGBA, not {}",
            rgba.len()
        )));
    }
    let mut rgb = zeroed(rgba.len() / 4 * 3)?;
    for (to, from) in rgb.chunks_exact_mut(3).zip(rgba.chunks_exact(4)) {
        to.copy_from_slice(&on_white([from[0], from[1], from[2]], from[3]));
    }
    image_from(width, height, rgb)
}

/// Takes RGB pixels as they are, row by row, three bytes each.
///
/// # Errors
/// [`Error::BadImage`] for an empty or too large picture, or where `rgb` has the wrong length.
pub fn from_rgb(width: u32, height: u32, rgb: Vec<u8>) -> Result<RgbImage> {
    check_size(width, height, 3)?;
    let expected = u64::from(width) * u64::from(height) * 3;
    if rgb.len() as u64 != expected {
        return Err(Error::BadImage(format!(
            "a picture of {width}x{height} pixels has {expected} bytes of RGB, not {}",
            rgb.len()
        )));
    }
    image_from(width, height, rgb)
}

/// How grey of 16 bits becomes grey of 8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grey16 {
    /// Cut off at 255, as Pillow does: of most such pictures nothing but white is left. The default,
    /// because these are the reference's numbers.
    #[default]
    Clip,
    /// Scaled: the high byte, which is what a person sees, and what Pillow does to 16-bit colour.
    Scale,
}

/// The one colour that a PNG without an alpha channel declares transparent, as Pillow compares it:
/// the low bytes of the samples in the file, against pixels already reduced to 8 bits.
pub(super) type ColourKey = [u8; 3];

/// Turns the decoder's `pixels` of type `colour` into RGB, in place where they are wide enough.
/// A `key` replaces the alpha channel that the decoder derived from it.
pub(super) fn into_rgb(
    (width, height): (u32, u32),
    colour: ColorType,
    key: Option<ColourKey>,
    grey16: Grey16,
    pixels: Vec<u8>,
) -> Result<RgbImage> {
    let scale = grey16 == Grey16::Scale;
    let keyed = |rgb: [u8; 3], alpha: u8| match key {
        Some(key) if key == rgb => [255; 3],
        Some(_) => rgb,
        None => on_white(rgb, alpha),
    };
    let rgb = match colour {
        ColorType::Rgb8 => pixels,
        ColorType::L8 => repack(pixels, |[l]: [u8; 1]| [l; 3])?,
        ColorType::La8 => repack(pixels, |[l, a]: [u8; 2]| keyed([l; 3], a))?,
        ColorType::Rgba8 => repack(pixels, |[r, g, b, a]: [u8; 4]| keyed([r, g, b], a))?,
        ColorType::L16 if scale => repack(pixels, |l: [u8; 2]| [high(l, 0); 3])?,
        ColorType::L16 => repack(pixels, |l: [u8; 2]| [clipped(l); 3])?,
        ColorType::La16 if key.is_some() && !scale => {
            repack(pixels, |p: [u8; 4]| keyed([clipped([p[0], p[1]]); 3], 255))?
        }
        ColorType::La16 => repack(pixels, |p: [u8; 4]| on_white([high(p, 0); 3], high(p, 1)))?,
        ColorType::Rgb16 => repack(pixels, |p: [u8; 6]| [high(p, 0), high(p, 1), high(p, 2)])?,
        ColorType::Rgba16 => repack(pixels, |p: [u8; 8]| {
            keyed([high(p, 0), high(p, 1), high(p, 2)], high(p, 3))
        })?,
        other => {
            return Err(Error::BadImage(format!(
                "the picture has pixels of type {other:?}; 8 or 16 bits of grey or RGB were expected"
            )));
        }
    };
    image_from(width, height, rgb)
}

/// One colour laid on white: `alpha_composite` of Pillow, where the background is opaque.
pub(super) fn on_white(rgb: [u8; 3], alpha: u8) -> [u8; 3] {
    let alpha = u32::from(alpha);
    rgb.map(|colour| {
        let sum = u32::from(colour) * alpha + 255 * (255 - alpha) + 128;
        ((sum + (sum >> 8)) >> 8) as u8
    })
}

/// Makes all pixels opaque.
#[cfg(feature = "formats")]
pub(super) fn forget_alpha(colour: ColorType, pixels: &mut [u8]) {
    match colour {
        ColorType::Rgba8 => {
            let pixels = pixels.as_chunks_mut::<4>().0.iter_mut();
            pixels.for_each(|pixel| pixel[3] = 255);
        }
        ColorType::Rgba16 => {
            let pixels = pixels.as_chunks_mut::<8>().0.iter_mut();
            pixels.for_each(|pixel| pixel[6..].fill(255));
        }
        _ => {}
    }
}

/// The high byte of one of the 16-bit samples of a pixel.
fn high<const N: usize>(pixel: [u8; N], sample: usize) -> u8 {
    (u16::from_ne_bytes([pixel[2 * sample], pixel[2 * sample + 1]]) >> 8) as u8
}

fn clipped(sample: [u8; 2]) -> u8 {
    u16::from_ne_bytes(sample).min(255) as u8
}

/// Replaces every `N` bytes by three. Wide pixels shrink in place: a large photo with an alpha
/// channel never needs a second buffer.
fn repack<const N: usize>(
    mut from: Vec<u8>,
    pixel: impl Fn([u8; N]) -> [u8; 3],
) -> Result<Vec<u8>> {
    let count = from.len() / N;
    let take = |bytes: &[u8]| std::array::from_fn(|i| bytes[i]);
    if N >= 3 {
        for i in 0..count {
            let rgb = pixel(take(&from[i * N..(i + 1) * N]));
            from[i * 3..(i + 1) * 3].copy_from_slice(&rgb);
        }
        from.truncate(count * 3);
        from.shrink_to_fit();
        return Ok(from);
    }
    let mut to = zeroed(count * 3)?;
    for (to, from) in to.chunks_exact_mut(3).zip(from.chunks_exact(N)) {
        to.copy_from_slice(&pixel(take(from)));
    }
    Ok(to)
}

pub(super) fn image_from(width: u32, height: u32, rgb: Vec<u8>) -> Result<RgbImage> {
    let length = rgb.len();
    RgbImage::from_raw(width, height, rgb).ok_or_else(|| {
        Error::BadImage(format!(
            "{length} bytes are too few for {width}x{height} RGB pixels"
        ))
    })
}
