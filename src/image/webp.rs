//! WebP, through the `image` crate. The first frame of an animation is decoded as the still picture that
//! it is: the crate would mix its colours with those of the empty canvas, and hold twice the memory.

use ::image::{ImageFormat, RgbImage};

use super::library::decode_with_library;
use super::limits::check_size;
use super::memory::{has_alpha_of_its_own, zeroed};
use super::metadata::{orientation_of_webp, webp_as_announced, webp_chunks, webp_chunks_of};
use super::rgb::{Grey16, image_from};
use super::turn::{turning, upright};
use crate::{Error, Result};

/// What a header announces.
const ALPHA: u8 = 0x10;
const ANIMATION: u8 = 0x02;

pub(super) fn decode(file: &[u8]) -> Result<RgbImage> {
    let orientation = orientation_of_webp(file);
    let image = match webp_chunks(file).next() {
        Some((b"VP8X", header)) if header.first().is_some_and(|flags| flags & ANIMATION != 0) => {
            let canvas =
                Canvas::read(header).ok_or_else(|| damaged("it ends within its header"))?;
            canvas.show(&Frame::first(file)?)?
        }
        _ => still(&webp_as_announced(file), turning(orientation))?,
    };
    upright(image, orientation)
}

fn damaged(reason: &str) -> Error {
    Error::BadImage(format!(
        "the WebP picture is truncated or damaged: {reason}"
    ))
}

fn still(file: &[u8], later: u32) -> Result<RgbImage> {
    decode_with_library(file, ImageFormat::WebP, Grey16::default(), later)
}

struct Canvas {
    has_alpha: bool,
    width: usize,
    height: usize,
}

impl Canvas {
    fn read(header: &[u8]) -> Option<Self> {
        Some(Self {
            has_alpha: header.first()? & ALPHA != 0,
            width: number(header, 4)? + 1,
            height: number(header, 7)? + 1,
        })
    }

    /// The picture with one frame on it. What that does not cover is transparent, which is white, or, where
    /// there is no transparency, black.
    fn show(&self, frame: &Frame) -> Result<RgbImage> {
        let (width, height) = (self.width as u32, self.height as u32);
        if frame.left + frame.width > self.width || frame.top + frame.height > self.height {
            return Err(damaged("its first frame sticks out"));
        }
        check_size(width, height, 3 + 3)?;
        let image = still(&frame.file(self.has_alpha), 3 + 3)?;
        if (image.width(), image.height()) != (frame.width as u32, frame.height as u32) {
            return Err(damaged("its first frame has another size than it says"));
        }
        if (image.width(), image.height()) == (width, height) {
            return Ok(image);
        }
        let mut rgb = zeroed(self.width * self.height * 3)?;
        if self.has_alpha {
            rgb.fill(255);
        }
        let rows = rgb.chunks_exact_mut(self.width * 3).skip(frame.top);
        for (to, from) in rows.zip(image.as_raw().chunks_exact(frame.width * 3)) {
            to[frame.left * 3..][..from.len()].copy_from_slice(from);
        }
        image_from(width, height, rgb)
    }
}

struct Frame<'a> {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    /// Its own chunks: those of a still picture.
    chunks: &'a [u8],
}

impl<'a> Frame<'a> {
    fn first(file: &'a [u8]) -> Result<Self> {
        let frame = webp_chunks(file).find(|(name, _)| *name == b"ANMF");
        let (_, data) = frame.ok_or_else(|| damaged("it has no frames"))?;
        Self::read(data).ok_or_else(|| damaged("its first frame ends within its header"))
    }

    fn read(data: &'a [u8]) -> Option<Self> {
        Some(Self {
            left: number(data, 0)? * 2,
            top: number(data, 3)? * 2,
            width: number(data, 6)? + 1,
            height: number(data, 9)? + 1,
            chunks: data.get(16..)?,
        })
    }

    /// The frame as a file of its own.
    fn file(&self, with_alpha: bool) -> Vec<u8> {
        let has_alpha = with_alpha && webp_chunks_of(self.chunks).any(has_alpha_of_its_own);
        let mut header = [0; 10];
        header[0] = if has_alpha { ALPHA } else { 0 };
        header[4..7].copy_from_slice(&(self.width as u32 - 1).to_le_bytes()[..3]);
        header[7..].copy_from_slice(&(self.height as u32 - 1).to_le_bytes()[..3]);
        let length = 4 + 8 + header.len() + self.chunks.len();
        [
            &b"RIFF"[..],
            &(length as u32).to_le_bytes(),
            b"WEBPVP8X",
            &(header.len() as u32).to_le_bytes(),
            &header,
            self.chunks,
        ]
        .concat()
    }
}

/// A number of three bytes.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let &[low, middle, high] = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes([low, middle, high, 0]) as usize)
}
