//! What training examples say of the places of things.

use super::*;
use crate::train::patch_labels::Region;
use crate::train::{Examples, SceneExamples, rng_of};

#[test]
fn an_example_says_which_object_lies_where() {
    let (_folder, scenes) = scenes("regions");
    let examples = SceneExamples {
        scenes,
        shapes: None,
        questions: 1,
        seed: 5,
    };
    for place in 0..50 {
        let regions = examples.example(3, place).unwrap().regions.unwrap();
        let mut rng = rng_of(5, 3, place as u64);
        let scene = examples.scenes.sample(Split::Train, &mut rng);
        let things = scene.facts.things.iter().map(|thing| Region {
            class: NOUNS.iter().position(|noun| *noun == thing.object).unwrap(),
            bounds: thing.bounds,
        });
        assert_eq!(regions, things.collect::<Vec<_>>());
        let classes = SceneExamples::classes(KNOWN);
        assert!(regions.iter().all(|region| region.class < classes));
    }
}
