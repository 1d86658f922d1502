//! Pictures made here: limits, damage, and the forms of preprocessor_config.json. The comparison
//! with the reference is in tests/image_and_tokenizer.rs.

use std::io::Cursor;

use ::image::{DynamicImage, ImageFormat, RgbImage};

use super::memory::zeroed;
use super::rgb::on_white;
use super::*;
use crate::{Error, Result};

fn gradient(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        [(x * 9) as u8, (y * 7) as u8, (x * y) as u8].into()
    })
}

/// A picture of 13x11 pixels.
fn encode(format: ImageFormat) -> Vec<u8> {
    if format == ImageFormat::Jpeg {
        let files = include_bytes!("../../tests/golden/jpeg/files.bin");
        let end = files.windows(2).position(|pair| pair == [0xff, 0xd9]);
        return files[..end.unwrap() + 2].to_vec();
    }
    let mut bytes = Cursor::new(Vec::new());
    let image = DynamicImage::ImageRgb8(gradient(13, 11));
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

const FORMATS: [ImageFormat; 5] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::WebP,
    ImageFormat::Gif,
    ImageFormat::Bmp,
];

fn message(result: Result<impl std::fmt::Debug>) -> String {
    match result.unwrap_err() {
        Error::BadImage(message) => message,
        error => panic!("{error:?}"),
    }
}

#[test]
fn every_format_decodes() {
    for format in FORMATS {
        let image = decode(&encode(format)).unwrap();
        assert_eq!(image.dimensions(), (13, 11), "{format:?}");
        let lossless = [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp].contains(&format);
        assert!(!lossless || image == gradient(13, 11), "{format:?}");
    }
}

#[test]
fn a_picture_cut_anywhere_is_an_error_or_whole() {
    for format in FORMATS {
        let bytes = encode(format);
        let whole = decode(&bytes).unwrap();
        for end in 0..bytes.len() {
            // The last bytes carry no pixels: a trailer, checksums, padding.
            let cut = decode(&bytes[..end]);
            let carries_pixels = format == ImageFormat::Jpeg || end + 22 < bytes.len();
            assert!(
                cut.is_err() || !carries_pixels,
                "{format:?} cut at {end} of {}",
                bytes.len()
            );
            assert!(
                cut.is_err() || cut == Ok(whole.clone()),
                "{format:?} cut at {end}"
            );
        }
    }
}

#[test]
fn damaged_pictures_never_panic() {
    let mut state = 1u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    for format in FORMATS {
        let bytes = encode(format);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            for _ in 0..=random() % 3 {
                damaged[at] = random() as u8;
                let another = random() as usize % bytes.len();
                damaged[another] ^= 1 << (random() % 8);
            }
            let _ = decode(&damaged);
            damaged.truncate(16.min(bytes.len()));
            damaged.extend((0..200).map(|_| random() as u8));
            let _ = decode(&damaged);
        }
    }
    for length in 0..300 {
        let noise: Vec<u8> = (0..length).map(|_| random() as u8).collect();
        assert!(decode(&noise).is_err());
    }
}

#[test]
fn what_is_no_supported_picture_is_named() {
    let check = |bytes: &[u8], expected: &str| {
        let message = message(decode(bytes));
        assert!(
            message.contains(expected) && message.contains("PNG, JPEG"),
            "{message}"
        );
    };
    // Read with the feature `formats`, where there is more than the first bytes.
    for (bytes, name) in [
        (&b"\0\0\0\x0cjP  \r\n\x87\n"[..], "JPEG 2000"),
        (b"\xff\x0a\xfa\0", "JPEG XL"),
        (b"\0\0\x01\0\x01\0", "icon"),
    ] {
        let message = message(decode(bytes));
        assert!(message.contains(name), "{message}");
    }
    check(b"", "0 bytes");
    check(b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC");
    check(b"\0\0\0\x18ftypavif\0\0\0\0", "AVIF");
    check(b"\0\0\0\x18ftypisom\0\0\0\0", "video");
    // The brands behind the version count too; `mif1` alone says no more than HEIF.
    check(b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "AVIF");
    check(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC");
    check(b"\0\0\0\x14ftypmif1\0\0\0\0mif1", "HEIF");
    check(b"\0\0\0\x10ftypmif1\0\0\0\0mdatavif", "HEIF");
    check(b"\0\0\0\x14ftypheim\0\0\0\0heim", "HEIC");
    check(b"\0\0\0\x14ftypcrx \0\0\0\x01crx ", "CR3");
    check(b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "QuickTime");
    check(b"RIFF\0\0\0\0AVI LIST", "AVI");
    check(b"%PDF-1.7", "PDF");
    check(b"<?xml version=\"1.0\"?>\n<svg xmlns=\"x\"/>", "SVG");
    check(b"  <SVG/>", "SVG");
    check(b"<!DOCTYPE html><html>", "HTML");
    check(b"\0\0\x02\0\x01\0", "CUR");
    check(b"hello", "not recognised");
}

/// A PNG that claims a size and holds no pixels.
fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = encode(ImageFormat::Png);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = !bytes[12..29].iter().fold(!0u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 * (sum & 1))
        })
    });
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

#[test]
fn too_large_a_picture_is_an_error_with_both_numbers() {
    let side = message(decode(&claiming(20_000, 3)));
    assert!(
        side.contains("20000x3") && side.contains("16384x16384"),
        "{side}"
    );
    let area = message(decode(&claiming(16_384, 16_384)));
    assert!(
        area.contains("805306368") && area.contains("536870912"),
        "{area}"
    );
    let huge = message(decode(&claiming(u32::MAX, u32::MAX)));
    assert!(huge.contains("large") || huge.contains("damaged"), "{huge}");
    let mut bmp = encode(ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&30_000u32.to_le_bytes());
    assert!(message(decode(&bmp)).contains("30000x11"));
    let mut gif = encode(ImageFormat::Gif);
    gif[6..8].copy_from_slice(&60_000u16.to_le_bytes());
    assert!(message(decode(&gif)).contains("60000x11"));
}

#[test]
fn a_buffer_that_memory_has_no_room_for_is_an_error() {
    assert_eq!(
        zeroed::<u8>(isize::MAX as usize).unwrap_err().code(),
        "out_of_memory"
    );
}

#[test]
fn transparency_is_laid_on_white() {
    assert_eq!(on_white([10, 20, 30], 255), [10, 20, 30]);
    assert_eq!(on_white([10, 20, 30], 0), [255; 3]);
    assert_eq!(on_white([0, 100, 255], 128), [127, 177, 255]);
    let image = from_rgba(2, 1, &[10, 20, 30, 255, 10, 20, 30, 0]).unwrap();
    assert_eq!(image.as_raw(), &[10, 20, 30, 255, 255, 255]);
}

#[test]
fn canvas_pixels_of_a_wrong_length_are_an_error() {
    let found = message(from_rgba(2, 2, &[0; 15]));
    assert!(
        found.contains("2x2") && found.contains("16") && found.contains("15"),
        "{found}"
    );
    assert!(message(from_rgba(0, 2, &[])).contains("empty"));
    assert!(message(from_rgba(20_000, 1, &[])).contains("20000x1"));
    assert!(message(from_rgba(u32::MAX, u32::MAX, &[])).contains("too large"));
}

#[test]
fn decoded_pixels_are_taken_as_they_are_if_there_are_enough() {
    let pixels = vec![1, 2, 3, 4, 5, 6];
    let image = from_rgb(2, 1, pixels.clone()).unwrap();
    assert_eq!(image.as_raw(), &pixels);
    let found = message(from_rgb(1, 1, pixels));
    assert!(found.contains("1x1") && found.contains('6'), "{found}");
    assert!(message(from_rgb(0, 1, Vec::new())).contains("empty"));
}

#[test]
fn a_window_is_a_part_of_the_whole_resized_picture() {
    for filter in [
        Filter::Nearest,
        Filter::Bilinear,
        Filter::Bicubic,
        Filter::Lanczos,
    ] {
        for (width, height) in [(31, 5), (5, 31), (13, 11), (60, 70)] {
            let image = gradient(13, 11);
            let whole = resize(&image, width, height, filter);
            let window = Window {
                left: 2,
                top: 1,
                width: width - 3,
                height: height - 2,
            };
            let part = resize_window(&image, (width, height), window, filter);
            for (x, y, pixel) in part.enumerate_pixels() {
                assert_eq!(
                    pixel,
                    whole.get_pixel(x + 2, y + 1),
                    "{filter:?} {width}x{height}"
                );
            }
        }
    }
}

#[test]
fn the_same_size_keeps_every_pixel() {
    for number in 0..6 {
        let filter = Filter::from_pillow(number).unwrap();
        assert_eq!(
            resize(&gradient(13, 11), 13, 11, filter),
            gradient(13, 11),
            "{filter:?}"
        );
    }
    assert_eq!(Filter::from_pillow(6), None);
}

fn preprocessor(json: &str) -> Preprocessor {
    Preprocessor::from_json(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

#[test]
fn the_forms_of_the_same_configuration_are_equal() {
    let clip = preprocessor(r#"{"image_processor_type": "CLIPImageProcessor"}"#);
    for same in [
        r#"{"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224}"#,
        r#"{"image_processor_type": "CLIPImageProcessorFast", "size": {"shortest_edge": 224},
            "crop_size": {"height": 224, "width": 224}, "resample": 3, "do_resize": null}"#,
        r#"{"processor_class": "CLIPProcessor", "rescale_factor": 0.00392156862745098}"#,
        r#"{"size": {"shortest_edge": 224, "longest_edge": null}}"#,
        r#"{"do_center_crop": true, "crop_size": [224, 224]}"#,
        r#"{"image_processor": {"image_processor_type": "CLIPImageProcessor"}}"#,
    ] {
        assert_eq!(preprocessor(same), clip, "{same}");
    }
    let blip = preprocessor(r#"{"image_processor_type": "BlipImageProcessor"}"#);
    assert_eq!(blip.output_size(), (384, 384));
    for same in [
        "{}",
        r#"{"size": 384}"#,
        r#"{"size": {"height": 384, "width": 384}}"#,
    ] {
        assert_eq!(preprocessor(same), blip, "{same}");
    }
    let vit = preprocessor(r#"{"image_processor_type": "ViTFeatureExtractor", "image_std": 0.5}"#);
    assert_eq!(vit.output_size(), (224, 224));
    assert_ne!(
        vit,
        preprocessor(r#"{"image_processor_type": "SiglipImageProcessor"}"#)
    );
}

#[test]
fn a_configuration_that_makes_no_sense_is_an_error_that_names_the_field() {
    let check = |json: &str, field: &str| {
        let error = Preprocessor::from_json(json).expect_err(json);
        assert_eq!(error.code(), "bad_weights");
        let message = error.to_string();
        assert!(
            message.contains("preprocessor_config.json") && message.contains(field),
            "{message}"
        );
    };
    check("", "JSON");
    check("[]", "object");
    check(r#"{"size": 0}"#, "`size`");
    check(r#"{"size": 100000}"#, "`size`");
    check(r#"{"size": -1}"#, "`size`");
    check(r#"{"size": 1.5}"#, "`size`");
    check(r#"{"size": "224"}"#, "`size`");
    check(r#"{"size": [1, 2, 3]}"#, "`size`");
    check(r#"{"size": {"height": 3}}"#, "`size`");
    check(r#"{"size": {"height": 3, "width": 0}}"#, "`size.width`");
    check(r#"{"size": {"shortest_edge": 0}}"#, "`size.shortest_edge`");
    check(
        r#"{"size": {"shortest_edge": 3, "longest_edge": 9}, "crop_size": 3}"#,
        "longest_edge",
    );
    check(r#"{"crop_size": 0}"#, "`crop_size`");
    check(r#"{"crop_size": {"shortest_edge": 3}}"#, "`crop_size`");
    check(
        r#"{"size": {"shortest_edge": 3}, "do_center_crop": false}"#,
        "`do_center_crop`",
    );
    check(r#"{"do_resize": false}"#, "`do_resize`");
    check(r#"{"do_resize": 1}"#, "`do_resize`");
    check(r#"{"resample": 6}"#, "`resample`");
    check(r#"{"resample": "bicubic"}"#, "`resample`");
    check(r#"{"image_std": [1, 0, 1]}"#, "`image_std`");
    check(r#"{"image_std": 1e-60}"#, "`image_std`");
    check(r#"{"image_mean": [1, 2]}"#, "`image_mean`");
    check(r#"{"image_mean": [1, 2, "3"]}"#, "`image_mean`");
    check(r#"{"image_mean": [1, 2, 1e300]}"#, "`image_mean`");
    check(r#"{"rescale_factor": 0}"#, "`rescale_factor`");
    check(r#"{"rescale_factor": "x"}"#, "`rescale_factor`");
    check(
        r#"{"image_processor_type": "DonutImageProcessor"}"#,
        "`image_processor_type`",
    );
    check(r#"{"image_processor_type": 3}"#, "`image_processor_type`");
}

const RAW: &str = r#""do_rescale": false, "do_normalize": false, "resample": 0"#;

#[test]
fn a_crop_takes_the_centre_and_fills_up_with_black() {
    let image = RgbImage::from_fn(5, 4, |x, y| [(y * 5 + x + 1) as u8, 0, 0].into());
    let json =
        format!(r#"{{"do_resize": false, "do_center_crop": true, {RAW}, "crop_size": [2, 8]}}"#);
    let prepared = preprocessor(&json).prepare(&image);
    let expected = [[0, 0, 6, 7, 8, 9, 10, 0], [0, 0, 11, 12, 13, 14, 15, 0]];
    assert_eq!(
        prepared[..16],
        expected
            .as_flattened()
            .iter()
            .map(|&x| x as f32)
            .collect::<Vec<_>>()
    );
    assert!(prepared[16..].iter().all(|&x| x == 0.0) && prepared.len() == 48);
}

#[test]
fn extreme_pictures_are_prepared_in_little_memory() {
    let clip = preprocessor(r#"{"image_processor_type": "CLIPImageProcessor"}"#);
    let blip = preprocessor("{}");
    for (width, height) in [(1, 1), (MAX_SIDE, 1), (1, MAX_SIDE)] {
        let image = RgbImage::from_pixel(width, height, [255, 0, 255].into());
        let prepared = clip.prepare(&image);
        assert_eq!(prepared.len(), 3 * 224 * 224);
        assert!(
            prepared[..224 * 224]
                .iter()
                .all(|x| (x - 1.930_336_3).abs() < 1e-6)
        );
        assert_eq!(blip.prepare(&image).len(), 3 * 384 * 384);
    }
}

#[test]
fn another_size_keeps_the_rest() {
    for json in [
        r#"{"image_processor_type": "CLIPImageProcessor"}"#,
        r#"{"size": 64}"#,
    ] {
        let larger = preprocessor(json).with_size(96);
        assert_eq!(larger.output_size(), (96, 96));
        assert_eq!(larger.prepare(&gradient(13, 11)).len(), 3 * 96 * 96);
        assert_eq!(
            larger.with_size(preprocessor(json).output_size().0),
            preprocessor(json)
        );
    }
}

/// A picture whose columns count from 0.
fn columns(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| [x as u8; 3].into())
}

/// torchvision rounds halves to the even pixel, transformers down.
#[test]
fn odd_remainders_of_a_crop_are_rounded_as_asked() {
    for (width, down, even) in [(5, 0, 0), (6, 1, 1), (7, 1, 2), (9, 2, 2), (11, 3, 4)] {
        for (rounding, expected) in [("", down), (r#","crop_rounding":"half_to_even""#, even)] {
            let prepared = preprocessor(&format!(
                r#"{{"image_processor_type":"CLIPImageProcessor","do_resize":false,"crop_size":4,
                    "do_rescale":false,"do_normalize":false{rounding}}}"#
            ))
            .prepare(&columns(width, 4));
            let expected: Vec<f32> = (expected..expected + 4).map(|x| x as f32).collect();
            assert_eq!(prepared[..4], expected, "{width}{rounding}");
        }
    }
}

/// `ResizeKeepRatio` and `CenterCropOrPad` of open_clip.
#[test]
fn the_longest_edge_fits_and_the_rest_is_filled() {
    let prepare = |image: &RgbImage| {
        preprocessor(
            r#"{"image_processor_type":"CLIPImageProcessor","size":{"longest_edge":4},"crop_size":4,
                "crop_rounding":"half_to_even","fill_color":[7,8,9],"do_rescale":false,"do_normalize":false}"#,
        )
        .prepare(image)
    };
    let wide = prepare(&RgbImage::from_pixel(8, 2, [50, 60, 70].into()));
    let rows: Vec<f32> = wide.chunks(4).map(|row| row[0]).collect();
    let of = |own: f32, filling: f32| [filling, own, filling, filling];
    assert_eq!(rows, [of(50., 7.), of(60., 8.), of(70., 9.)].concat());
    // 4 / 8 * 3 = 1.5 is rounded to 2, 4 / 8 * 1 = 0.5 to 0, of which one pixel is left.
    for (height, covered) in [(3, 2), (1, 1)] {
        let prepared = prepare(&RgbImage::from_pixel(8, height, [50; 3].into()));
        let rows = prepared[..16].chunks(4).filter(|row| row[0] == 50.0);
        assert_eq!(rows.count(), covered);
    }
}
