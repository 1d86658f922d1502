//! Drawn scenes, and the shapes of easy-VQA among them, as training examples.

use super::examples::{Example, Examples, rng_of};
use crate::Result;
use crate::scenes::shapes::Shapes;
use crate::scenes::{Scenes, Split};
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
    /// Everything random comes from it.
    pub seed: u64,
}

impl Examples for SceneExamples {
    fn example(&self, step: u64, place: usize) -> Result<Example> {
        let mut rng = rng_of(self.seed, step, place as u64);
        let mut scene = self.scenes.sample(Split::Train, &mut rng);
        if let Some((shapes, share)) = &self.shapes
            && rng.random_bool(*share)
        {
            let index = rng.random_range(0..shapes.len());
            let shape = shapes.scene(index, &mut rng)?;
            if !shape.caption.is_empty() {
                scene = shape;
            }
        }
        let asked = scene.questions.choose_multiple(&mut rng, self.questions);
        Ok(Example {
            questions: asked
                .map(|asked| (asked.question.clone(), asked.answer.clone()))
                .collect(),
            image: scene.image,
            caption: scene.caption,
        })
    }
}
