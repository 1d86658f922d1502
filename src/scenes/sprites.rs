//! The drawings as pixels: rendered once into one sheet a style (`build`), held in memory for composing
//! (`Sprites`). A sheet is a plain PNG, so that anyone can look at what a model is taught.

use std::path::Path;

use image::{RgbaImage, imageops};
use serde::{Deserialize, Serialize};

use super::drawings::Package;
use super::objects::Objects;
use crate::{Error, Result};

/// The longer side of every drawing on a sheet.
pub const SIDE: u32 = 128;
const COLUMNS: u32 = 16;
const INDEX: &str = "sprites.json";

/// The artists, by package. The last one is kept for the test of an unseen hand.
pub(super) const STYLES: [(&str, bool); 6] = [
    ("noto", false),
    ("noto-v1", false),
    ("fluent-emoji-flat", false),
    ("fluent-emoji", false),
    ("emojione", false),
    ("twemoji", true),
];

#[derive(Debug, Serialize, Deserialize)]
struct Index {
    side: u32,
    styles: Vec<Sheet>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Sheet {
    name: String,
    unseen: bool,
    cells: Vec<Cell>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cell {
    object: String,
    width: u32,
    height: u32,
}

/// One drawing with premultiplied alpha, at full size and at half of it.
#[derive(Debug)]
pub struct Sprite {
    levels: [Level; 2],
    /// The mean of what is visible.
    pub colour: [f32; 3],
}

/// Pixels `[height, width, 4]`, premultiplied.
#[derive(Debug)]
pub struct Level {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

/// All drawings of the objects in use.
#[derive(Debug)]
pub struct Sprites {
    /// `[object]`: the drawings by the artists that training sees, and by those that it does not.
    familiar: Vec<Vec<Sprite>>,
    strange: Vec<Vec<Sprite>>,
}

/// Renders every object of the built-in list from the packages in `packages` into the folder `out`.
pub fn build(packages: &Path, out: &Path) -> Result<()> {
    build_from(packages, out, &Objects::built_in()?)
}

/// The same for any list of objects.
pub fn build_from(packages: &Path, out: &Path, objects: &Objects) -> Result<()> {
    std::fs::create_dir_all(out).map_err(|error| unwritable(out, error))?;
    let mut styles = Vec::new();
    for (name, unseen) in STYLES {
        let package = Package::open(&packages.join(name))?;
        let (sheet, cells) = draw_sheet(&package, objects)?;
        let file = out.join(format!("{name}.png"));
        sheet
            .save(&file)
            .map_err(|error| unwritable(&file, error))?;
        styles.push(Sheet {
            name: name.into(),
            unseen,
            cells,
        });
    }
    let index = Index { side: SIDE, styles };
    let text = serde_json::to_string(&index).map_err(|error| Error::BadInput(error.to_string()))?;
    let file = out.join(INDEX);
    std::fs::write(&file, text).map_err(|error| unwritable(&file, error))
}

fn draw_sheet(package: &Package, objects: &Objects) -> Result<(RgbaImage, Vec<Cell>)> {
    let mut cells = Vec::new();
    let rows = (objects.all().len() as u32).div_ceil(COLUMNS);
    let mut sheet = RgbaImage::new(COLUMNS * SIDE, rows * SIDE);
    for object in objects.all() {
        let Some(drawing) = package.render(&object.icon, SIDE)? else {
            continue;
        };
        let (left, top) = corner(cells.len());
        imageops::replace(&mut sheet, &drawing, left.into(), top.into());
        cells.push(Cell {
            object: object.name.clone(),
            width: drawing.width(),
            height: drawing.height(),
        });
    }
    Ok((sheet, cells))
}

fn corner(position: usize) -> (u32, u32) {
    let position = position as u32;
    (position % COLUMNS * SIDE, position / COLUMNS * SIDE)
}

fn unwritable(file: &Path, error: impl std::fmt::Display) -> Error {
    Error::BadInput(format!("cannot write {}: {error}", file.display()))
}

impl Sprites {
    /// The drawings in a folder that `build` made, of the objects given.
    pub fn open(folder: &Path, objects: &Objects) -> Result<Sprites> {
        let file = folder.join(INDEX);
        let text = std::fs::read_to_string(&file).map_err(|error| {
            Error::BadInput(format!(
                "cannot read {}: {error}. 'obscura scenes' builds that folder.",
                file.display()
            ))
        })?;
        let index: Index = serde_json::from_str(&text).map_err(|error| {
            Error::BadInput(format!(
                "{} is not an index of drawings: {error}",
                file.display()
            ))
        })?;
        let mut sprites = Sprites {
            familiar: objects.all().iter().map(|_| Vec::new()).collect(),
            strange: objects.all().iter().map(|_| Vec::new()).collect(),
        };
        for sheet in &index.styles {
            sprites.add(folder, sheet, index.side, objects)?;
        }
        sprites.check(objects)?;
        Ok(sprites)
    }

    /// The drawings of an object, by the hands that training knows or by the one that it does not.
    pub fn of(&self, object: usize, familiar: bool) -> &[Sprite] {
        match familiar {
            true => &self.familiar[object],
            false => &self.strange[object],
        }
    }

    fn add(&mut self, folder: &Path, sheet: &Sheet, side: u32, objects: &Objects) -> Result<()> {
        let file = folder.join(format!("{}.png", sheet.name));
        let pixels = image::open(&file)
            .map_err(|error| Error::BadImage(format!("cannot read {}: {error}", file.display())))?
            .to_rgba8();
        let broken = || {
            Error::BadImage(format!(
                "{} does not fit its index: build it again",
                file.display()
            ))
        };
        if side != SIDE {
            return Err(broken());
        }
        let into = match sheet.unseen {
            true => &mut self.strange,
            false => &mut self.familiar,
        };
        for (position, cell) in sheet.cells.iter().enumerate() {
            let Some(object) = objects.find(&cell.object) else {
                continue;
            };
            let (left, top) = corner(position);
            let fits = (1..=SIDE).contains(&cell.width)
                && (1..=SIDE).contains(&cell.height)
                && left + cell.width <= pixels.width()
                && top + cell.height <= pixels.height();
            if !fits {
                return Err(broken());
            }
            let drawing =
                imageops::crop_imm(&pixels, left, top, cell.width, cell.height).to_image();
            into[object].push(Sprite::new(&drawing));
        }
        Ok(())
    }

    fn check(&self, objects: &Objects) -> Result<()> {
        for (object, (familiar, strange)) in objects
            .all()
            .iter()
            .zip(self.familiar.iter().zip(&self.strange))
        {
            if familiar.is_empty() || strange.is_empty() {
                return Err(Error::BadInput(format!(
                    "there are no drawings of '{}' by {}: build the folder again",
                    object.name,
                    if familiar.is_empty() {
                        "the artists of the training"
                    } else {
                        "the unseen artist"
                    },
                )));
            }
        }
        Ok(())
    }
}

impl Sprite {
    /// From a drawing with straight alpha.
    pub fn new(drawing: &RgbaImage) -> Sprite {
        let premultiplied: Vec<u8> = drawing
            .pixels()
            .flat_map(|pixel| {
                let [red, green, blue, alpha] = pixel.0;
                let times_alpha = |value: u8| ((value as u32 * alpha as u32 + 127) / 255) as u8;
                [
                    times_alpha(red),
                    times_alpha(green),
                    times_alpha(blue),
                    alpha,
                ]
            })
            .collect();
        let full = Level {
            width: drawing.width() as usize,
            height: drawing.height() as usize,
            pixels: premultiplied,
        };
        let half = full.resized(full.width.div_ceil(2), full.height.div_ceil(2));
        let colour = mean_colour(&full.pixels);
        Sprite {
            levels: [full, half],
            colour,
        }
    }

    /// Width and height, of which the longer is 1.
    pub fn shape(&self) -> (f32, f32) {
        let full = &self.levels[0];
        let longer = full.width.max(full.height) as f32;
        (full.width as f32 / longer, full.height as f32 / longer)
    }

    /// The drawing at exactly that size.
    pub fn at(&self, width: usize, height: usize) -> Level {
        let [full, half] = &self.levels;
        match half.width >= width && half.height >= height {
            true => half.resized(width, height),
            false => full.resized(width, height),
        }
    }
}

fn mean_colour(premultiplied: &[u8]) -> [f32; 3] {
    let mut sum = [0u64; 4];
    for pixel in premultiplied.chunks_exact(4) {
        for (total, value) in sum.iter_mut().zip(pixel) {
            *total += u64::from(*value);
        }
    }
    let alpha = sum[3].max(1) as f32 / 255.0;
    [0, 1, 2].map(|channel| sum[channel] as f32 / alpha)
}

impl Level {
    /// Each new pixel is the mean of the area that it covers: right for shrinking, and quick.
    fn resized(&self, width: usize, height: usize) -> Level {
        let across = Coverage::new(self.width, width);
        let down = Coverage::new(self.height, height);
        let mut rows = vec![0f32; self.height * width * 4]; // [old height, width, 4]
        for (row, line) in rows.chunks_exact_mut(width * 4).enumerate() {
            let old = &self.pixels[row * self.width * 4..][..self.width * 4];
            for (column, pixel) in line.chunks_exact_mut(4).enumerate() {
                for (position, weight) in across.of(column) {
                    for channel in 0..4 {
                        pixel[channel] += weight * old[position * 4 + channel] as f32;
                    }
                }
            }
        }
        let mut pixels = vec![0u8; height * width * 4];
        let mut sum = vec![0f32; width * 4];
        for (row, line) in pixels.chunks_exact_mut(width * 4).enumerate() {
            sum.fill(0.0);
            for (position, weight) in down.of(row) {
                let old = &rows[position * width * 4..][..width * 4];
                sum.iter_mut()
                    .zip(old)
                    .for_each(|(total, value)| *total += weight * value);
            }
            line.iter_mut()
                .zip(&sum)
                .for_each(|(new, total)| *new = (total + 0.5) as u8);
        }
        Level {
            width,
            height,
            pixels,
        }
    }
}

/// Which old pixels make up each new one, and with what weights.
struct Coverage {
    ratio: f32,
    old: usize,
}

impl Coverage {
    fn new(old: usize, new: usize) -> Coverage {
        Coverage {
            ratio: old as f32 / new as f32,
            old,
        }
    }

    fn of(&self, new: usize) -> impl Iterator<Item = (usize, f32)> {
        let start = new as f32 * self.ratio;
        let end = (start + self.ratio).min(self.old as f32);
        let first = (start as usize).min(self.old - 1);
        let last = (end.ceil() as usize).clamp(first + 1, self.old);
        let span = (end - start).max(f32::EPSILON);
        (first..last).map(move |position| {
            let covered = end.min(position as f32 + 1.0) - start.max(position as f32);
            (position, covered.max(0.0) / span)
        })
    }
}
