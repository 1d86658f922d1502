//! JPEG 2000, boxed or bare, through the `hayro-jpeg2000` crate. Its samples become levels here, with
//! Pillow's rounding.

use ::image::{ColorType, RgbImage};
use hayro_jpeg2000::{ComponentData, DecodeSettings, DecoderContext, Image};

use super::memory::{self, zeroed};
use super::rgb::{self, Grey16};
use crate::{Error, Result};

pub(super) fn decode(file: &[u8], grey16: Grey16) -> Result<RgbImage> {
    let image = open(file)?;
    let colour = colour_type(&image)?;
    refuse_what_is_not_read(file)?;
    let (width, height) = (image.width(), image.height());
    memory::check(width, height, bytes_per_pixel(colour))?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(damaged)?;
    let count = width as usize * height as usize;
    let pixels = pixels(decoded.components(), colour, count)?;
    drop(context);
    rgb::into_rgb((width, height), colour, None, grey16, pixels)
}

/// Whether the picture is grey of more than 8 bits, which [`Grey16`] is about.
pub(super) fn is_grey16(file: &[u8]) -> bool {
    open(file).and_then(|image| colour_type(&image)) == Ok(ColorType::L16)
}

fn damaged(reason: impl std::fmt::Display) -> Error {
    Error::BadImage(format!(
        "the JPEG 2000 picture is truncated or damaged: {reason}"
    ))
}

fn unsupported(what: &str) -> Error {
    Error::BadImage(format!(
        "the JPEG 2000 picture {what}, which is not supported: save it as PNG"
    ))
}

/// Reads the headers, which allocates nothing for pixels.
fn open(file: &[u8]) -> Result<Image<'_>> {
    let settings = DecodeSettings {
        strict: true,
        ..DecodeSettings::default()
    };
    Image::new(file, &settings).map_err(damaged)
}

/// The most bytes for each pixel that the decoder holds at a time: two floats for every sample, and more
/// where channels are sorted because one is alpha; and the result.
fn bytes_per_pixel(colour: ColorType) -> u32 {
    let each = if colour.has_alpha() { 10 } else { 8 };
    u32::from(colour.channel_count()) * each + memory::of_pixels(colour)
}

/// What the pixels are read as: by the number of channels, as in Pillow. Only grey keeps more than 8
/// bits, for the caller to choose.
fn colour_type(image: &Image) -> Result<ColorType> {
    match image.color_space().num_channels() + u8::from(image.has_alpha()) {
        1 if image.original_bit_depth() > 8 => Ok(ColorType::L16),
        1 => Ok(ColorType::L8),
        2 => Ok(ColorType::La8),
        3 => Ok(ColorType::Rgb8),
        4 => Ok(ColorType::Rgba8),
        channels => Err(unsupported(&format!("has {channels} channels"))),
    }
}

/// CMYK, samples below 0, and channels of fewer samples than the picture has pixels, are rare, and each
/// decoder reads them in its own way.
fn refuse_what_is_not_read(file: &[u8]) -> Result<()> {
    const CODESTREAM: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];
    const CHANNELS: usize = 40; // from the start of the codestream
    const CMYK: [&[u8]; 2] = [b"colr\x01\0\0\0\0\0\x0c", b"colr\x01\0\0\0\0\0\x0d"];
    let start = file.windows(4).position(|bytes| bytes == CODESTREAM);
    let boxes = &file[..start.unwrap_or(0)];
    if boxes
        .windows(CMYK[0].len())
        .any(|bytes| CMYK.contains(&bytes))
    {
        return Err(unsupported("is CMYK"));
    }
    let stream = &file[start.ok_or_else(|| damaged("it has no pixels"))?..];
    let Some((head, channels)) = stream.split_at_checked(CHANNELS + 2) else {
        return Err(damaged("it ends within its header"));
    };
    let count = usize::from(u16::from_be_bytes([head[CHANNELS], head[CHANNELS + 1]]));
    for [depth, across, down] in channels.as_chunks::<3>().0.iter().take(count) {
        if depth & 0x80 != 0 {
            return Err(unsupported("has samples with a sign"));
        }
        if (across, down) != (&1, &1) {
            return Err(unsupported("has channels of different sizes"));
        }
    }
    Ok(())
}

fn pixels(channels: &[ComponentData], colour: ColorType, count: usize) -> Result<Vec<u8>> {
    let bands = usize::from(colour.channel_count());
    if channels.len() != bands || channels.iter().any(|band| band.samples().len() != count) {
        return Err(damaged("it has other channels than it says"));
    }
    let mut pixels = zeroed(count * usize::from(colour.bytes_per_pixel()))?;
    for (place, band) in channels.iter().enumerate() {
        let samples = band
            .samples()
            .iter()
            .map(|sample| whole(*sample, band.bit_depth()));
        if colour == ColorType::L16 {
            let out = pixels.as_chunks_mut::<2>().0.iter_mut();
            out.zip(samples).for_each(|(pixel, sample)| {
                *pixel = shifted(sample, band.bit_depth(), 16).to_ne_bytes()
            });
        } else {
            let out = pixels.iter_mut().skip(place).step_by(bands);
            out.zip(samples)
                .for_each(|(pixel, sample)| *pixel = shifted(sample, band.bit_depth(), 8) as u8);
        }
    }
    Ok(pixels)
}

fn whole(sample: f32, bits: u8) -> u32 {
    let most = ((1_u64 << bits) - 1) as f32;
    sample.round_ties_even().clamp(0.0, most) as u32
}

/// A sample of `from` bits as one of `to` bits, rounded or followed by zeros. Where the largest ones
/// are rounded up, Pillow begins again at 0, so that white becomes black; here they stay white.
fn shifted(sample: u32, from: u8, to: u8) -> u16 {
    if from <= to {
        return (sample << (to - from)) as u16;
    }
    let rounded = (u64::from(sample) + (1 << (from - to - 1))) >> (from - to);
    rounded.min((1 << to) - 1) as u16
}
