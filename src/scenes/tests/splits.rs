//! What each split shows and what it never shows.

use super::*;

fn has_held_out_pair(names: &[&str]) -> bool {
    names.iter().any(|a| names.iter().any(|b| held_out(a, b)))
}

fn is_unseen(name: &str) -> bool {
    NOUNS[KNOWN..].contains(&name)
}

#[test]
fn splits_keep_what_they_promise() {
    let (_folder, scenes) = scenes("splits");
    for split in Split::ALL {
        for scene in sampled(&scenes, split, 400) {
            let names = names(&scene);
            match split {
                Split::Train | Split::Style => assert!(!has_held_out_pair(&names), "{names:?}"),
                Split::Compositions => assert!(has_held_out_pair(&names), "{names:?}"),
                Split::Objects => {}
            }
            assert_eq!(
                names.iter().any(|name| is_unseen(name)),
                split == Split::Objects,
                "{split}: {names:?}"
            );
        }
    }
}

#[test]
fn one_pair_in_ten_is_held_out_in_either_order() {
    let objects = Objects::built_in().unwrap();
    let names: Vec<&str> = objects
        .all()
        .iter()
        .map(|object| object.name.as_str())
        .collect();
    let pairs = names
        .iter()
        .enumerate()
        .flat_map(|(place, a)| names[..place].iter().map(move |b| (*a, *b)));
    let pairs: Vec<(&str, &str)> = pairs.collect();
    assert!(pairs.iter().all(|(a, b)| held_out(a, b) == held_out(b, a)));
    let share = pairs.iter().filter(|(a, b)| held_out(a, b)).count() as f64 / pairs.len() as f64;
    assert!((0.08..0.12).contains(&share), "{share}");
    // Every object is met in training together with most others.
    for a in &names {
        let kept = names.iter().filter(|b| held_out(a, b)).count();
        assert!(kept * 4 < names.len(), "{a} is kept from {kept} others");
    }
}

#[test]
fn the_unseen_hand_draws_only_its_own_split() {
    let folder = Folder::with_packages("hands");
    let (strange, _) = STYLES.into_iter().find(|(_, unseen)| *unseen).unwrap();
    write_package(&folder.0.join(strange), |_| {
        "<rect width='20' height='20' fill='#00ff00'/>".into()
    });
    let out = folder.0.join("built");
    build_from(&folder.0, &out, &objects()).unwrap();
    let scenes = Scenes::of(objects(), &out, options()).unwrap();
    let middle = |scene: &Scene| {
        let (x, y) = scene.facts.things[0].bounds.centre();
        scene
            .image
            .get_pixel((x * 96.0) as u32, (y * 96.0) as u32)
            .0
    };
    for scene in sampled(&scenes, Split::Style, 50) {
        assert_eq!(middle(&scene), [0, 255, 0]);
    }
    for split in [Split::Train, Split::Compositions, Split::Objects] {
        assert!(
            sampled(&scenes, split, 50)
                .iter()
                .all(|scene| middle(scene)[1] < 120)
        );
    }
}

#[test]
fn a_mix_of_single_things_still_has_pairs_where_they_are_the_point() {
    let (_folder, mut scenes) = scenes("mix");
    let mix = Mix {
        single: 1.0,
        group: 0.0,
        pair: 0.0,
        groups: 0.0,
        several: 0.0,
    };
    scenes.set_mix(mix).unwrap();
    assert!(
        sampled(&scenes, Split::Train, 50)
            .iter()
            .all(|scene| scene.facts.things.len() == 1)
    );
    assert!(
        sampled(&scenes, Split::Compositions, 50)
            .iter()
            .all(|scene| scene.facts.things.len() == 2)
    );
}

#[test]
fn the_same_seed_gives_the_same_scenes() {
    let (_folder, scenes) = scenes("seed");
    let mut first = generator(5);
    let mut again = generator(5);
    let mut other = generator(6);
    let scene = scenes.sample(Split::Train, &mut first);
    assert_eq!(scene, scenes.sample(Split::Train, &mut again));
    assert_ne!(scene, scenes.sample(Split::Train, &mut other));
    assert!(scenes.corpus(20, 1).eq(scenes.corpus(20, 1)));
}
