//! The pixels of a BMP: rows of indices, of 16 bits or of whole bytes, and run-length data.

use ::image::RgbImage;

use super::bmp_header::{Header, damaged};
use super::memory::zeroed;
use super::rgb::{image_from, on_white};
use crate::Result;

/// How the pixels are stored, and what colours they have.
pub(super) enum Layout {
    Indexed(Box<[[u8; 3]; 256]>),
    RunLengths {
        /// RLE4: a byte holds two pixels.
        halves: bool,
        colours: Box<[[u8; 3]; 256]>,
    },
    FiveBits,
    SixBitGreen,
    /// The places of red, green and blue, and of alpha where there is some.
    Bytes {
        count: usize,
        rgb: [usize; 3],
        alpha: Option<usize>,
    },
}

impl Layout {
    /// From the letters of a pixel's bytes in order, `x` for one that means nothing.
    pub fn bytes(count: usize, letters: &str) -> Self {
        let place = |letter| letters.find(letter);
        Self::Bytes {
            count,
            rgb: ['r', 'g', 'b'].map(|letter| place(letter).unwrap_or(0)),
            alpha: place('a'),
        }
    }
}

pub(super) fn read(pixels: &[u8], layout: &Layout, header: &Header) -> Result<RgbImage> {
    let (width, height) = (header.width as usize, header.height as usize);
    let mut rgb = zeroed(width * height * 3)?;
    if let Layout::RunLengths { halves, colours } = layout {
        let indices = run_lengths(pixels, *halves, width, height)?;
        for (number, row) in indices.chunks_exact(width).enumerate() {
            let place = from_top(header, number);
            paint(
                &mut rgb[place * width * 3..][..width * 3],
                row.iter().map(|index| colours[usize::from(*index)]),
            );
        }
        return image_from(header.width, header.height, rgb);
    }
    let bits = width * usize::from(header.bits);
    let (used, stride) = (bits.div_ceil(8), bits.div_ceil(32) * 4);
    for number in 0..height {
        let row = pixels
            .get(number * stride..)
            .and_then(|rest| rest.get(..used));
        let row = row.ok_or_else(|| damaged(&format!("it ends in row {number} of {height}")))?;
        let place = from_top(header, number);
        paint_row(
            &mut rgb[place * width * 3..][..width * 3],
            row,
            layout,
            header.bits,
        );
    }
    image_from(header.width, header.height, rgb)
}

/// The first row in the file is the lowest, as a rule.
fn from_top(header: &Header, number: usize) -> usize {
    if header.top_down {
        number
    } else {
        header.height as usize - 1 - number
    }
}

fn paint(to: &mut [u8], colours: impl Iterator<Item = [u8; 3]>) {
    for (pixel, colour) in to.chunks_exact_mut(3).zip(colours) {
        pixel.copy_from_slice(&colour);
    }
}

fn paint_row(to: &mut [u8], row: &[u8], layout: &Layout, bits: u16) {
    let words = || {
        row.chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
    };
    match layout {
        Layout::Indexed(colours) => match bits {
            8 => paint(to, row.iter().map(|index| colours[usize::from(*index)])),
            bits => paint(
                to,
                indices(row, bits).map(|index| colours[usize::from(index)]),
            ),
        },
        Layout::FiveBits => paint(
            to,
            words().map(|word| {
                [
                    scaled(word >> 10, 31),
                    scaled(word >> 5, 31),
                    scaled(word, 31),
                ]
            }),
        ),
        Layout::SixBitGreen => paint(
            to,
            words().map(|word| {
                [
                    scaled(word >> 11, 31),
                    scaled(word >> 5, 63),
                    scaled(word, 31),
                ]
            }),
        ),
        Layout::Bytes {
            count,
            rgb,
            alpha: None,
        } => {
            paint(
                to,
                row.chunks_exact(*count)
                    .map(|pixel| rgb.map(|place| pixel[place])),
            );
        }
        Layout::Bytes {
            count,
            rgb,
            alpha: Some(alpha),
        } => {
            let pixels = row.chunks_exact(*count);
            paint(
                to,
                pixels.map(|pixel| on_white(rgb.map(|place| pixel[place]), pixel[*alpha])),
            );
        }
        Layout::RunLengths { .. } => (),
    }
}

/// The lowest bits of a word, up to `most`, as 0 to 255 with Pillow's rounding: downwards.
fn scaled(word: u16, most: u16) -> u8 {
    (u32::from(word & most) * 255 / u32::from(most)) as u8
}

/// Indices of one or four bits, the highest first.
fn indices(row: &[u8], bits: u16) -> impl Iterator<Item = u8> {
    let mask = (1 << bits) - 1;
    row.iter().flat_map(move |byte| {
        (0..8 / bits)
            .rev()
            .map(move |place| byte >> (place * bits) & mask)
    })
}

/// The indices of RLE8 or RLE4 data, in the order of the file. What lines, jumps and an early end
/// leave out has index 0. Runs are cut off at the end of a line, as in Pillow.
fn run_lengths(data: &[u8], halves: bool, width: usize, height: usize) -> Result<Vec<u8>> {
    let mut indices = zeroed(width * height)?;
    let total = indices.len();
    let (mut from, mut to, mut x) = (0, 0, 0);
    while to < total {
        let Some(&[count, value]) = data.get(from..from + 2) else {
            return Err(damaged("its run-length data ends too early"));
        };
        from += 2;
        match (usize::from(count), value) {
            (0, 0) => (to, x) = (to.next_multiple_of(width), 0),
            (0, 1) => break,
            (0, 2) => {
                let Some(&[right, down]) = data.get(from..from + 2) else {
                    return Err(damaged("its run-length data ends too early"));
                };
                from += 2;
                to = total.min(to + usize::from(right) + usize::from(down) * width);
                x = to % width;
            }
            (0, count) => {
                let count = usize::from(count);
                let literal = count.min(total - to);
                let bytes = if halves { literal.div_ceil(2) } else { literal };
                let Some(given) = data.get(from..from + bytes) else {
                    return Err(damaged("its run-length data ends too early"));
                };
                for (place, index) in indices[to..to + literal].iter_mut().enumerate() {
                    *index = if halves {
                        half(given[place / 2], place)
                    } else {
                        given[place]
                    };
                }
                from += bytes.next_multiple_of(2);
                (to, x) = (to + literal, x + count);
            }
            (count, _) => {
                let count = count.min(width.saturating_sub(x)).min(total - to);
                for (place, index) in indices[to..to + count].iter_mut().enumerate() {
                    *index = if halves { half(value, place) } else { value };
                }
                (to, x) = (to + count, x + count);
            }
        }
    }
    Ok(indices)
}

fn half(byte: u8, place: usize) -> u8 {
    if place.is_multiple_of(2) {
        byte >> 4
    } else {
        byte & 0x0f
    }
}
