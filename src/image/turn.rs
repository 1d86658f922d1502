//! Turning a picture upright while its rows are written, so that a turned photograph costs no second
//! buffer and hardly any time.

use ::image::RgbImage;
use ::image::metadata::Orientation;

use super::memory::zeroed;
use super::rgb::image_from;
use crate::Result;

/// How many rows are gathered before they become columns: enough to write in one go what lies side by
/// side, few enough to stay in the cache.
const GATHERED: usize = 16;

/// An upright picture that is made from the rows of the stored one, from its top to its bottom.
pub(super) struct Upright {
    /// Size as stored.
    width: usize,
    height: usize,
    /// Whether rows become columns, and whether they then go from right to left, from bottom to top.
    transposes: bool,
    from_right: bool,
    from_bottom: bool,
    pixels: Vec<u8>,
    /// Rows that are to become columns.
    gathered: Vec<u8>,
    rows: usize,
}

impl Upright {
    /// # Errors
    /// [`Error::OutOfMemory`] where there is no room for the pixels.
    pub(super) fn new(width: usize, height: usize, orientation: Orientation) -> Result<Self> {
        use Orientation::*;
        let transposes = matches!(
            orientation,
            Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH
        );
        Ok(Upright {
            width,
            height,
            transposes,
            from_right: matches!(
                orientation,
                FlipHorizontal | Rotate180 | Rotate90 | Rotate270FlipH
            ),
            from_bottom: matches!(
                orientation,
                FlipVertical | Rotate180 | Rotate270 | Rotate270FlipH
            ),
            pixels: zeroed(width * height * 3)?,
            gathered: zeroed(if transposes { GATHERED * width * 3 } else { 0 })?,
            rows: 0,
        })
    }

    /// Takes the next row of the stored picture from `fill`, which writes all of its bytes.
    pub(super) fn add_row(&mut self, fill: impl FnOnce(&mut [u8])) {
        let length = self.width * 3;
        if self.transposes {
            let place = self.rows % GATHERED;
            fill(&mut self.gathered[place * length..][..length]);
            self.rows += 1;
            if place + 1 == GATHERED || self.rows == self.height {
                self.write_columns(place + 1);
            }
            return;
        }
        let row = if self.from_bottom {
            self.height - 1 - self.rows
        } else {
            self.rows
        };
        let row = &mut self.pixels[row * length..][..length];
        fill(row);
        if self.from_right {
            row.as_chunks_mut::<3>().0.reverse();
        }
        self.rows += 1;
    }

    /// Writes the gathered rows, `count` of them, as columns. That goes by tiles, read by rows and
    /// written by columns, because what lies in one column of a photograph competes for one place in
    /// the cache.
    fn write_columns(&mut self, count: usize) {
        let left = if self.from_right {
            self.height - self.rows
        } else {
            self.rows - count
        };
        let (gathered, _) = self.gathered.as_chunks::<3>();
        let (pixels, _) = self.pixels.as_chunks_mut::<3>();
        let mut tile = [[[0; 3]; GATHERED]; GATHERED];
        for x in (0..self.width).step_by(GATHERED) {
            for (y, row) in gathered.chunks_exact(self.width).take(count).enumerate() {
                let place = if self.from_right { count - 1 - y } else { y };
                for (column, pixel) in tile.iter_mut().zip(&row[x..]) {
                    column[place] = *pixel;
                }
            }
            for (x, column) in (x..self.width).zip(&tile) {
                let y = if self.from_bottom {
                    self.width - 1 - x
                } else {
                    x
                };
                let out = &mut pixels[y * self.height + left..];
                match out.first_chunk_mut() {
                    Some(out) if count == GATHERED => *out = *column,
                    _ => out[..count].copy_from_slice(&column[..count]),
                }
            }
        }
    }

    /// The upright picture, once all rows are there.
    pub(super) fn finish(self) -> Result<RgbImage> {
        let (width, height) = if self.transposes {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        };
        image_from(width as u32, height as u32, self.pixels)
    }
}

/// How many bytes for each pixel it takes to turn a picture that is there as a whole.
pub(super) fn turning(orientation: Orientation) -> u32 {
    match orientation {
        Orientation::NoTransforms => 3,
        _ => 3 + 3,
    }
}

/// Turns a picture that is there as a whole.
pub(super) fn upright(image: RgbImage, orientation: Orientation) -> Result<RgbImage> {
    if orientation == Orientation::NoTransforms {
        return Ok(image);
    }
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut upright = Upright::new(width, height, orientation)?;
    for row in image.as_raw().chunks_exact(width * 3) {
        upright.add_row(|to| to.copy_from_slice(row));
    }
    upright.finish()
}

#[cfg(test)]
mod tests {
    use ::image::DynamicImage;

    use super::*;

    #[test]
    fn every_orientation_is_undone_as_by_the_image_crate() {
        for (width, height) in [(1, 1), (7, 3), (16, 33), (33, 16), (5, 50)] {
            let image = RgbImage::from_fn(width, height, |x, y| {
                [(x * 5) as u8, (y * 3) as u8, (x * 7 + y * 11) as u8].into()
            });
            for number in 1..=8 {
                let orientation = Orientation::from_exif(number).unwrap();
                let mut expected = DynamicImage::ImageRgb8(image.clone());
                expected.apply_orientation(orientation);
                let turned = upright(image.clone(), orientation).unwrap();
                assert_eq!(turned, expected.into_rgb8(), "{width}x{height}, {number}");
            }
        }
    }
}
