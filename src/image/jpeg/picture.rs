//! From samples to rows of pixels. Samples come in strips of eight rows of each repeated part, and
//! rows leave as soon as all that they are mixed from is there, so that no colour is ever held whole.

use ::image::RgbImage;
use ::image::metadata::Orientation;

use super::colour::Colours;
use super::frame::{Component, Frame};
use super::upsample::{self, Enlarging};
use crate::Result;
use crate::image::memory::zeroed;
use crate::image::turn::Upright;

/// How many rows of repeated parts come at a time, and how many of the ones before are kept.
const STRIP: usize = 8;
const KEPT: usize = 2;

pub(super) struct Picture {
    width: usize,
    height: usize,
    most_down: usize,
    planes: Vec<Plane>,
    colours: Colours,
    upright: Upright,
    strips: usize,
    rows_done: usize,
}

/// The samples of a colour that are held at the moment.
struct Plane {
    /// Rows in a repeated part.
    down: usize,
    width: usize,
    height: usize,
    stride: usize,
    samples: Vec<u8>,
    enlarging: Enlarging,
    /// A row at the size of the picture, and what it takes to make one.
    enlarged: Vec<u8>,
    sums: Vec<i16>,
}

impl Picture {
    pub(super) fn new(frame: &Frame, colours: Colours, orientation: Orientation) -> Result<Self> {
        let planes = frame.components.iter().map(|c| Plane::new(frame, c));
        Ok(Picture {
            width: frame.width,
            height: frame.height,
            most_down: frame.most_down,
            planes: planes.collect::<Result<_>>()?,
            colours,
            upright: Upright::new(frame.width, frame.height, orientation)?,
            strips: 0,
            rows_done: 0,
        })
    }

    /// The rows of the strip that a colour's samples are to be written to, and the distance between
    /// them in bytes.
    pub(super) fn strip(&mut self, component: usize) -> (&mut [u8], usize) {
        let plane = &mut self.planes[component];
        let kept = KEPT * plane.down * plane.stride;
        (&mut plane.samples[kept..], plane.stride)
    }

    /// Makes the rows of pixels that the strip completes.
    pub(super) fn finish_strip(&mut self) {
        self.strips += 1;
        let last_part = STRIP * self.strips;
        let end = match last_part * self.most_down {
            end if end >= self.height => self.height,
            end => end - self.most_down, // these wait for the row below
        };
        let first_part = (self.strips - 1) * STRIP;
        for y in self.rows_done..end {
            self.add_row(y, first_part);
        }
        self.rows_done = self.rows_done.max(end);
        for plane in &mut self.planes {
            let kept = KEPT * plane.down * plane.stride;
            let length = plane.samples.len();
            plane.samples.copy_within(length - kept.., 0);
        }
    }

    fn add_row(&mut self, y: usize, first_part: usize) {
        let (most_down, width) = (self.most_down, self.width);
        for plane in &mut self.planes {
            plane.enlarge(y, most_down, first_part);
        }
        let mut samples: [&[u8]; 4] = [&[]; 4];
        for (samples, plane) in samples.iter_mut().zip(&self.planes) {
            *samples = &plane.row(y, most_down, first_part)[..width];
        }
        let colours = self.colours;
        self.upright.add_row(|out| colours.write(samples, out));
    }

    pub(super) fn finish(self) -> Result<RgbImage> {
        self.upright.finish()
    }
}

impl Plane {
    fn new(frame: &Frame, component: &Component) -> Result<Self> {
        let (across, _) = frame.padded_units(component);
        let stride = across * frame.unit();
        let enlarging = Enlarging::of(component, frame);
        let enlarged = match enlarging {
            Enlarging::None => 0,
            _ => stride * frame.most_across / component.across,
        };
        Ok(Plane {
            down: component.down,
            width: component.width,
            height: component.height,
            stride,
            samples: zeroed((STRIP + KEPT) * component.down * stride)?,
            enlarging,
            enlarged: zeroed(enlarged)?,
            sums: vec![0; if enlarged > 0 { stride } else { 0 }],
        })
    }

    /// A row of samples, counted from the top of the picture. Beyond its edges the outermost repeat.
    fn samples(&self, row: usize, first_part: usize) -> &[u8] {
        let row = row.min(self.height - 1) + KEPT * self.down - first_part * self.down;
        &self.samples[row * self.stride..][..self.stride]
    }

    /// Makes the row `y` of the picture where that takes more than a row of samples.
    fn enlarge(&mut self, y: usize, most_down: usize, first_part: usize) {
        if self.enlarging == Enlarging::None {
            return;
        }
        let mut enlarged = std::mem::take(&mut self.enlarged);
        let mut sums = std::mem::take(&mut self.sums);
        let row = y * self.down / most_down;
        let is_lower = y % 2 == 1;
        let far = match is_lower {
            true => row + 1,
            false => row.saturating_sub(1),
        };
        let near = &self.samples(row, first_part)[..self.width];
        let far = || &self.samples(far, first_part)[..self.width];
        match self.enlarging {
            Enlarging::None => {}
            Enlarging::Across => upsample::across(near, &mut sums, &mut enlarged),
            Enlarging::Down => {
                upsample::down(near, far(), is_lower, &mut sums, &mut enlarged);
            }
            Enlarging::Both => upsample::both(near, far(), &mut sums, &mut enlarged),
            Enlarging::Repeated(times) => upsample::repeated(near, times, &mut enlarged),
        }
        (self.enlarged, self.sums) = (enlarged, sums);
    }

    fn row(&self, y: usize, most_down: usize, first_part: usize) -> &[u8] {
        match self.enlarging {
            Enlarging::None => self.samples(y * self.down / most_down, first_part),
            _ => &self.enlarged,
        }
    }
}
