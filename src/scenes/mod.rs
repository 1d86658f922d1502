//! The training data: scenes of pictograms, made on the fly, with captions and questions whose truth is
//! known because the scene was built from it.
//!
//! ```text
//! packages -sprites::build-> sheets of drawings -Scenes::open-> Scenes
//! Scenes -sample-> layout -compose-> picture
//!                         -facts-> grammar, questions
//! text of a model -mentioned-> what it says -score-> whether that is true
//! ```
//!
//! Everything follows from the seed: the same generator state gives the same scene.

mod compose;
mod drawings;
mod export;
pub mod facts;
mod grammar;
mod layout;
mod mentioned;
mod objects;
mod questions;
mod score;
pub mod shapes;
mod splits;
mod sprites;
#[cfg(test)]
mod tests;
mod words;

use std::path::Path;

use image::RgbImage;
use rand::Rng;
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use compose::{Background, Painted};
pub use export::{CaptionLine, QuestionLine, write, write_scenes};
pub use facts::{Facts, Relation};
pub use mentioned::{Mentioned, mentioned};
pub use objects::{Object, Objects};
pub use questions::{Kind, Question};
pub use score::{all_true, counts_exact, objects_exact, relation_correct};
pub use splits::{Split, held_out};
pub use sprites::build;
use sprites::{Sprite, Sprites};

use crate::{Error, Result};

/// Pictures between these sides can be made from drawings of [`sprites::SIDE`].
const SIDES: std::ops::RangeInclusive<u32> = 48..=136;

/// What scenes are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// How many of the known objects, from the most common on.
    pub objects: usize,
    /// The side of the pictures in pixels.
    pub image_size: u32,
    pub mix: Mix,
}

/// How often which number of things: shares of a sum. A curriculum starts with single things.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix {
    /// One thing.
    pub single: f32,
    /// Two to four things of one kind.
    pub group: f32,
    /// Two things of two kinds, one of each.
    pub pair: f32,
    /// Two kinds, three or four things.
    pub groups: f32,
    /// Three or four kinds, one of each.
    pub several: f32,
}

impl Default for Mix {
    fn default() -> Mix {
        Mix {
            single: 0.15,
            group: 0.15,
            pair: 0.4,
            groups: 0.1,
            several: 0.2,
        }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            objects: 200,
            image_size: 96,
            mix: Mix::default(),
        }
    }
}

/// Makes scenes.
#[derive(Debug)]
pub struct Scenes {
    objects: Objects,
    sprites: Sprites,
    options: Options,
}

/// A picture and what is said and asked about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    pub image: RgbImage,
    pub caption: String,
    pub facts: Facts,
    pub questions: Vec<Question>,
}

impl Scenes {
    /// From a folder of drawings that [`build`] made.
    pub fn open(folder: &Path, options: Options) -> Result<Scenes> {
        Scenes::of(Objects::built_in()?, folder, options)
    }

    /// From the drawings of any list of objects.
    fn of(objects: Objects, folder: &Path, options: Options) -> Result<Scenes> {
        let sprites = Sprites::open(folder, &objects)?;
        let objects = objects.limited_to(options.objects)?;
        if !SIDES.contains(&options.image_size) {
            return Err(Error::BadInput(format!(
                "the pictures may have {} to {} pixels a side, not {}",
                SIDES.start(),
                SIDES.end(),
                options.image_size
            )));
        }
        let mix = options.mix;
        let mut scenes = Scenes {
            objects,
            sprites,
            options,
        };
        scenes.check_pairs()?;
        scenes.set_mix(mix)?;
        Ok(scenes)
    }

    /// From now on another mix of scenes.
    pub fn set_mix(&mut self, mix: Mix) -> Result<()> {
        let Mix {
            single,
            group,
            pair,
            groups,
            several,
        } = mix;
        let shares = [single, group, pair, groups, several];
        let usable = shares
            .iter()
            .all(|share| share.is_finite() && *share >= 0.0)
            && shares.iter().sum::<f32>() > 0.0;
        if !usable {
            return Err(Error::BadInput(format!(
                "the shares of the scenes are none of a sum: {mix:?}"
            )));
        }
        self.options.mix = mix;
        Ok(())
    }

    /// From now on the first `count` objects.
    pub fn set_objects(&mut self, count: usize) -> Result<()> {
        self.objects = self.objects.clone().limited_to(count)?;
        self.options.objects = count;
        self.check_pairs()
    }

    /// The objects in use, for [`mentioned`] and the scores.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The next scene. In training, drawings are mirrored and tinted at random.
    pub fn sample(&self, split: Split, rng: &mut impl Rng) -> Scene {
        let kinds = self.choose(split, rng);
        self.scene(&kinds, split, rng)
    }

    /// A scene of these kinds of things: objects, and how many of each.
    pub fn scene(&self, kinds: &[(usize, usize)], split: Split, rng: &mut impl Rng) -> Scene {
        let familiar = split != Split::Style;
        let drawings: Vec<Vec<&Sprite>> = kinds
            .iter()
            .map(|(object, count)| self.drawings(*object, *count, familiar, rng))
            .collect();
        let (facts, image) = self.paint(kinds, &drawings, split, rng);
        let absent = match split {
            // As likely asked for in vain as shown: else a rare name would mean yes.
            Split::Objects if rng.random() => self.objects.unseen(),
            _ => self.objects.known(),
        };
        Scene {
            caption: self.caption(&facts, rng),
            questions: questions::questions(&facts, &self.objects, absent, rng),
            image,
            facts,
        }
    }

    /// Another caption of the same scene.
    pub fn caption(&self, facts: &Facts, rng: &mut impl Rng) -> String {
        grammar::caption(facts, &self.objects, rng)
    }

    /// Captions, questions and answers of `count` training scenes, to train a vocabulary from.
    pub fn corpus(&self, count: usize, seed: u64) -> impl Iterator<Item = String> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..count).flat_map(move |_| {
            let scene = self.sample(Split::Train, &mut rng);
            let asked = scene
                .questions
                .into_iter()
                .flat_map(|question| [question.question, question.answer]);
            std::iter::once(scene.caption)
                .chain(asked)
                .collect::<Vec<_>>()
        })
    }

    fn paint(
        &self,
        kinds: &[(usize, usize)],
        drawings: &[Vec<&Sprite>],
        split: Split,
        rng: &mut impl Rng,
    ) -> (Facts, RgbImage) {
        let side = self.options.image_size;
        let shapes: Vec<Vec<layout::Shape>> = drawings
            .iter()
            .map(|kind| kind.iter().map(|sprite| sprite.shape()).collect())
            .collect();
        let bounds = layout::arrange(&shapes, side, rng);
        let drawings: Vec<&Sprite> = drawings.iter().flatten().copied().collect();
        let background = Background::behind(&drawings, rng);
        let varied = split == Split::Train;
        let painted: Vec<Painted> = drawings
            .iter()
            .zip(&bounds)
            .map(|(sprite, bounds)| {
                Painted::new(sprite, compose::snapped(bounds, side), varied, rng)
            })
            .collect();
        let names = kinds
            .iter()
            .flat_map(|(object, count)| std::iter::repeat_n(*object, *count));
        let things = names.zip(&painted).map(|(object, painted)| facts::Thing {
            object: self.objects.all()[object].name.clone(),
            bounds: painted.bounds,
        });
        let facts = Facts {
            background: Some(background.name.to_string()),
            things: things.collect(),
        };
        (facts, compose::paint(side, &background, &painted))
    }

    /// One drawing a thing: mostly the same one for all things of a kind.
    fn drawings(
        &self,
        object: usize,
        count: usize,
        familiar: bool,
        rng: &mut impl Rng,
    ) -> Vec<&Sprite> {
        let all = self.sprites.of(object, familiar);
        let one = rng.random_range(0..all.len());
        let mixed = rng.random_bool(0.3);
        (0..count)
            .map(|_| {
                &all[if mixed {
                    rng.random_range(0..all.len())
                } else {
                    one
                }]
            })
            .collect()
    }

    /// Which objects the next scene is to have, and how many of each.
    pub fn choose(&self, split: Split, rng: &mut impl Rng) -> Vec<(usize, usize)> {
        let counts = self.counts(split == Split::Compositions, rng);
        let objects = match split {
            Split::Train | Split::Style => self.allowed(counts.len(), rng),
            Split::Compositions => self.with_held_out_pair(counts.len(), rng),
            Split::Objects => {
                let mut objects = self.allowed(counts.len(), rng);
                let place = rng.random_range(0..objects.len());
                objects[place] = rng.random_range(self.objects.unseen());
                objects
            }
        };
        objects.into_iter().zip(counts).collect()
    }

    /// How many things of each kind.
    fn counts(&self, at_least_two_kinds: bool, rng: &mut impl Rng) -> Vec<usize> {
        let mix = &self.options.mix;
        let alone = if at_least_two_kinds { 0.0 } else { 1.0 };
        let shares = [
            mix.single * alone,
            mix.group * alone,
            mix.pair,
            mix.groups,
            mix.several,
        ];
        let mut left = rng.random::<f32>() * shares.iter().sum::<f32>();
        let chosen = shares.iter().position(|share| {
            left -= share;
            left < 0.0
        });
        let known = self.objects.known().len();
        match chosen {
            Some(0) => vec![1],
            Some(1) => vec![rng.random_range(2..5)],
            Some(3) => {
                let counts = [[2, 1], [1, 2], [3, 1], [1, 3], [2, 2]];
                counts
                    .choose(rng)
                    .map_or(vec![2, 2], |counts| counts.to_vec())
            }
            Some(4) if known > 16 => vec![1; rng.random_range(3..5)],
            _ => vec![1, 1],
        }
    }

    /// Different known objects that training may show together.
    fn allowed(&self, count: usize, rng: &mut impl Rng) -> Vec<usize> {
        loop {
            let objects = self.different(Vec::new(), count, rng);
            if !self.holds_out(&objects) {
                return objects;
            }
        }
    }

    fn with_held_out_pair(&self, count: usize, rng: &mut impl Rng) -> Vec<usize> {
        loop {
            let objects = self.different(Vec::new(), 2, rng);
            if self.holds_out(&objects) {
                let mut objects = self.different(objects, count, rng);
                // The held-out pair is not always the first.
                objects.rotate_left(rng.random_range(0..count));
                return objects;
            }
        }
    }

    fn different(&self, mut objects: Vec<usize>, count: usize, rng: &mut impl Rng) -> Vec<usize> {
        while objects.len() < count {
            let object = rng.random_range(self.objects.known());
            if !objects.contains(&object) {
                objects.push(object);
            }
        }
        objects
    }

    fn holds_out(&self, objects: &[usize]) -> bool {
        let name = |object: usize| self.objects.all()[object].name.as_str();
        let pairs = objects
            .iter()
            .enumerate()
            .flat_map(|(place, a)| objects[..place].iter().map(move |b| (*a, *b)));
        pairs.into_iter().any(|(a, b)| held_out(name(a), name(b)))
    }

    /// Both kinds of pairs must exist, else no scene of some split could ever be found.
    fn check_pairs(&self) -> Result<()> {
        let known: Vec<usize> = self.objects.known().collect();
        let pairs = || known.iter().flat_map(|a| (0..*a).map(move |b| [*a, b]));
        let both =
            pairs().any(|pair| self.holds_out(&pair)) && pairs().any(|pair| !self.holds_out(&pair));
        match both && !self.objects.unseen().is_empty() {
            true => Ok(()),
            false => Err(Error::BadInput(format!(
                "{} objects are too few to keep some pairs of them from training: take 16 or more",
                known.len()
            ))),
        }
    }
}
