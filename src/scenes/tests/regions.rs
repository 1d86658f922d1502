//! What training examples say of the places of things.

use super::*;
use crate::train::patch_labels::Region;
use crate::train::{Example, Examples, SceneExamples, rng_of};
use std::collections::BTreeSet;

#[test]
fn an_example_says_which_object_lies_where() {
    let (_folder, scenes) = scenes("regions");
    let examples = SceneExamples {
        scenes,
        shapes: None,
        questions: 1,
        alike: 1,
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

#[test]
fn neighbours_show_the_same_things_and_their_captions_know_it() {
    let (_folder, scenes) = scenes("alike");
    let examples = SceneExamples {
        scenes,
        shapes: None,
        questions: 1,
        alike: 4,
        seed: 5,
    };
    let (mut wrong, mut right) = (0, 0);
    for step in 0..20 {
        let batch = examples.batch(step, 8).unwrap();
        for (place, example) in batch.iter().enumerate() {
            assert!(example.is_true_of(example), "{}", example.caption);
            for (other, neighbour) in batch
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != place)
            {
                let things = |example: &Example| {
                    example
                        .truth
                        .clone()
                        .unwrap()
                        .0
                        .objects
                        .into_iter()
                        .collect::<BTreeSet<_>>()
                };
                let is_neighbour = place / 4 == other / 4;
                assert!(!is_neighbour || things(example) == things(neighbour));
                let is_true = example.is_true_of(neighbour);
                right += usize::from(is_neighbour && is_true);
                wrong += usize::from(is_neighbour && !is_true);
            }
        }
    }
    assert!(
        wrong > 100 && right > 50,
        "{wrong} wrong texts, {right} right ones"
    );
}
