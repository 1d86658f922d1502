//! Picture files of every kind against Pillow, by the hashes of tests/golden/pictures, which
//! scripts/reference/picture_files.py made; and which files of a folder are pictures.
#![cfg(not(target_arch = "wasm32"))] // tests/browser.rs runs the same files there

#[path = "pictures/recorded.rs"]
mod recorded;

use obscura::image::{self, DecodeOptions, Grey16};
use recorded::{Case, cases, check};

fn golden(name: &str) -> String {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn orientation_is_read_as_pillow_reads_it_in_every_carrier() {
    check(&golden("pictures/orientation.json"));
}

#[test]
fn every_bmp_is_pillows_picture_or_refused() {
    check(&golden("pictures/bmp.json"));
}

#[test]
fn every_png_is_pillows_picture_or_refused() {
    check(&golden("pictures/png.json"));
}

#[test]
fn every_gif_is_pillows_picture_or_refused() {
    check(&golden("pictures/gif.json"));
}

#[test]
fn every_webp_is_pillows_picture_or_refused() {
    check(&golden("pictures/webp.json"));
}

#[cfg(feature = "formats")]
#[test]
fn every_tiff_qoi_pnm_and_tga_is_pillows_picture_or_refused() {
    check(&golden("pictures/more.json"));
}

#[cfg(feature = "formats")]
#[test]
fn every_icon_is_pillows_picture_or_refused() {
    check(&golden("pictures/icons.json"));
}

#[cfg(feature = "formats")]
#[test]
fn every_jpeg_xl_and_jpeg_2000_is_pillows_picture_or_refused() {
    check(&golden("pictures/jxl-and-jp2.json"));
}

/// The levels that the reference cuts off are kept, and 8-bit pictures are the same either way.
#[test]
fn grey_of_16_bits_is_scaled_when_asked() {
    let files = golden("pictures/png.json");
    let scale = DecodeOptions {
        grey16: Grey16::Scale,
    };
    let find = |wanted: &str| -> Case {
        let mut found = cases(&files).into_iter();
        found.find(|case| case.name == wanted).expect(wanted)
    };
    let grey = find("type-0-16-bits");
    assert!(image::is_grey16(&grey.file));
    let clipped = image::decode(&grey.file).unwrap();
    let scaled = image::decode_with(&grey.file, &scale).unwrap();
    assert!(clipped.as_raw().iter().all(|level| *level == 255));
    let levels: std::collections::BTreeSet<u8> = scaled.as_raw().iter().copied().collect();
    assert!(levels.len() > 20, "{levels:?}");
    for same in ["type-0-8-bits", "type-2-16-bits", "type-4-16-bits"] {
        let file = find(same).file;
        assert!(!image::is_grey16(&file), "{same}");
        assert_eq!(
            image::decode(&file),
            image::decode_with(&file, &scale),
            "{same}"
        );
    }
}

#[test]
fn which_files_are_pictures_is_as_recorded() {
    let cases: serde_json::Value = serde_json::from_str(&golden("picture-files.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() > 30);
    for case in cases {
        let (path, start) = (case[0].as_str().unwrap(), case[1].as_str().unwrap());
        let start: Vec<u8> = start.chars().map(|byte| byte as u8).collect();
        let parts: Vec<&str> = path.split('/').collect();
        let out = parts
            .iter()
            .any(|part| image::collection::is_left_out(part));
        let taken = !out && image::collection::is_picture(parts[parts.len() - 1], &start);
        assert_eq!(case[2], taken, "{path}");
    }
}

#[test]
fn a_walk_takes_the_pictures_of_a_folder_and_leaves_out_the_rest() {
    let folder = std::env::temp_dir().join(format!("obscura-walk-{}", std::process::id()));
    let jpeg = b"\xff\xd8\xff\xe0";
    for (path, content) in [
        ("b/c.JFIF", &jpeg[..]),
        ("a.jpg", &jpeg[..]),
        ("no-ending", &jpeg[..]),
        ("page.jpg", b"<html>"),
        ("notes.txt", b"notes"),
        ("damaged.png", b"nothing"),
        ("._a.jpg", &jpeg[..]),
        (".Trashes/d.jpg", &jpeg[..]),
        ("@eaDir/a.jpg", &jpeg[..]),
        ("b/$RECYCLE.BIN/e.jpg", &jpeg[..]),
    ] {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let found = image::collection::pictures_under(&folder).map(|path| {
        let path = path.unwrap();
        path.strip_prefix(&folder)
            .unwrap()
            .to_str()
            .unwrap()
            .to_string()
    });
    let found: Vec<String> = found.collect();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(found, ["a.jpg", "damaged.png", "no-ending", "b/c.JFIF"]);
}
