//! Paints a scene: the background, then each drawing at its place. Quick, for training makes every
//! picture anew.

use image::{Rgb, RgbImage};
use rand::Rng;

use super::facts::Bounds;
use super::sprites::Sprite;

/// The backgrounds by name: a full and a pale shade, between which lies everything that has the name.
const COLOURS: [(&str, [f32; 3], [f32; 3]); 11] = [
    ("white", [244.0, 244.0, 244.0], [255.0, 255.0, 255.0]),
    ("gray", [118.0, 118.0, 118.0], [168.0, 168.0, 168.0]),
    ("black", [0.0, 0.0, 0.0], [34.0, 34.0, 34.0]),
    ("red", [198.0, 22.0, 30.0], [240.0, 66.0, 66.0]),
    ("orange", [245.0, 124.0, 0.0], [255.0, 162.0, 50.0]),
    ("yellow", [250.0, 212.0, 20.0], [255.0, 240.0, 130.0]),
    ("green", [26.0, 128.0, 48.0], [130.0, 208.0, 120.0]),
    ("blue", [22.0, 72.0, 190.0], [120.0, 180.0, 250.0]),
    ("purple", [96.0, 36.0, 150.0], [168.0, 110.0, 214.0]),
    ("pink", [246.0, 130.0, 180.0], [255.0, 196.0, 218.0]),
    ("brown", [92.0, 56.0, 30.0], [150.0, 104.0, 66.0]),
];
/// A drawing whose mean colour is nearer to the background than this is hard to see.
const CONTRAST: f32 = 70.0;

/// A background with one name: plain, or shading from one tone of its colour into another.
#[derive(Debug, Clone, Copy)]
pub struct Background {
    pub name: &'static str,
    from: [f32; 3],
    to: [f32; 3],
    /// How far the shade goes across and down.
    across: f32,
    down: f32,
}

/// A drawing, where it goes, and whether it is seen in a mirror.
pub struct Painted<'a> {
    pub sprite: &'a Sprite,
    pub bounds: Bounds,
    mirrored: bool,
    /// Factors of red, green and blue, in 256ths: another light.
    light: [u32; 3],
}

impl<'a> Painted<'a> {
    /// Where `varied`, in a mirror half of the time, and in a light of its own.
    pub fn new(
        sprite: &'a Sprite,
        bounds: Bounds,
        varied: bool,
        rng: &mut impl Rng,
    ) -> Painted<'a> {
        let light = match varied {
            true => {
                let all = rng.random_range(205..282);
                [0, 1, 2].map(|_| (all + rng.random_range(0..26)).min(296))
            }
            false => [256; 3],
        };
        Painted {
            sprite,
            bounds,
            mirrored: varied && rng.random(),
            light,
        }
    }
}

/// The names of the backgrounds.
pub fn colours() -> impl Iterator<Item = &'static str> {
    COLOURS.iter().map(|(name, _, _)| *name)
}

impl Background {
    /// One of the colours, that these drawings stand out from as far as can be had.
    pub fn behind(sprites: &[&Sprite], rng: &mut impl Rng) -> Background {
        let mut background = Background::any(rng);
        for _ in 0..6 {
            if sprites
                .iter()
                .all(|sprite| background.distance(sprite) > CONTRAST)
            {
                break;
            }
            background = Background::any(rng);
        }
        background
    }

    fn any(rng: &mut impl Rng) -> Background {
        let (name, full, pale) = COLOURS[rng.random_range(0..COLOURS.len())];
        let mut tone = || {
            let share: f32 = rng.random();
            [0, 1, 2].map(|channel| full[channel] + share * (pale[channel] - full[channel]))
        };
        let from = tone();
        let to = tone();
        let (across, down) = match rng.random_range(0..4) {
            0 => (1.0, 0.0),
            1 => (0.0, 1.0),
            _ => (0.0, 0.0),
        };
        Background {
            name,
            from,
            to,
            across,
            down,
        }
    }

    fn distance(&self, sprite: &Sprite) -> f32 {
        let squares = (0..3).map(|channel| (self.from[channel] - sprite.colour[channel]).powi(2));
        squares.sum::<f32>().sqrt()
    }

    fn paint(&self, side: u32) -> RgbImage {
        let step = 1.0 / side as f32;
        RgbImage::from_fn(side, side, |x, y| {
            let share = (x as f32 * self.across + y as f32 * self.down) * step;
            let tone = |channel: usize| {
                self.from[channel] + share * (self.to[channel] - self.from[channel])
            };
            Rgb([tone(0) as u8, tone(1) as u8, tone(2) as u8])
        })
    }
}

/// The bounds on whole pixels, within the picture.
pub fn snapped(bounds: &Bounds, side: u32) -> Bounds {
    let whole = side as f32;
    let length = |extent: f32| (extent * whole).round().clamp(1.0, whole);
    let (width, height) = (length(bounds.width), length(bounds.height));
    let start = |position: f32, length: f32| (position * whole).round().clamp(0.0, whole - length);
    Bounds {
        left: start(bounds.left, width) / whole,
        top: start(bounds.top, height) / whole,
        width: width / whole,
        height: height / whole,
    }
}

/// The picture of `side` times `side` pixels. The bounds are snapped ones.
pub fn paint(side: u32, background: &Background, painted: &[Painted]) -> RgbImage {
    let mut image = background.paint(side);
    for one in painted {
        blend(&mut image, one);
    }
    image
}

fn blend(image: &mut RgbImage, painted: &Painted) {
    let side = image.width() as usize;
    let pixels = |fraction: f32| (fraction * side as f32).round() as usize;
    let (left, top) = (pixels(painted.bounds.left), pixels(painted.bounds.top));
    let (width, height) = (pixels(painted.bounds.width), pixels(painted.bounds.height));
    let drawing = painted.sprite.at(width, height);
    for (row, line) in drawing.pixels.chunks_exact(width * 4).enumerate() {
        let start = ((top + row) * side + left) * 3;
        let under = &mut image.as_mut()[start..start + width * 3];
        for (column, below) in under.chunks_exact_mut(3).enumerate() {
            let column = if painted.mirrored {
                width - 1 - column
            } else {
                column
            };
            let above = &line[column * 4..column * 4 + 4];
            let through = 255 - u32::from(above[3]);
            for ((new, over), light) in below.iter_mut().zip(above).zip(painted.light) {
                let over = (u32::from(*over) * light / 256).min(u32::from(above[3]));
                *new = (over + (u32::from(*new) * through + 127) / 255).min(255) as u8;
            }
        }
    }
}
