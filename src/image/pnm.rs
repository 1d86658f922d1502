//! PBM, PGM and PPM, plain and packed, with the reference's rounding where the largest value is not
//! 255. The `image` crate rounds otherwise, and shows 16-bit colour a level off.

use ::image::RgbImage;

use super::limits::check_size;
use super::memory::zeroed;
use super::rgb::{Grey16, image_from};
use crate::{Error, Result};

pub(super) fn decode(file: &[u8], grey16: Grey16) -> Result<RgbImage> {
    let header = Header::read(file).ok_or_else(|| damaged("its header is not one"))?;
    check_size(header.width, header.height, 3)?;
    let length = header.width as usize * header.height as usize * 3;
    let mut rgb = zeroed(length)?;
    let level = |value: u32| header.level(value, grey16);
    let mut values = header.values(file);
    for pixel in rgb.chunks_exact_mut(3) {
        let mut next = || {
            values
                .next()
                .ok_or_else(|| damaged("it ends before its last pixel"))
        };
        if header.bands == 3 {
            for place in pixel {
                *place = level(next()?);
            }
        } else {
            pixel.fill(level(next()?));
        }
    }
    drop(values);
    image_from(header.width, header.height, rgb)
}

/// Whether the picture is grey with more than 8 bits, which [`Grey16`] is about.
pub(super) fn is_grey16(file: &[u8]) -> bool {
    Header::read(file).is_some_and(|header| header.bands == 1 && header.most > 255)
}

fn damaged(reason: &str) -> Error {
    Error::BadImage(format!("the PNM picture is truncated or damaged: {reason}"))
}

struct Header {
    width: u32,
    height: u32,
    bands: usize,
    most: u32,
    plain: bool,
    bilevel: bool,
    pixels_at: usize,
}

impl Header {
    fn read(file: &[u8]) -> Option<Self> {
        let kind = *file.get(1)?;
        let bilevel = matches!(kind, b'1' | b'4');
        let mut at = 2;
        let mut number = || number(file, &mut at);
        let (width, height) = (number()?, number()?);
        let most = if bilevel { 1 } else { number()? };
        (1..=0xffff).contains(&most).then_some(Self {
            width,
            height,
            bands: if matches!(kind, b'3' | b'6') { 3 } else { 1 },
            most,
            plain: matches!(kind, b'1'..=b'3'),
            bilevel,
            pixels_at: at + 1, // one space
        })
    }

    fn level(&self, value: u32, grey16: Grey16) -> u8 {
        if self.bilevel {
            return if value == 0 { 255 } else { 0 };
        }
        let scaled = |top: f64| {
            (f64::from(value) / f64::from(self.most) * top)
                .round_ties_even()
                .min(top)
        };
        match (self.bands, self.most) {
            (_, 255) => value.min(255) as u8,
            (1, 256..) if grey16 == Grey16::Scale => (scaled(65535.0) as u32 >> 8) as u8,
            (1, 256..) => scaled(65535.0).min(255.0) as u8,
            _ => scaled(255.0) as u8,
        }
    }

    /// The numbers behind the header, as long as there are some. A plain one above the largest that
    /// was said ends them.
    fn values<'a>(&'a self, file: &'a [u8]) -> Box<dyn Iterator<Item = u32> + 'a> {
        let mut at = self.pixels_at;
        let rest = file.get(at..).unwrap_or_default();
        match (self.plain, self.bilevel) {
            (true, true) => Box::new(std::iter::from_fn(move || {
                skip_space(file, &mut at);
                let digit = *file.get(at)?;
                at += 1;
                matches!(digit, b'0' | b'1').then(|| u32::from(digit - b'0'))
            })),
            (true, false) => Box::new(std::iter::from_fn(move || {
                number(file, &mut at).filter(|value| *value <= self.most)
            })),
            (false, true) => {
                let rows = rest.chunks_exact((self.width as usize).div_ceil(8));
                let bits = |row: &'a [u8]| {
                    row.iter()
                        .flat_map(|byte| (0..8).rev().map(move |bit| u32::from(byte >> bit & 1)))
                };
                Box::new(rows.flat_map(move |row| bits(row).take(self.width as usize)))
            }
            (false, false) if self.most < 256 => Box::new(rest.iter().map(|byte| u32::from(*byte))),
            (false, false) => Box::new(
                rest.chunks_exact(2)
                    .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])),
            ),
        }
    }
}

/// The next number in decimal digits, behind spaces and comments.
fn number(file: &[u8], at: &mut usize) -> Option<u32> {
    skip_space(file, at);
    let digits = file
        .get(*at..)?
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let text = std::str::from_utf8(&file[*at..*at + digits]).ok()?;
    *at += digits;
    text.parse().ok()
}

fn skip_space(file: &[u8], at: &mut usize) {
    while let Some(byte) = file.get(*at) {
        match byte {
            b'#' => {
                *at += file[*at..]
                    .iter()
                    .take_while(|byte| !matches!(byte, b'\n' | b'\r'))
                    .count()
            }
            byte if byte.is_ascii_whitespace() => *at += 1,
            _ => return,
        }
    }
}
