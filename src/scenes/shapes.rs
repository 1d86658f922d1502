//! The easy-VQA data: coloured shapes on a plain ground with questions and answers, a task that nobody
//! here made. Read from PyPI's package of that name into the same types as the scenes.
//!
//! Each question there names a fact, or denies it; together they tell shape and colour of most
//! pictures. Where they do not, a picture has questions but no caption.

use std::path::{Path, PathBuf};

use image::RgbImage;

use super::Scene;
use super::facts::{Bounds, Facts, Thing};
use super::grammar;
use super::objects::{Object, Objects};
use super::questions::{Kind, Question};
use crate::{Error, Result};

const SHAPES: [&str; 3] = ["circle", "rectangle", "triangle"];
const COLOURS: [&str; 8] = [
    "red", "green", "blue", "yellow", "gray", "black", "teal", "brown",
];
/// Shapes in all colours.
pub const KINDS: usize = SHAPES.len() * COLOURS.len();
/// A channel that differs more than this from the corner's belongs to the shape.
const GROUND: u8 = 24;

/// Which half of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Train,
    Test,
}

/// One half of the data; its pictures are read when they are asked for.
#[derive(Debug)]
pub struct Shapes {
    folder: PathBuf,
    objects: Objects,
    pictures: Vec<Picture>,
}

#[derive(Debug, Default)]
struct Picture {
    shape: Option<&'static str>,
    colour: Option<&'static str>,
    questions: Vec<Question>,
}

impl Shapes {
    /// The data in the folder of packages that scripts/pictograms/fetch makes.
    pub fn open(packages: &Path, part: Part) -> Result<Shapes> {
        let name = match part {
            Part::Train => "train",
            Part::Test => "test",
        };
        let folder = packages.join("easy-vqa/easy_vqa/data").join(name);
        let file = folder.join("questions.json");
        let text = std::fs::read_to_string(&file).map_err(|error| {
            Error::BadInput(format!(
                "cannot read {}: {error}. scripts/pictograms/fetch downloads it.",
                file.display()
            ))
        })?;
        let rows: Vec<(String, String, usize)> = serde_json::from_str(&text).map_err(|error| {
            Error::BadInput(format!("{} is not easy-VQA's: {error}", file.display()))
        })?;
        let mut pictures: Vec<Picture> = Vec::new();
        for (question, answer, id) in &rows {
            // Ids count the pictures, so none lies beyond the number of questions.
            if *id >= rows.len() {
                return Err(Error::BadInput(format!(
                    "{} asks about a picture {id}",
                    file.display()
                )));
            }
            if *id >= pictures.len() {
                pictures.resize_with(id + 1, Picture::default);
            }
            pictures[*id].add(question, answer);
        }
        Ok(Shapes {
            folder,
            objects: named_shapes()?,
            pictures,
        })
    }

    pub fn len(&self) -> usize {
        self.pictures.len()
    }

    pub fn is_empty(&self) -> bool {
        self.pictures.is_empty()
    }

    /// What `mentioned` and the scores look for in captions of shapes.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Picture `index`, 64x64, with its questions. Its caption is empty and its facts hold nothing where
    /// the questions do not tell what it shows.
    pub fn scene(&self, index: usize, rng: &mut impl rand::Rng) -> Result<Scene> {
        let file = self.folder.join("images").join(format!("{index}.png"));
        let image = image::open(&file)
            .map_err(|error| Error::BadImage(format!("cannot read {}: {error}", file.display())))?
            .to_rgb8();
        let Some(picture) = self.pictures.get(index) else {
            return Err(Error::BadInput(format!(
                "there are {} pictures, and no number {index}",
                self.len()
            )));
        };
        let facts = picture.facts(&image);
        let caption = match facts.things.is_empty() {
            true => String::new(),
            false => grammar::caption(&facts, &self.objects, rng),
        };
        Ok(Scene {
            image,
            caption,
            facts,
            questions: picture.questions.clone(),
        })
    }
}

impl Picture {
    fn add(&mut self, question: &str, answer: &str) {
        let words: Vec<&str> = question.trim_end_matches('?').split_whitespace().collect();
        let open = words.first().is_some_and(|word| *word == "what");
        let denied = words.iter().any(|word| matches!(*word, "not" | "no"));
        // What a question names is there if it takes it for granted, or asks and hears so.
        if open || (answer == "yes") != denied {
            for word in words.iter().copied().chain(open.then_some(answer)) {
                self.shape = self
                    .shape
                    .or(SHAPES.into_iter().find(|shape| *shape == word));
                self.colour = self
                    .colour
                    .or(COLOURS.into_iter().find(|colour| *colour == word));
            }
        }
        let kind = match (open, COLOURS.contains(&answer)) {
            (false, _) => Kind::YesNo,
            (true, true) => Kind::Colour,
            (true, false) => Kind::What,
        };
        self.questions.push(Question {
            question: question.into(),
            answer: answer.into(),
            kind,
        });
    }

    fn facts(&self, image: &RgbImage) -> Facts {
        let named = self.colour.zip(self.shape).zip(extent(image));
        let things = named.map(|((colour, shape), bounds)| Thing {
            object: format!("{colour} {shape}"),
            bounds,
        });
        Facts {
            background: None,
            things: things.into_iter().collect(),
        }
    }
}

/// The rectangle around everything that differs from the upper left corner.
fn extent(image: &RgbImage) -> Option<Bounds> {
    let (width, height) = (image.width() as f32, image.height() as f32);
    let ground = image.get_pixel_checked(0, 0)?.0;
    let differs = |pixel: &image::Rgb<u8>| {
        pixel
            .0
            .iter()
            .zip(ground)
            .any(|(a, b)| a.abs_diff(b) > GROUND)
    };
    image
        .enumerate_pixels()
        .filter(|(_, _, pixel)| differs(pixel))
        .map(|(x, y, _)| Bounds {
            left: x as f32 / width,
            top: y as f32 / height,
            width: 1.0 / width,
            height: 1.0 / height,
        })
        .reduce(|all, pixel| all.union(&pixel))
}

fn named_shapes() -> Result<Objects> {
    let all: Vec<Object> = COLOURS
        .into_iter()
        .flat_map(|colour| SHAPES.map(|shape| (format!("{colour} {shape}"), shape)))
        .map(|(name, shape)| Object {
            plural: format!("{name}s"),
            article: "a".into(),
            icon: shape.into(),
            name,
        })
        .collect();
    let count = all.len();
    Objects::new(all, count)
}
