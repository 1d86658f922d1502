//! JPEG pictures natively: every kind of file against the reference, and what happens to broken ones.
#![cfg(not(target_arch = "wasm32"))]

#[path = "jpeg/mod.rs"]
mod files;

use std::time::Instant;

use obscura::Error;
use obscura::image;

#[test]
fn every_kind_of_jpeg_has_the_pixels_of_the_reference() {
    files::check_all();
}

/// The first file of a kind: its name without the size.
fn file(kind: &str) -> Vec<u8> {
    let is_kind = |name: &str| {
        name.rsplit_once('-')
            .is_some_and(|(found, _)| found == kind)
    };
    let all = files::all();
    let mut found = all
        .iter()
        .filter(|(_, case)| is_kind(case[0].as_str().unwrap()));
    found.next().unwrap_or_else(|| panic!("{kind}")).0.to_vec()
}

/// The place of the frame header's segment.
fn frame_header(file: &[u8]) -> usize {
    let is_frame = |pair: &[u8]| pair[0] == 0xff && matches!(pair[1], 0xc0..=0xc3 | 0xc9 | 0xca);
    file.windows(2).position(is_frame).unwrap()
}

fn with_size(mut file: Vec<u8>, width: u16, height: u16) -> Vec<u8> {
    let at = frame_header(&file);
    file[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
    file[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
    file
}

fn refusal(file: &[u8]) -> String {
    match image::decode(file) {
        Err(Error::BadImage(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_takes_too_much_memory_is_refused_at_once_with_both_numbers() {
    let began = Instant::now();
    // Coefficients take two bytes, and a bit that says whether they are zero.
    for (name, kind, bytes) in [
        ("420-progressive", "progressive JPEG", "takes 668"),
        ("420-separate", "JPEG", "takes 668"),
        ("lossless-1", "lossless JPEG", "takes 648"),
    ] {
        let message = refusal(&with_size(file(name), 12_000, 9_000));
        for part in [kind, "12000x9000", bytes, "536870912"] {
            assert!(message.contains(part), "{message} lacks {part}");
        }
    }
    assert!(began.elapsed().as_secs_f64() < 1.0);
}

#[test]
fn what_is_not_read_is_named() {
    let plain = file("rgb");
    let at = frame_header(&plain);
    let with = |place: usize, value: u8| {
        let mut file = plain.clone();
        file[at + place] = value;
        file
    };
    for (file, name) in [
        (with(4, 12), "12 bits"),
        (with(1, 0xc5), "hierarchical"),
        (with(1, 0xcb), "lossless arithmetic"),
        (with(9, 2), "2 colours"),
        (with_size(plain.clone(), 21, 0), "DNL"),
        (with_size(plain.clone(), 0, 0), "empty"),
        (with_size(plain.clone(), 20_000, 3), "20000x3"),
        (
            [&plain[..plain.len() - 2], &plain[at..]].concat(),
            "two frame headers",
        ),
    ] {
        let message = refusal(&file);
        assert!(message.contains(name), "{message} lacks {name}");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for name in [
        "420-restarts",
        "420-progressive",
        "420-separate",
        "lossless-7",
        "grey",
    ] {
        let file = file(name);
        for end in 0..file.len() {
            assert!(image::decode(&file[..end]).is_err(), "{name} cut at {end}");
        }
    }
}

#[test]
fn damaged_files_give_a_picture_or_an_error() {
    let mut state = 1u32;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    for (file, _) in files::all() {
        for _ in 0..20 {
            let mut damaged = file.to_vec();
            for _ in 0..=random(4) {
                let at = 2 + random(file.len() - 2);
                damaged[at] = [0, 0xff, 1, random(256) as u8][random(4)];
            }
            // Larger than small ones take too long to be tried by the thousand.
            let at = frame_header(file);
            (damaged[at + 5], damaged[at + 7]) = (0, 0);
            let _ = image::decode(&damaged);
        }
    }
}
