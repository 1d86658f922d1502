//! JPEG pictures, to the very pixels of the reference (Pillow, which decodes with libjpeg-turbo): a
//! decoder of our own, for none in Rust gives them for every kind of file. What it does not read as the
//! reference does, it refuses.
//!
//! Read are sequential and progressive frames in Huffman and arithmetic coding and lossless ones in
//! Huffman coding, of 8 bits, in one, three or four colours, with any sampling, scans and restarts.
//!
//! - `markers`, `segments`: tables and headers. `frame`, `scan`, `definitions`: what they say.
//! - `file`: the scans of a file, one after the other.
//! - `bits`, `huffman`, `progressive`, `arithmetic`: from bytes to coefficients.
//! - `smooth`, `idct`: from coefficients to samples. `lossless`: samples without coefficients.
//! - `picture`, `upsample`, `colour`: from samples to pixels.
//!
//! Sources: ITU-T T.81, T.851, T.871; for what they leave open, the behaviour of libjpeg-turbo 3.

mod arithmetic;
mod bits;
mod colour;
mod definitions;
mod file;
mod frame;
mod huffman;
mod idct;
mod lossless;
mod markers;
mod picture;
mod progressive;
mod refusals;
mod scan;
mod segments;
mod smooth;
mod tables;
mod upsample;

use ::image::RgbImage;
use ::image::metadata::Orientation;

use self::colour::Colours;
use self::file::File;
use self::frame::{Frame, Process};
use self::picture::Picture;
use self::refusals::{damaged, truncated, unsupported};
use self::scan::Blocks;
use self::segments::{Next, Segments};
use super::limits::MAX_DECODED_BYTES;
use crate::{Error, Result};

#[cfg(feature = "formats")]
pub(super) use self::colour::print;

/// Decodes a JPEG picture into RGB pixels and turns them as `orientation` says.
pub(super) fn decode(bytes: &[u8], orientation: Orientation) -> Result<RgbImage> {
    let mut segments = Segments::new(bytes);
    let scan = match segments.next()? {
        Next::Scan(scan) => scan,
        Next::End => return Err(damaged("it holds no pixels")),
        Next::Cut => return Err(truncated()),
    };
    let frame = segments.frame.clone();
    let frame = frame.ok_or_else(|| damaged("it has no frame header"))?;
    let streams = frame.process == Process::Sequential && file::is_whole(&scan, &frame);
    check_memory(&frame, streams)?;
    let colours = Colours::of(&frame, &segments.hints);
    if frame.process == Process::Lossless && matches!(colours, Colours::Ycc | Colours::Ycck) {
        return Err(unsupported("lossless coding of luma and chroma"));
    }
    let mut picture = Picture::new(&frame, colours, orientation)?;
    File::new(bytes, frame, segments).decode(scan, &mut picture)?;
    picture.finish()
}

/// Refuses a picture whose decoding takes more memory than the limit: for most files its pixels alone,
/// for others all coefficients besides.
fn check_memory(frame: &Frame, streams: bool) -> Result<()> {
    let area = frame.width as u64 * frame.height as u64;
    let parts = frame.components.iter().map(|component| {
        let (across, down) = frame.padded_units(component);
        (across * down * frame.unit() * frame.unit()) as u64
    });
    let samples: u64 = parts.sum();
    let held = match frame.process {
        _ if streams => 0,
        Process::Lossless => samples,
        _ => samples / 64 * Blocks::BYTES as u64,
    };
    let bytes = 3 * area + held;
    if bytes > MAX_DECODED_BYTES {
        let kind = match frame.process {
            Process::Progressive => "progressive ",
            Process::Lossless => "lossless ",
            Process::Sequential => "",
        };
        return Err(Error::BadImage(format!(
            "the picture is too large: decoding a {kind}JPEG of {}x{} pixels takes {bytes} bytes, \
             at most {MAX_DECODED_BYTES} are allowed",
            frame.width, frame.height
        )));
    }
    Ok(())
}
