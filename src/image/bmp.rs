//! BMP, of every header that Windows and OS/2 wrote, read as the reference reads it. The `image`
//! crate rounds 16-bit colours otherwise, takes unused alpha bits for transparency and leaves gaps
//! of run-length data transparent; what a BMP is lies in one header, so it is read here.
//!
//! `bmp_header` reads the header, `bmp_pixels` the three ways in which pixels are stored.

use ::image::RgbImage;

use super::bmp_header::{Header, MASKS, RAW, RLE4, RLE8, damaged, unsupported};
use super::bmp_pixels::{self, Layout};
use super::limits::check_size;
use crate::Result;

/// What Pillow takes for a palette; only the first 256 colours can be named by a pixel.
const MOST_COLOURS: u32 = 1 << 16;

pub(super) fn decode(file: &[u8]) -> Result<RgbImage> {
    let header = Header::read(file).ok_or_else(|| damaged("it ends within its header"))??;
    check_size(header.width, header.height, 3)?;
    let layout = layout(file, &header)?;
    let pixels = file.get(header.pixels_at..).unwrap_or_default();
    bmp_pixels::read(pixels, &layout, &header)
}

fn layout(file: &[u8], header: &Header) -> Result<Layout> {
    let run_lengths = matches!(header.compression, RLE8 | RLE4);
    match (header.bits, header.compression) {
        (_, 4) if header.bits == 0 => Err(unsupported("holds a JPEG")),
        (_, 5) if header.bits == 0 => Err(unsupported("holds a PNG")),
        (1 | 4 | 8, RAW) => Ok(Layout::Indexed(palette(file, header)?)),
        (4 | 8, _) if run_lengths => Ok(Layout::RunLengths {
            halves: header.compression == RLE4,
            colours: palette(file, header)?,
        }),
        (16, RAW) => Ok(Layout::FiveBits),
        (24, RAW) => Ok(Layout::bytes(3, "bgr")),
        (32, RAW) => Ok(Layout::bytes(4, "bgrx")),
        (16 | 24 | 32, MASKS) => of_masks(header),
        (1 | 4 | 8 | 16 | 24 | 32, compression) => Err(unsupported(&format!(
            "is compressed by method {compression} at {} bits a pixel",
            header.bits
        ))),
        (bits, _) => Err(unsupported(&format!("has {bits} bits a pixel"))),
    }
}

/// The masks that Pillow knows. Those of others would need a rounding that nothing defines.
fn of_masks(header: &Header) -> Result<Layout> {
    const R: u32 = 0xff00_0000;
    let [red, green, blue, alpha] = header.masks;
    match (header.bits, (red, green, blue, alpha)) {
        (16, (0xf800, 0x07e0, 0x001f, _)) => Ok(Layout::SixBitGreen),
        (16, (0x7c00, 0x03e0, 0x001f, _)) => Ok(Layout::FiveBits),
        (24, (0xff_0000, 0xff00, 0xff, _)) => Ok(Layout::bytes(3, "bgr")),
        (32, (0xff_0000, 0xff00, 0xff, 0)) => Ok(Layout::bytes(4, "bgrx")),
        (32, (R, 0xff_0000, 0xff00, 0)) => Ok(Layout::bytes(4, "xbgr")),
        (32, (R, 0xff00, 0xff, 0)) => Ok(Layout::bytes(4, "bgxr")),
        (32, (R, 0xff_0000, 0xff00, 0xff)) => Ok(Layout::bytes(4, "abgr")),
        (32, (0xff, 0xff00, 0xff_0000, R)) => Ok(Layout::bytes(4, "rgba")),
        (32, (0xff_0000, 0xff00, 0xff, R) | (0, 0, 0, 0)) => Ok(Layout::bytes(4, "bgra")),
        (32, (R, 0xff00, 0xff, 0xff_0000)) => Ok(Layout::bytes(4, "bgar")),
        (bits, _) => Err(unsupported(&format!(
            "has {bits} bits a pixel with the masks {red:x}, {green:x}, {blue:x} and {alpha:x}"
        ))),
    }
}

/// The colour of each index. As in Pillow, the values of a grey ramp go on beyond its end, and other
/// indices without a colour are black.
fn palette(file: &[u8], header: &Header) -> Result<Box<[[u8; 3]; 256]>> {
    if header.colours > MOST_COLOURS {
        return Err(unsupported(&format!("has {} colours", header.colours)));
    }
    let said = header.entry * header.colours as usize;
    let end = header.palette_at.saturating_add(said).min(file.len());
    let given = file.get(header.palette_at..end).unwrap_or_default();
    let entries = given.chunks_exact(header.entry).take(256);
    let mut colours = Box::new([[0; 3]; 256]);
    for (colour, entry) in colours.iter_mut().zip(entries) {
        *colour = [entry[2], entry[1], entry[0]];
    }
    let is_grey = |step: usize| {
        let expected = |(place, colour): (usize, &[u8; 3])| *colour == [(place * step) as u8; 3];
        given.len() == said
            && colours
                .iter()
                .take(header.colours as usize)
                .enumerate()
                .all(expected)
    };
    if header.colours > 2 && is_grey(1) {
        *colours = std::array::from_fn(|place| [place as u8; 3]);
    } else if header.colours == 1 && is_grey(1) && header.bits == 1 {
        colours[1] = [255; 3];
    }
    Ok(colours)
}
