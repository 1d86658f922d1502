//! From an upright picture to the tensor that a vision model takes, as preprocessor_config.json says:
//! resize, crop, rescale, normalise. The numbers are those of the reference's Pillow backend: 8-bit
//! pixels until the crop, then float32 (rescaled in float64 and rounded once, as numpy does there).

use ::image::RgbImage;

use super::resize::{Filter, Window, resize_window};

/// The steps between a picture and a model, with every number they need.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessor {
    pub(super) fit: Fit,
    pub(super) filter: Filter,
    /// Height and width of what the model gets.
    pub(super) output: (usize, usize),
    pub(super) rounding: Rounding,
    /// The colour of what the picture does not cover.
    pub(super) filling: [u8; 3],
    pub(super) normalisation: Normalisation,
}

/// How a picture of any shape becomes one of the model's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Resize to this height and width whatever the proportions, then crop the centre.
    Squash(usize, usize),
    /// Resize the shorter side to this, then crop the centre.
    ShortestEdge(usize),
    /// Resize the longer side to this, then fill up what is missing to both sides of the other.
    LongestEdge(usize),
    /// Only crop the centre.
    Crop,
}

/// Where a crop lies whose remainder is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// The smaller part before the crop, the larger part of a border before the picture: transformers.
    Down,
    /// At the half rounded to the even number, the smaller part of a border before the picture:
    /// torchvision.
    HalfToEven,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Normalisation {
    /// The factor that brings a byte to 0..1; none leaves it as it is.
    pub(super) rescale: Option<f64>,
    /// Mean and standard deviation of each colour; none does not normalise.
    pub(super) mean_and_deviation: Option<([f32; 3], [f32; 3])>,
}

impl Preprocessor {
    /// Height and width of [`Self::prepare`]'s result.
    pub fn output_size(&self) -> (usize, usize) {
        self.output
    }

    /// The same steps for a square of another size, as a model with interpolated positions takes it.
    pub fn with_size(&self, size: usize) -> Self {
        let fit = match self.fit {
            Fit::Squash(..) => Fit::Squash(size, size),
            Fit::ShortestEdge(_) => Fit::ShortestEdge(size),
            Fit::LongestEdge(_) => Fit::LongestEdge(size),
            Fit::Crop => Fit::Crop,
        };
        Preprocessor {
            fit,
            output: (size, size),
            ..self.clone()
        }
    }

    /// The picture as the model takes it: `[3, height, width]`, red first.
    pub fn prepare(&self, image: &RgbImage) -> Vec<f32> {
        let (height, width) = self.output;
        let (top, left, part) = self.visible_part(image);
        let levels = self.normalisation.levels();
        let mut out = Vec::with_capacity(3 * height * width);
        for (levels, colour) in levels.iter().zip(self.filling) {
            let filling = levels[usize::from(colour)];
            out.extend(std::iter::repeat_n(filling, height * width));
        }
        let row_bytes = part.width() as usize * 3;
        for (y, row) in part.as_raw().chunks_exact(row_bytes).enumerate() {
            for (colour, levels) in levels.iter().enumerate() {
                let start = (colour * height + top + y) * width + left;
                let pixels = row[colour..].iter().step_by(3);
                for (out, &pixel) in out[start..].iter_mut().zip(pixels) {
                    *out = levels[usize::from(pixel)];
                }
            }
        }
        out // [3, height, width]
    }

    /// The resized and cropped picture, without the border that a crop wider than the picture
    /// gets, and where in the output it goes: `(top, left, picture)`.
    fn visible_part(&self, image: &RgbImage) -> (usize, usize, RgbImage) {
        let (height, width) = self.resized(image.height() as usize, image.width() as usize);
        let (top, window_top, window_height) = centre(height, self.output.0, self.rounding);
        let (left, window_left, window_width) = centre(width, self.output.1, self.rounding);
        let window = Window {
            left: window_left,
            top: window_top,
            width: window_width,
            height: window_height,
        };
        (
            top,
            left,
            resize_window(image, (width, height), window, self.filter),
        )
    }

    /// Height and width after the resize, before the crop. The long side is rounded down, the short
    /// one to the nearest number, halves to the even one, but to one pixel at least.
    fn resized(&self, height: usize, width: usize) -> (usize, usize) {
        match self.fit {
            Fit::Squash(height, width) => (height, width),
            Fit::ShortestEdge(edge) if width <= height => (edge * height / width, edge),
            Fit::ShortestEdge(edge) => (edge, edge * width / height),
            Fit::LongestEdge(edge) => {
                // Divided twice, as timm's ResizeKeepRatio does: the errors are part of the result.
                let ratio = height.max(width) as f64 / edge as f64;
                let side = |side: usize| (side as f64 / ratio).round_ties_even().max(1.0) as usize;
                (side(height), side(width))
            }
            Fit::Crop => (height, width),
        }
    }
}

/// Where the centre crop of `length` pixels to `wanted` lies: the border before it in the output,
/// its first pixel, and how many there are.
fn centre(length: usize, wanted: usize, rounding: Rounding) -> (usize, usize, usize) {
    if wanted <= length {
        let (half, is_odd) = ((length - wanted) / 2, (length - wanted) % 2);
        let first = match rounding {
            Rounding::Down => half,
            Rounding::HalfToEven => half + is_odd * (half % 2),
        };
        return (0, first, wanted);
    }
    let border = match rounding {
        Rounding::Down => (wanted - length).div_ceil(2),
        Rounding::HalfToEven => (wanted - length) / 2,
    };
    (border, 0, length)
}

impl Normalisation {
    /// The value of each of the 256 levels of each colour: there are no others.
    fn levels(&self) -> [[f32; 256]; 3] {
        std::array::from_fn(|colour| {
            std::array::from_fn(|level| {
                let value = match self.rescale {
                    Some(factor) => (level as f64 * factor) as f32,
                    None => level as f32,
                };
                match self.mean_and_deviation {
                    Some((mean, deviation)) => (value - mean[colour]) / deviation[colour],
                    None => value,
                }
            })
        })
    }
}
