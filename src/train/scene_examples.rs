//! Drawn scenes, and the shapes of easy-VQA among them, as training examples.

use super::examples::{Example, Examples, rng_of};
use super::patch_labels::Region;
use crate::Result;
use crate::scenes::shapes::{self, Shapes};
use crate::scenes::{Facts, Scenes, Split, mentioned};
use rand::Rng;
use rand::seq::IndexedRandom;

/// Scenes, made as they are needed.
#[derive(Debug)]
pub struct SceneExamples {
    /// What makes them.
    pub scenes: Scenes,
    /// easy-VQA's pictures, and how often one is shown instead of a scene.
    pub shapes: Option<(Shapes, f64)>,
    /// Questions about each picture.
    pub questions: usize,
    /// So many scenes in a row show the same things, in other places and sizes, on other
    /// backgrounds: the texts of such neighbours differ in what a text rarely has to say otherwise.
    pub alike: usize,
    /// Everything random comes from it.
    pub seed: u64,
}

/// Where the streams of random numbers begin that neighbours share.
const SHARED: u64 = 1 << 19;

impl SceneExamples {
    /// How many classes its regions have when its scenes are made of `objects` objects.
    pub fn classes(objects: usize) -> usize {
        objects + shapes::KINDS
    }

    /// Where the things lie; `None` if one of them is none of the classes.
    fn regions(&self, facts: &Facts) -> Option<Vec<Region>> {
        let known = self.scenes.objects().known();
        let class = |name: &str| match &self.shapes {
            Some((shapes, _)) if shapes.objects().find(name).is_some() => {
                Some(known.end + shapes.objects().find(name)?)
            }
            _ => (self.scenes.objects().find(name)).filter(|object| known.contains(object)),
        };
        let regions = facts.things.iter().map(|thing| {
            Some(Region {
                class: class(&thing.object)?,
                bounds: thing.bounds,
            })
        });
        regions.collect()
    }
}

impl Examples for SceneExamples {
    fn example(&self, step: u64, place: usize) -> Result<Example> {
        let mut rng = rng_of(self.seed, step, place as u64);
        let kinds = match self.alike {
            0 | 1 => self.scenes.choose(Split::Train, &mut rng),
            alike => {
                let shared = SHARED + (place / alike) as u64;
                (self.scenes).choose(Split::Train, &mut rng_of(self.seed, step, shared))
            }
        };
        let mut scene = self.scenes.scene(&kinds, Split::Train, &mut rng);
        let mut is_shape = false;
        if let Some((shapes, share)) = &self.shapes
            && rng.random_bool(*share)
        {
            let index = rng.random_range(0..shapes.len());
            let shape = shapes.scene(index, &mut rng)?;
            if !shape.caption.is_empty() {
                scene = shape;
                is_shape = true;
            }
        }
        let asked = scene.questions.choose_multiple(&mut rng, self.questions);
        Ok(Example {
            regions: self.regions(&scene.facts),
            truth: (!is_shape).then(|| {
                (
                    mentioned(&scene.caption, self.scenes.objects()),
                    scene.facts,
                )
            }),
            questions: asked
                .map(|asked| (asked.question.clone(), asked.answer.clone()))
                .collect(),
            image: scene.image,
            caption: scene.caption,
        })
    }
}
