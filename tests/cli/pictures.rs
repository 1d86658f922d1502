//! What pictures decode to, and the options of decoding.

use super::{Scratch, exact, keys, model, numbers, obscura, picture};
use serde_json::Value;
use std::fs;

fn pixels(words: &[&str]) -> Value {
    obscura([&["pixels", "--json"], words].concat()).object()
}

#[test]
fn pixels_are_told_by_size_and_hash_and_written_where_asked_for() {
    let scratch = Scratch::new("pixels");
    let (photo, folder) = (picture("photo.jpg"), scratch.path("raw"));
    let found = pixels(&[&photo, "--raw", &folder]);
    assert_eq!(keys(&found), ["height", "image", "sha256", "width"]);
    assert_eq!(
        (&found["width"], &found["height"]),
        (&211.into(), &134.into())
    );
    let written = fs::read_dir(&folder)
        .expect("the folder")
        .next()
        .expect("a file");
    let bytes = fs::read(written.expect("a file").path()).expect("the pixels");
    assert_eq!(bytes.len(), 211 * 134 * 3);
    assert_eq!(pixels(&[&photo])["sha256"], found["sha256"]);
}

#[test]
fn grey_of_16_bits_is_cut_off_with_a_note_or_scaled() {
    let grey = picture("grey16.png");
    let noted = obscura(["pixels", &grey, "--json"]);
    assert_eq!(noted.code, 0, "{}", noted.stderr);
    assert!(noted.stderr.contains("--grey16 scale"), "{}", noted.stderr);
    let noted: Value = serde_json::from_str(&noted.stdout).expect("JSON");
    let (clipped, scaled) = (
        pixels(&[&grey, "--grey16", "clip"]),
        pixels(&[&grey, "--grey16", "scale"]),
    );
    assert_eq!(noted["sha256"], clipped["sha256"]);
    assert_ne!(scaled["sha256"], clipped["sha256"]);
}

#[test]
fn an_animation_is_a_video_of_as_many_frames_as_are_asked_for() {
    let (model, animation) = (model("clip-quick"), picture("animated.gif"));
    let vector = |words: &[&str]| {
        let words = [&["embed", &model, &animation], words].concat();
        numbers(&exact(&words).object()["embedding"])
    };
    let first = vector(&[]);
    assert_eq!(vector(&["--video", "--frames", "1"]), first);
    assert_ne!(vector(&["--video", "--frames", "2"]), first);
}
