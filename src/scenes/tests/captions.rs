//! Captions and their inverse: what the grammar says is true, and what is untrue is found out.

use super::*;

#[test]
fn every_caption_is_true_and_names_everything() {
    let (_folder, scenes) = scenes("captions");
    let mut rng = generator(1);
    for split in Split::ALL {
        for scene in sampled(&scenes, split, 300) {
            for _ in 0..5 {
                let caption = scenes.caption(&scene.facts, &mut rng);
                let facts = &scene.facts;
                assert!(
                    objects_exact(&caption, facts, scenes.objects()),
                    "{caption}: {facts:?}"
                );
                assert!(
                    counts_exact(&caption, facts, scenes.objects()),
                    "{caption}: {facts:?}"
                );
                let relation = relation_correct(&caption, facts, scenes.objects());
                assert_ne!(relation, Some(false), "{caption}: {facts:?}");
                let background = mentioned(&caption, scenes.objects()).background;
                assert!(
                    background.is_none() || background == facts.background,
                    "{caption}"
                );
            }
        }
    }
}

#[test]
fn captions_of_two_kinds_state_their_relation() {
    let (_folder, scenes) = scenes("relations");
    let two = |scene: &Scene| scene.facts.groups().len() == 2;
    let mut seen = 0;
    for scene in sampled(&scenes, Split::Train, 500).into_iter().filter(two) {
        assert_eq!(
            relation_correct(&scene.caption, &scene.facts, scenes.objects()),
            Some(true),
            "{}",
            scene.caption
        );
        seen += 1;
    }
    assert!(seen > 150, "only {seen} of 500 scenes have two kinds");
}

#[test]
fn captions_vary() {
    let (_folder, scenes) = scenes("variety");
    let mut rng = generator(3);
    let pair = sampled(&scenes, Split::Compositions, 1).remove(0);
    let captions: std::collections::HashSet<String> = (0..300)
        .map(|_| scenes.caption(&pair.facts, &mut rng))
        .collect();
    assert!(captions.len() > 60, "{} captions", captions.len());
}

fn triple(a: &str, relation: Relation, b: &str) -> (String, Relation, String) {
    (a.into(), relation, b.into())
}

fn check_mentioned(caption: &str, things: &[(&str, usize)], relations: &[(&str, Relation, &str)]) {
    let found = mentioned(caption, &objects());
    let things: Vec<(String, usize)> = things
        .iter()
        .map(|(name, count)| (name.to_string(), *count))
        .collect();
    let relations: Vec<_> = relations
        .iter()
        .map(|(a, relation, b)| triple(a, *relation, b))
        .collect();
    assert_eq!(found.objects, things, "objects of '{caption}'");
    assert_eq!(found.relations, relations, "relations of '{caption}'");
}

#[test]
fn free_text_is_understood() {
    use Relation::*;
    check_mentioned("A dog.", &[("dog", 1)], &[]);
    check_mentioned("", &[], &[]);
    check_mentioned("of of the the on", &[], &[]);
    check_mentioned("on the left of", &[], &[]);
    check_mentioned("it above them below it", &[], &[]);
    check_mentioned(
        "three small dogs and 2 cats",
        &[("dog", 3), ("cat", 2)],
        &[],
    );
    check_mentioned("a dog and a dog", &[("dog", 2)], &[]);
    check_mentioned("a dog; the dog is big", &[("dog", 1)], &[]);
    check_mentioned("a palm tree", &[("palm tree", 1)], &[]);
    check_mentioned(
        "A DOG to the LEFT of a cat",
        &[("dog", 1), ("cat", 1)],
        &[("dog", LeftOf, "cat")],
    );
    check_mentioned(
        "a dog on a cat on a red background",
        &[("dog", 1), ("cat", 1)],
        &[("dog", On, "cat")],
    );
    check_mentioned("on a red background, a dog", &[("dog", 1)], &[]);
    check_mentioned(
        "a cat with a dog to its right",
        &[("cat", 1), ("dog", 1)],
        &[("dog", RightOf, "cat")],
    );
    check_mentioned(
        "a dog left of a cat and a bus below them",
        &[("dog", 1), ("cat", 1), ("bus", 1)],
        &[
            ("dog", LeftOf, "cat"),
            ("bus", Below, "dog"),
            ("bus", Below, "cat"),
        ],
    );
    check_mentioned(
        "a dog and a cat above a bus and a key",
        &[("dog", 1), ("cat", 1), ("bus", 1), ("key", 1)],
        &[
            ("dog", Above, "bus"),
            ("cat", Above, "bus"),
            ("dog", Above, "key"),
            ("cat", Above, "key"),
        ],
    );
    check_mentioned(
        "a dog on the right and a cat on the left",
        &[("dog", 1), ("cat", 1)],
        &[("cat", LeftOf, "dog")],
    );
    check_mentioned(
        "a dog, a cat and a bus from left to right",
        &[("dog", 1), ("cat", 1), ("bus", 1)],
        &[("dog", LeftOf, "cat"), ("cat", LeftOf, "bus")],
    );
}

fn placed(object: &str, left: f32, top: f32) -> facts::Thing {
    facts::Thing {
        object: object.into(),
        bounds: facts::Bounds {
            left,
            top,
            width: 0.3,
            height: 0.3,
        },
    }
}

#[test]
fn untrue_captions_are_found_out() {
    let facts = Facts {
        background: Some("red".into()),
        things: vec![placed("dog", 0.1, 0.1), placed("cat", 0.6, 0.1)],
    };
    let objects = objects();
    let right = |caption: &str| relation_correct(caption, &facts, &objects);
    assert_eq!(right("a dog to the left of a cat"), Some(true));
    assert_eq!(right("a cat to the right of a dog"), Some(true));
    assert_eq!(right("a cat next to a dog"), Some(true));
    assert_eq!(right("a cat to the left of a dog"), Some(false));
    assert_eq!(right("a dog above a cat"), Some(false));
    assert_eq!(right("a dog on a cat"), Some(false));
    assert_eq!(right("a dog and a cat"), Some(false));
    assert_eq!(right("a dog to the left of a bus"), Some(false));
    assert!(objects_exact("a cat and a dog", &facts, &objects));
    assert!(!objects_exact("a cat", &facts, &objects));
    assert!(!objects_exact("a cat, a dog and a key", &facts, &objects));
    assert!(objects_exact("two cats and a dog", &facts, &objects));
    assert!(!counts_exact("two cats and a dog", &facts, &objects));
}

#[test]
fn on_is_touching_and_above_is_not() {
    let upon = Facts {
        background: None,
        things: vec![placed("dog", 0.4, 0.1), placed("cat", 0.45, 0.4)],
    };
    let above = Facts {
        background: None,
        things: vec![placed("dog", 0.4, 0.1), placed("cat", 0.45, 0.5)],
    };
    assert!(upon.holds("dog", Relation::On, "cat") && upon.holds("dog", Relation::Above, "cat"));
    assert!(!above.holds("dog", Relation::On, "cat") && above.holds("dog", Relation::Above, "cat"));
    assert!(!upon.holds("cat", Relation::On, "dog") && upon.holds("cat", Relation::Below, "dog"));
}
