//! Pillow's resampling, to the last bit of every 8-bit pixel: a pass along each axis, with weights in
//! 22-bit fixed point, and rounding to 8 bits after each pass. Its order is Pillow's, too: vertical
//! first where the height shrinks by more than twice as many pixels as the width, which is what
//! Pillow 13 introduced, else horizontal first.
//!
//! Source: `Resample.c` and `Geometry.c` of Pillow, whose numbers the reference's image processors
//! build on. It is written here because the `fast_image_resize` crate (5.5) keeps its weights in 16
//! bits and orders the passes otherwise: it differs in several percent of the pixels, by up to 24
//! levels where a picture grows. And only what a crop keeps has to be computed: [`resize_window`].

use std::borrow::Cow;
use std::f64::consts::PI;
use std::ops::Range;

use ::image::RgbImage;
use wide::{i16x8, i32x4};

/// A resampling filter. All but `Nearest` widen with the scale when a picture shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    Nearest,
    Lanczos,
    Bilinear,
    /// a = -0.5
    Bicubic,
    Box,
    Hamming,
}

impl Filter {
    /// The filter of a `resample` number in a preprocessor_config.json, as Pillow numbers them.
    pub fn from_pillow(number: u64) -> Option<Self> {
        use Filter::*;
        [Nearest, Lanczos, Bilinear, Bicubic, Box, Hamming]
            .get(usize::try_from(number).ok()?)
            .copied()
    }

    /// How far the filter reaches, in pixels of the coarser picture.
    fn support(self) -> f64 {
        match self {
            Filter::Nearest => 0.0,
            Filter::Box => 0.5,
            Filter::Bilinear | Filter::Hamming => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let sinc = |x: f64| {
            if x == 0.0 {
                1.0
            } else {
                (x * PI).sin() / (x * PI)
            }
        };
        let distance = x.abs();
        match self {
            Filter::Nearest => 0.0,
            Filter::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Filter::Bilinear => (1.0 - distance).max(0.0),
            Filter::Hamming if distance == 0.0 => 1.0,
            Filter::Hamming if distance >= 1.0 => 0.0,
            Filter::Hamming => sinc(distance) * (0.54 + 0.46 * (distance * PI).cos()),
            Filter::Bicubic if distance < 1.0 => (1.5 * distance - 2.5) * distance * distance + 1.0,
            Filter::Bicubic if distance < 2.0 => {
                (((distance - 5.0) * distance + 8.0) * distance - 4.0) * -0.5
            }
            Filter::Bicubic => 0.0,
            Filter::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Filter::Lanczos => 0.0,
        }
    }
}

/// The part of a resized picture that is wanted, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
}

/// Resizes a picture to `width` x `height`.
pub fn resize(image: &RgbImage, width: usize, height: usize, filter: Filter) -> RgbImage {
    resize_window(
        image,
        (width, height),
        Window {
            left: 0,
            top: 0,
            width,
            height,
        },
        filter,
    )
}

/// Resizes a picture to `(width, height)` and keeps `window` of it, computing no more than that: a
/// strip of 16384x1 pixels resized to a height of 224 would be 2 GB, its centre is 150 KB.
///
/// Panics where the window is empty or not inside the resized picture.
pub fn resize_window(
    image: &RgbImage,
    (width, height): (usize, usize),
    window: Window,
    filter: Filter,
) -> RgbImage {
    let Window { left, top, .. } = window;
    let (right, bottom) = (left + window.width, top + window.height);
    assert!(
        window.width > 0 && window.height > 0 && right <= width && bottom <= height,
        "{window:?} is not inside {width}x{height}"
    );
    let input = (image.width() as usize, image.height() as usize);
    let part = if filter == Filter::Nearest {
        let columns = nearest(input.0, width, left..right);
        let rows = nearest(input.1, height, top..bottom);
        pick(image, &columns, &rows)
    } else {
        let columns = Taps::new(input.0, width, left..right, filter);
        let rows = Taps::new(input.1, height, top..bottom, filter);
        let whole = Part {
            pixels: image.as_raw().into(),
            width: input.0,
            left: 0,
            top: 0,
        };
        let vertical_first =
            input.1 > height && input.1 - height > 2 * input.0.saturating_sub(width);
        if vertical_first {
            horizontal(
                &vertical(&whole, columns.reach(), &rows),
                0..window.height,
                &columns,
            )
        } else {
            let narrow = horizontal(&whole, rows.reach(), &columns);
            vertical(&narrow, 0..window.width, &rows)
        }
    };
    RgbImage::from_raw(
        window.width as u32,
        window.height as u32,
        part.pixels.into_owned(),
    )
    .expect("both passes fill the window")
}

const PRECISION_BITS: u32 = 32 - 8 - 2;
const HALF: i32 = 1 << (PRECISION_BITS - 1);

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// For each output pixel along one axis, the input pixels that it is made of.
struct Taps {
    /// The first input pixel of each output pixel, and how many follow.
    spans: Vec<(usize, usize)>,
    /// `stride` weights for each output pixel, in fixed point.
    weights: Vec<i32>,
    stride: usize,
}

impl Taps {
    /// The taps of the outputs in `wanted`, out of `output` that `input` pixels are scaled to.
    fn new(input: usize, output: usize, wanted: Range<usize>, filter: Filter) -> Self {
        let scale = input as f64 / output as f64;
        let widening = scale.max(1.0);
        let support = filter.support() * widening;
        let stride = support.ceil() as usize * 2 + 1;
        let mut taps = Taps {
            spans: Vec::with_capacity(wanted.len()),
            weights: vec![0; wanted.len() * stride],
            stride,
        };
        let mut exact = vec![0.0; stride];
        for (at, weights) in wanted.zip(taps.weights.chunks_exact_mut(stride)) {
            let centre = (at as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let last = ((centre + support + 0.5) as usize).min(input);
            let exact = &mut exact[..last - first];
            let narrowing = 1.0 / widening;
            let mut sum = 0.0;
            for (i, weight) in exact.iter_mut().enumerate() {
                *weight = filter.weight(((i + first) as f64 - centre + 0.5) * narrowing);
                sum += *weight;
            }
            for (weight, exact) in weights.iter_mut().zip(exact) {
                let share = if sum == 0.0 { *exact } else { *exact / sum };
                let scaled = share * f64::from(1 << PRECISION_BITS);
                *weight = (if share < 0.0 {
                    scaled - 0.5
                } else {
                    scaled + 0.5
                }) as i32;
            }
            taps.spans.push((first, last - first));
        }
        taps
    }

    /// The input pixels that any output needs.
    fn reach(&self) -> Range<usize> {
        let first = self.spans.iter().map(|span| span.0).min().unwrap_or(0);
        let last = self
            .spans
            .iter()
            .map(|span| span.0 + span.1)
            .max()
            .unwrap_or(0);
        first..last
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let weights = self.weights.chunks_exact(self.stride);
        self.spans
            .iter()
            .zip(weights)
            .map(|(&(first, count), weights)| (first, &weights[..count]))
    }
}

/// The weights of taps in two halves of 16 bits, eight at a time: the products of 16 bits are what
/// every SIMD adds up fastest.
struct Halves {
    /// What is above the low bits, and these.
    eights: Vec<[i16x8; 2]>,
    /// How many eights each output pixel has. The last of them is filled up with zeros.
    stride: usize,
}

impl Halves {
    const LOW_BITS: u32 = 15;

    fn new(taps: &Taps) -> Self {
        let halves = |weights: &[i32]| {
            let weight = |i: usize| weights.get(i).copied().unwrap_or(0);
            [
                std::array::from_fn(|i| (weight(i) >> Self::LOW_BITS) as i16),
                std::array::from_fn(|i| (weight(i) & ((1 << Self::LOW_BITS) - 1)) as i16),
            ]
            .map(i16x8::new)
        };
        let rows = taps.weights.chunks_exact(taps.stride);
        Halves {
            eights: rows.flat_map(|row| row.chunks(8).map(halves)).collect(),
            stride: taps.stride.div_ceil(8),
        }
    }

    /// The sum of the products of the first `count` pixels with the weights of the output pixel `at`.
    /// Partial sums may wrap around; the whole fits, and so comes out right.
    fn dot(&self, at: usize, count: usize, pixels: &[i16]) -> i32 {
        let eights = &self.eights[at * self.stride..][..count.div_ceil(8)];
        let mut sums = [i32x4::splat(0); 2];
        for (pixels, halves) in pixels.as_chunks::<8>().0.iter().zip(eights) {
            let pixels = i16x8::new(*pixels);
            sums = [
                sums[0] + pixels.dot(halves[0]),
                sums[1] + pixels.dot(halves[1]),
            ];
        }
        let [high, low] = sums.map(|sums| {
            let sums: [i32; 4] = sums.into();
            sums.into_iter().fold(0, i32::wrapping_add)
        });
        (high << Self::LOW_BITS).wrapping_add(low)
    }
}

/// A part of a picture, whose first pixel is the one at `left`, `top` of the whole.
struct Part<'a> {
    pixels: Cow<'a, [u8]>,
    width: usize,
    left: usize,
    top: usize,
}

impl Part<'_> {
    /// The bytes of the row `y` of the whole picture, in the given columns of it.
    fn row(&self, y: usize, columns: Range<usize>) -> &[u8] {
        let start = (y - self.top) * self.width;
        &self.pixels[(start + columns.start - self.left) * 3..(start + columns.end - self.left) * 3]
    }
}

/// The horizontal pass, over the rows that are wanted.
fn horizontal(from: &Part, rows: Range<usize>, columns: &Taps) -> Part<'static> {
    let reach = columns.reach();
    let out_width = columns.spans.len();
    let mut out = vec![0; rows.len() * out_width * 3];
    let halves = Halves::new(columns);
    // One colour at a time, so that the sums run over neighbours; and some more for the last eights.
    let mut planes = std::array::from_fn(|_| vec![0i16; reach.len() + 7]);
    for (y, out) in rows.clone().zip(out.chunks_exact_mut(out_width * 3)) {
        split(from.row(y, reach.clone()), &mut planes);
        let spans = columns.spans.iter().enumerate();
        for ((at, &(start, count)), out) in spans.zip(out.chunks_exact_mut(3)) {
            for (out, plane) in out.iter_mut().zip(&planes) {
                let sum = halves.dot(at, count, &plane[start - reach.start..]);
                *out = to_byte(HALF.wrapping_add(sum));
            }
        }
    }
    Part {
        pixels: out.into(),
        width: out_width,
        left: 0,
        top: rows.start,
    }
}

fn split(row: &[u8], planes: &mut [Vec<i16>; 3]) {
    let [red, green, blue] = planes;
    let planes = red.iter_mut().zip(green).zip(blue);
    for (pixel, ((red, green), blue)) in row.chunks_exact(3).zip(planes) {
        *red = i16::from(pixel[0]);
        *green = i16::from(pixel[1]);
        *blue = i16::from(pixel[2]);
    }
}

/// The vertical pass, over the columns that are wanted.
fn vertical(from: &Part, columns: Range<usize>, rows: &Taps) -> Part<'static> {
    let row_bytes = columns.len() * 3;
    let mut out = vec![0; rows.spans.len() * row_bytes];
    let mut sums = vec![0i32; row_bytes];
    for ((start, weights), out) in rows.iter().zip(out.chunks_exact_mut(row_bytes)) {
        sums.fill(HALF);
        for (y, &weight) in (start..).zip(weights) {
            for (sum, &pixel) in sums.iter_mut().zip(from.row(y, columns.clone())) {
                *sum += i32::from(pixel) * weight;
            }
        }
        for (out, &sum) in out.iter_mut().zip(&sums) {
            *out = to_byte(sum);
        }
    }
    Part {
        pixels: out.into(),
        width: columns.len(),
        left: columns.start,
        top: 0,
    }
}

/// The input pixel of each output pixel. The position is summed up step by step, as Pillow does:
/// where it falls between two pixels, the rounding error decides.
fn nearest(input: usize, output: usize, wanted: Range<usize>) -> Vec<usize> {
    let step = input as f64 / output as f64;
    let positions = std::iter::successors(Some(step * 0.5), |at| Some(at + step));
    let positions = positions.skip(wanted.start).take(wanted.len());
    positions.map(|at| (at as usize).min(input - 1)).collect()
}

fn pick(image: &RgbImage, columns: &[usize], rows: &[usize]) -> Part<'static> {
    let at = |x, y| image.get_pixel(x as u32, y as u32).0;
    let pixels: Vec<u8> = rows
        .iter()
        .flat_map(|&y| columns.iter().flat_map(move |&x| at(x, y)))
        .collect();
    Part {
        pixels: pixels.into(),
        width: columns.len(),
        left: 0,
        top: 0,
    }
}
