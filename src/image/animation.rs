//! Frames of an animated GIF, WebP or PNG, sampled as a video is: the first at the start and the
//! others at equal distances in time. Each is the whole picture as it is then shown, laid on white.

use std::io::Cursor;
use std::time::Duration;

use ::image::codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use ::image::{
    AnimationDecoder, Frame, Frames, ImageDecoder, ImageFormat, ImageResult, Limits, RgbImage,
};

use super::decode::{DecodeOptions, decode_with};
use super::formats::recognise;
use super::library::{explain, without_panic};
use super::limits::{MAX_DECODED_BYTES, check_size};
use super::memory;
use super::rgb::from_rgba;
use crate::{Error, Result};

/// `count` frames of an animation; a still picture is its own only frame.
///
/// # Errors
/// Those of [`super::decode`]; [`Error::BadInput`] if `count` is zero.
pub fn decode_frames(bytes: &[u8], count: usize, options: &DecodeOptions) -> Result<Vec<RgbImage>> {
    if count == 0 {
        return Err(Error::BadInput("the number of frames is at least 1".into()));
    }
    let format = recognise(bytes)?;
    let still = || decode_with(bytes, options).map(|image| vec![image]);
    match format.of_library() {
        // Of one, the first, as the reference shows it.
        Some(library) if count > 1 => {
            without_panic(format, || sampled(bytes, library, count))?.map_or_else(still, Ok)
        }
        _ => still(),
    }
}

/// None where the picture is no animation.
fn sampled(bytes: &[u8], format: ImageFormat, count: usize) -> Result<Option<Vec<RgbImage>>> {
    let failed = |error| explain(format, error);
    let Some(all) = frames(bytes, format)? else {
        return Ok(None);
    };
    let ends = all.scan(Duration::ZERO, |end, frame| {
        Some(frame.map(|frame| {
            *end += Duration::from(frame.delay());
            *end
        }))
    });
    let ends = ends.collect::<ImageResult<Vec<_>>>().map_err(failed)?;
    let wanted = sample(&ends, count);
    let Some(all) = frames(bytes, format)?.filter(|_| ends.len() > 1) else {
        return Ok(None);
    };
    let mut chosen = Vec::with_capacity(count);
    for (place, frame) in all.enumerate() {
        let frame = frame.map_err(failed)?;
        for _ in wanted.iter().filter(|wanted| **wanted == place) {
            chosen.push(rgb(&frame)?);
        }
    }
    Ok(Some(chosen))
}

/// The places of the frames that are shown at `count` equally distant times.
fn sample(ends: &[Duration], count: usize) -> Vec<usize> {
    let whole = ends.last().copied().unwrap_or_default();
    let at = |index: usize| {
        if whole.is_zero() {
            return index * ends.len() / count; // no delays: equal ones
        }
        let time = whole.mul_f64(index as f64 / count as f64);
        ends.partition_point(|end| *end <= time)
    };
    (0..count).map(at).collect()
}

fn rgb(frame: &Frame) -> Result<RgbImage> {
    let (width, height) = frame.buffer().dimensions();
    from_rgba(width, height, frame.buffer().as_raw())
}

/// None where the picture is no animation.
fn frames(bytes: &[u8], format: ImageFormat) -> Result<Option<Frames<'_>>> {
    let failed = |error| explain(format, error);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    match format {
        ImageFormat::Gif => {
            let mut decoder = GifDecoder::new(Cursor::new(bytes)).map_err(failed)?;
            decoder.set_limits(limits).map_err(failed)?;
            sized(&decoder, 4)?;
            Ok(Some(decoder.into_frames()))
        }
        ImageFormat::WebP => {
            let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(failed)?;
            sized(&decoder, memory::of_webp(bytes))?;
            Ok(decoder.has_animation().then(|| decoder.into_frames()))
        }
        ImageFormat::Png => {
            let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits).map_err(failed)?;
            sized(&decoder, 4)?;
            if !decoder.is_apng().map_err(failed)? {
                return Ok(None);
            }
            Ok(Some(decoder.apng().map_err(failed)?.into_frames()))
        }
        _ => Ok(None),
    }
}

fn sized(decoder: &impl ImageDecoder, bytes_per_pixel: u32) -> Result<()> {
    let (width, height) = decoder.dimensions();
    check_size(width, height, bytes_per_pixel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_sampled_by_time() {
        let seconds = |ends: &[u64]| {
            ends.iter()
                .map(|end| Duration::from_secs(*end))
                .collect::<Vec<_>>()
        };
        assert_eq!(sample(&seconds(&[1, 2, 3, 4]), 4), [0, 1, 2, 3]);
        assert_eq!(sample(&seconds(&[1, 2, 3, 4]), 2), [0, 2]);
        assert_eq!(sample(&seconds(&[3, 4]), 4), [0, 0, 0, 1]);
        assert_eq!(sample(&seconds(&[0, 0, 0, 0]), 2), [0, 2]);
        assert_eq!(sample(&seconds(&[2]), 3), [0, 0, 0]);
    }
}
