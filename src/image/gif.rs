//! The first frame of a GIF. It is read from the `gif` crate directly, because the `image` crate
//! leaves what the frame does not cover transparent, where the reference shows the first colour of
//! the palette, and cuts off a frame that sticks out, where the reference enlarges the picture.

use std::io::{Cursor, Read};

use ::gif::{ColorOutput, DecodeOptions, Decoder, DecodingError, Frame, MemoryLimit};
use ::image::RgbImage;

use super::limits::MAX_DECODED_BYTES;
use super::memory::{self, zeroed};
use super::rgb::image_from;
use crate::{Error, Result};

/// Signature and screen descriptor.
const SCREEN: usize = 13;

pub(super) fn decode_first_frame(bytes: &[u8]) -> Result<RgbImage> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.allow_unknown_blocks(true);
    if let Some(limit) = std::num::NonZeroU64::new(MAX_DECODED_BYTES) {
        options.set_memory_limit(MemoryLimit::Bytes(limit));
    }
    let start = with_palette(bytes);
    let rest = bytes.get(SCREEN..).unwrap_or_default();
    let mut decoder = options.read_info(start.chain(rest)).map_err(damaged)?;

    let Some(frame) = decoder.next_frame_info().map_err(damaged)? else {
        return Err(Error::BadImage("the GIF picture holds no frame".into()));
    };
    let frame = frame.clone();
    let right = u32::from(frame.left) + u32::from(frame.width);
    let bottom = u32::from(frame.top) + u32::from(frame.height);
    let width = right.max(u32::from(decoder.width()));
    let height = bottom.max(u32::from(decoder.height()));
    memory::check(width, height, 1 + 3)?; // indices and colours

    let mut indices = zeroed(decoder.buffer_size())?;
    // All at once: row by row, as it takes interlaced frames, the crate loses what its last bytes hold.
    if !decoder.fill_buffer(&mut indices).map_err(damaged)? {
        return Err(Error::BadImage(
            "the GIF picture is truncated or damaged: its pixels end too early".into(),
        ));
    }
    let colours = colours(&decoder, &frame);
    paint(&frame, &indices, &colours, (width, height))
}

/// The file's first bytes, with a palette of grey levels where it has none of its own: the `gif` crate
/// refuses frames without any, and that is what the reference shows them in.
fn with_palette(bytes: &[u8]) -> Cursor<Vec<u8>> {
    let mut start = bytes[..bytes.len().min(SCREEN)].to_vec();
    if let Some(flags) = start.get_mut(10).filter(|flags| **flags & 0x80 == 0) {
        *flags |= 0x87; // a palette of 256 colours
        start.extend((0..=255).flat_map(|level: u8| [level; 3]));
    }
    Cursor::new(start)
}

fn damaged(error: DecodingError) -> Error {
    Error::BadImage(format!("the GIF picture is truncated or damaged: {error}"))
}

/// The colour of each index, the transparent one white. Indices beyond the palette are black; where
/// there is no palette, or a grey ramp, indices are grey levels.
fn colours(decoder: &Decoder<impl Read>, frame: &Frame) -> [[u8; 3]; 256] {
    let palette = frame
        .palette
        .as_deref()
        .or(decoder.global_palette())
        .unwrap_or_default();
    let (given, _) = palette.as_chunks::<3>();
    let grey = std::array::from_fn(|level| [level as u8; 3]);
    let mut colours = if grey.starts_with(given) {
        grey
    } else {
        [[0; 3]; 256]
    };
    colours
        .iter_mut()
        .zip(given)
        .for_each(|(colour, given)| *colour = *given);
    if let Some(index) = frame.transparent {
        colours[usize::from(index)] = [255; 3];
    }
    colours
}

fn paint(
    frame: &Frame,
    indices: &[u8],
    colours: &[[u8; 3]; 256],
    (width, height): (u32, u32),
) -> Result<RgbImage> {
    let background = usize::from(frame.transparent.unwrap_or(0));
    let mut rgb = zeroed(width as usize * height as usize * 3)?;
    for pixel in rgb.chunks_exact_mut(3) {
        pixel.copy_from_slice(&colours[background]);
    }
    let (top, left) = (usize::from(frame.top), usize::from(frame.left));
    let length = width as usize * 3;
    let rows = indices.chunks_exact(usize::from(frame.width).max(1));
    for (y, indices) in places_of_rows(frame).zip(rows) {
        let row = &mut rgb[(top + y) * length..][..length];
        for (pixel, index) in row[left * 3..].chunks_exact_mut(3).zip(indices) {
            pixel.copy_from_slice(&colours[usize::from(*index)]);
        }
    }
    image_from(width, height, rgb)
}

/// Where the rows of a frame lie, in the order in which they come: of an interlaced one every eighth
/// first, then those halfway between, and so on.
fn places_of_rows(frame: &Frame) -> impl Iterator<Item = usize> {
    const PASSES: [(usize, usize); 4] = [(0, 8), (4, 8), (2, 4), (1, 2)];
    let passes: &[_] = if frame.interlaced { &PASSES } else { &[(0, 1)] };
    let height = usize::from(frame.height);
    let rows = passes.iter();
    rows.flat_map(move |&(first, step)| (first..height).step_by(step))
}
