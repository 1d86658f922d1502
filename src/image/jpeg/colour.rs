//! The colours of a JPEG picture to RGB: the integer arithmetic of libjpeg-turbo, and Pillow's for
//! the four colours of print.

use wide::{i16x8, i32x8, u8x16, u16x8};

use super::frame::{Frame, Process};
use super::segments::ColourHints;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    Grey,
    Rgb,
    /// Luma and two chroma.
    Ycc,
    /// Cyan, magenta, yellow and black, inverted as Adobe's programs write them.
    Cmyk,
    /// The same with the first three as luma and chroma.
    Ycck,
}

impl Colours {
    /// What libjpeg takes the colours for.
    pub(super) fn of(frame: &Frame, hints: &ColourHints) -> Self {
        let ids: Vec<u8> = frame.components.iter().map(|c| c.id).collect();
        match (ids.len(), hints.adobe_transform) {
            (1, _) => Colours::Grey,
            (3, _) if hints.is_jfif => Colours::Ycc,
            (3, Some(0)) => Colours::Rgb,
            (3, Some(_)) => Colours::Ycc,
            (3, None) if ids == *b"RGB" || frame.process == Process::Lossless => Colours::Rgb,
            (3, None) => Colours::Ycc,
            (_, None | Some(0)) => Colours::Cmyk,
            (_, Some(_)) => Colours::Ycck,
        }
    }

    /// Writes a row of pixels from the samples of each colour.
    pub(super) fn write(self, samples: [&[u8]; 4], out: &mut [u8]) {
        let [a, b, c, d] = samples;
        match self {
            Colours::Grey => {
                let pixels = out.as_chunks_mut::<3>().0.iter_mut();
                pixels.zip(a).for_each(|(pixel, &grey)| *pixel = [grey; 3]);
            }
            Colours::Rgb => interleave(a, b, c, out),
            Colours::Ycc => ycc_row(a, b, c, out),
            Colours::Cmyk | Colours::Ycck => {
                let pixels = out.as_chunks_mut::<3>().0.iter_mut();
                for (x, pixel) in pixels.enumerate() {
                    let ink = match self {
                        Colours::Cmyk => [a[x], b[x], c[x]],
                        _ => ycc(a[x], b[x], c[x]).map(|level| 255 - level),
                    };
                    *pixel = ink.map(|ink| print(ink, d[x]));
                }
            }
        }
    }
}

/// The level that an inverted ink leaves on paper, under the inverted black.
pub(in crate::image) fn print(ink: u8, black: u8) -> u8 {
    let (ink, light) = (255 - i32::from(ink), i32::from(black));
    let product = ink * light + 128;
    (light - ((product + (product >> 8)) >> 8)) as u8
}

/// How many samples are loaded at a time.
const CHUNK: usize = 16;

fn ycc_row(luma: &[u8], blue: &[u8], red: &[u8], out: &mut [u8]) {
    let (luma, luma_rest) = luma.as_chunks::<CHUNK>();
    let (blue, blue_rest) = blue.as_chunks::<CHUNK>();
    let (red, red_rest) = red.as_chunks::<CHUNK>();
    let (chunks, rest) = out.as_chunks_mut::<{ 3 * CHUNK }>();
    for (((out, luma), blue), red) in chunks.iter_mut().zip(luma).zip(blue).zip(red) {
        let samples = [luma, blue, red].map(|samples| u8x16::new(*samples));
        let (halves, _) = out.as_chunks_mut::<{ 3 * CHUNK / 2 }>();
        write_eight(samples.map(i16x8::from_u8x16_low), &mut halves[0]);
        write_eight(samples.map(i16x8::from_u8x16_high), &mut halves[1]);
    }
    let rest = rest.as_chunks_mut::<3>().0.iter_mut();
    for (((pixel, &luma), &blue), &red) in rest.zip(luma_rest).zip(blue_rest).zip(red_rest) {
        *pixel = ycc(luma, blue, red);
    }
}

fn interleave(r: &[u8], g: &[u8], b: &[u8], out: &mut [u8]) {
    let pixels = out.as_chunks_mut::<3>().0.iter_mut();
    for (((pixel, &r), &g), &b) in pixels.zip(r).zip(g).zip(b) {
        *pixel = [r, g, b];
    }
}

/// Luma and chroma to RGB, exact in 16.16 fixed point: 1.402 red, 0.34414 blue and 0.71414 red,
/// 1.772 blue. Whole parts of the factors are added apart, so that the products are 16 bits wide.
fn ycc(luma: u8, blue: u8, red: u8) -> [u8; 3] {
    let (luma, blue, red) = (i32::from(luma), i32::from(blue) - 128, i32::from(red) - 128);
    let scaled = |sum: i32| (sum + 32_768) >> 16;
    let to_red = luma + red + scaled(red * RED);
    let to_green = luma - red + scaled(blue * GREEN_OF_BLUE + red * GREEN_OF_RED);
    let to_blue = luma + 2 * blue + scaled(blue * BLUE);
    [to_red, to_green, to_blue].map(|level| level.clamp(0, 255) as u8)
}

const RED: i32 = 26_345;
const GREEN_OF_BLUE: i32 = -22_554;
const GREEN_OF_RED: i32 = 18_734;
const BLUE: i32 = -14_942;

/// The same for eight pixels at once.
#[inline(always)]
fn write_eight([luma, blue, red]: [i16x8; 3], out: &mut [u8; 24]) {
    let factor = |factor: i32| i16x8::splat(factor as i16);
    let (blue, red) = (blue - factor(128), red - factor(128));
    // A 65536th of the product, rounded: half of what twice the value gives, rounded up.
    let scaled =
        |value: i16x8, by: i32| ((value + value).mul_keep_high(factor(by)) + factor(1)) >> 1_i32;
    let green = blue.widening_mul(factor(GREEN_OF_BLUE)) + red.widening_mul(factor(GREEN_OF_RED));
    let green = i16x8::from_i32x8_saturate((green + i32x8::splat(32_768)) >> 16_i32);
    let levels = [
        luma + red + scaled(red, RED),
        luma - red + green,
        luma + blue + blue + scaled(blue, BLUE),
    ];
    let [red, green, blue] = levels.map(|level| level.max(factor(0)).min(factor(255)));
    let two: u16x8 = bytemuck::cast(red | (green << 8_i32));
    let pixels: i32x8 = i32x8::from_u16x8(two) | (i32x8::from_i16x8(blue) << 16_i32);
    let pixels: [i32; 8] = pixels.into();
    for (x, pixel) in pixels.iter().enumerate() {
        // Four bytes are written as fast as one. The fourth is what the next pixel begins with.
        let bytes = pixel.to_le_bytes();
        match out[3 * x..].first_chunk_mut() {
            Some(out) => *out = bytes,
            None => out[3 * x..].copy_from_slice(&bytes[..3]),
        }
    }
}
