//! Scenes from small synthetic packages: squares in plain colours stand for the drawings.

mod captions;
mod files;
mod pictures;
mod questions;
mod regions;
mod splits;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::sprites::{STYLES, build_from};
use super::*;

const NOUNS: [&str; 26] = [
    "dog",
    "cat",
    "car",
    "apple",
    "tree",
    "house",
    "horse",
    "banana",
    "bus",
    "pizza",
    "key",
    "star",
    "sun",
    "cow",
    "rose",
    "train",
    "duck",
    "guitar",
    "bell",
    "crown",
    "ring",
    "egg",
    "bee",
    "palm tree",
    "llama",
    "worm",
];
const KNOWN: usize = 24;

fn objects() -> Objects {
    let all = NOUNS.iter().map(|name| Object {
        name: name.to_string(),
        plural: format!("{name}s"),
        article: words::article(name).into(),
        icon: name.replace(' ', "-"),
    });
    Objects::new(all.collect(), KNOWN).unwrap()
}

/// Each object's own colour: the red channel tells them apart.
fn colour(name: &str) -> [u8; 3] {
    let id = NOUNS.iter().position(|noun| *noun == name).unwrap();
    [id as u8 * 10, 77, 180]
}

fn body(name: &str) -> String {
    let [red, green, blue] = colour(name);
    format!("<rect x='2' y='3' width='20' height='14' fill='rgb({red},{green},{blue})'/>")
}

fn write_package(folder: &Path, body: impl Fn(&str) -> String) {
    let icons: HashMap<String, serde_json::Value> = NOUNS
        .iter()
        .map(|name| {
            (
                name.replace(' ', "-"),
                serde_json::json!({ "body": body(name) }),
            )
        })
        .collect();
    std::fs::create_dir_all(folder).unwrap();
    let text = serde_json::json!({ "icons": icons, "width": 32, "height": 32 }).to_string();
    std::fs::write(folder.join("icons.json"), text).unwrap();
}

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("obscura-scenes-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn with_packages(test: &str) -> Folder {
        let folder = Folder::new(test);
        for (style, _) in STYLES {
            write_package(&folder.0.join(style), body);
        }
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn options() -> Options {
    Options {
        objects: KNOWN,
        ..Options::default()
    }
}

fn scenes(test: &str) -> (Folder, Scenes) {
    let folder = Folder::with_packages(test);
    let out = folder.0.join("built");
    build_from(&folder.0, &out, &objects()).unwrap();
    let scenes = Scenes::of(objects(), &out, options()).unwrap();
    (folder, scenes)
}

fn generator(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn sampled(scenes: &Scenes, split: Split, count: usize) -> Vec<Scene> {
    let mut rng = generator(7);
    (0..count).map(|_| scenes.sample(split, &mut rng)).collect()
}

fn names(scene: &Scene) -> Vec<&str> {
    scene
        .facts
        .groups()
        .iter()
        .map(|group| group.object)
        .collect()
}
