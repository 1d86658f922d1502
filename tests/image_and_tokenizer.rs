//! Pictures and texts against the reference: decoded pixels, resizing, preprocessing, and the real
//! vocabularies of both families. What made the golden data is told in tests/golden/README.md.
#![cfg(not(target_arch = "wasm32"))] // reads files

use std::path::{Path, PathBuf};

use obscura::image::{self, Filter, Preprocessor, RgbImage};
use obscura::tokenizer::{StreamDecoder, Tokenizer};
use obscura::weights::{Parsed, TensorInfo, safetensors};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn golden(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(golden(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap()
}

fn picture(name: &str) -> RgbImage {
    let path = golden("../pictures").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    image::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn pictures_decode_to_the_pixels_of_the_reference() {
    let decoded = json("pixels/decoded.json");
    for (name, expected) in decoded.as_object().unwrap() {
        let image = picture(name);
        let size = [image.width(), image.height()].map(Value::from);
        assert_eq!(
            [&expected["width"], &expected["height"]],
            size.each_ref(),
            "{name}"
        );
        let hash = Sha256::digest(image.as_raw());
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(expected["sha256_of_rgb_bytes"], hash.as_str(), "{name}");
    }
}

/// The formula of tests/golden/resize/make.py.
fn made_picture(width: u32, height: u32, seed: u32) -> RgbImage {
    let block = seed % 4 + 1;
    RgbImage::from_fn(width, height, |x, y| {
        let place = (x / block).wrapping_mul(73_856_093) ^ (y / block).wrapping_mul(19_349_663);
        let colour = |colour: u32| {
            let mixed = place ^ colour.wrapping_mul(83_492_791) ^ seed.wrapping_mul(2_654_435_761);
            ((mixed ^ mixed >> 15).wrapping_mul(2_246_822_519) >> 24) as u8
        };
        [colour(1), colour(2), colour(3)].into()
    })
}

fn fnv1a(bytes: &[u8]) -> String {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", bytes.iter().fold(0xcbf2_9ce4_8422_2325, step))
}

#[test]
fn resizing_gives_the_pixels_of_pillow() {
    let golden = json("resize/cases.json");
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 100);
    for case in cases {
        let number = |at: usize| case[at].as_u64().unwrap() as usize;
        let image = made_picture(number(0) as u32, number(1) as u32, number(2) as u32);
        let filter = Filter::from_pillow(number(5) as u64).unwrap();
        let resized = image::resize(&image, number(3), number(4), filter);
        assert_eq!(case[6], fnv1a(resized.as_raw()).as_str(), "{case}");
    }
}

/// The tensors of a safetensors file.
fn table(file: &[u8]) -> Vec<TensorInfo> {
    match safetensors::parse(file, file.len() as u64) {
        Ok(Parsed::Complete(table)) => table,
        other => panic!("{other:?}"),
    }
}

/// One float32 tensor of a safetensors file.
fn tensor(file: &[u8], name: &str) -> (Vec<usize>, Vec<f32>) {
    let table = table(file);
    let tensor = table.iter().find(|tensor| tensor.name == name);
    let tensor = tensor.unwrap_or_else(|| panic!("{name} is missing"));
    let values = tensor.read(file).unwrap();
    let values = values.chunks_exact(4);
    let values = values
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    (tensor.shape.clone(), values)
}

fn check_prepared(preprocessor: &Preprocessor, image: &RgbImage, file: &[u8], name: &str) {
    let (shape, expected) = tensor(file, name);
    let (height, width) = preprocessor.output_size();
    assert_eq!(shape[shape.len() - 3..], [3, height, width], "{name}");
    let prepared = preprocessor.prepare(image);
    assert_eq!(prepared.len(), expected.len(), "{name}");
    let difference = prepared.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    let most = difference.fold(0.0, f32::max);
    assert!(most <= 1e-6, "{name} differs by {most}");
}

#[test]
fn preprocessing_gives_the_numbers_of_the_reference() {
    let mut checked = 0;
    for model in [
        "clip-quick",
        "clip-gelu",
        "blip-caption",
        "blip-caption-untied",
    ] {
        let config = text(&format!("{model}/model/preprocessor_config.json"));
        let preprocessor = Preprocessor::from_json(&config).unwrap();
        let file = std::fs::read(golden(model).join("expected.safetensors")).unwrap();
        let names = table(&file).into_iter().map(|tensor| tensor.name);
        for name in &names
            .filter(|name| name.contains("pixels/"))
            .collect::<Vec<_>>()
        {
            let image = picture(name.rsplit('/').next().unwrap());
            if name.starts_with("interpolated/") {
                let side = *tensor(&file, name).0.last().unwrap();
                check_prepared(&preprocessor.with_size(side), &image, &file, name);
            } else {
                check_prepared(&preprocessor, &image, &file, name);
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} tensors were found");
}

fn bert() -> Tokenizer {
    Tokenizer::from_wordpiece_vocabulary(&text("tokenizers/bert/vocab.txt"), true).unwrap()
}

fn clip() -> Tokenizer {
    let vocabulary = text("tokenizers/clip/vocab.json");
    Tokenizer::from_bpe_files(&vocabulary, &text("tokenizers/clip/merges.txt")).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_u64().unwrap() as u32)
        .collect()
}

fn check_tokenizer(tokenizer: &Tokenizer, cases: &str) {
    let cases = json(cases);
    for case in cases["encode"].as_array().unwrap() {
        let (text, length) = (case["text"].as_str().unwrap(), &case["max_length"]);
        let encoded = tokenizer
            .encode(text, length.as_u64().unwrap() as usize)
            .unwrap();
        assert_eq!(encoded, ids(&case["ids"]), "{text:?} up to {length}");
    }
    for case in cases["decode"].as_array().unwrap() {
        let ids = ids(&case["ids"]);
        assert_eq!(
            case["text"],
            tokenizer.decode(&ids).unwrap().as_str(),
            "{ids:?}"
        );
        let mut stream = StreamDecoder::new();
        let pieces: String = ids
            .iter()
            .map(|&id| stream.push(tokenizer, id).unwrap())
            .collect();
        let streamed = pieces + &stream.finish(tokenizer).unwrap();
        assert_eq!(case["text"], streamed.as_str(), "{ids:?}, as a stream");
    }
}

#[test]
fn berts_tokenizer_gives_the_ids_and_texts_of_the_reference() {
    let tokenizer = bert();
    assert_eq!(tokenizer.vocabulary_size(), 30522);
    check_tokenizer(&tokenizer, "tokenizers/bert/cases.json");
    let again = Tokenizer::from_json(&tokenizer.to_json().unwrap()).unwrap();
    check_tokenizer(&again, "tokenizers/bert/cases.json");
}

#[test]
fn clips_tokenizer_gives_the_ids_and_texts_of_the_reference() {
    let tokenizer = clip();
    assert_eq!(tokenizer.vocabulary_size(), 49408);
    check_tokenizer(&tokenizer, "tokenizers/clip/cases.json");
    let again = Tokenizer::from_json(&tokenizer.to_json().unwrap()).unwrap();
    check_tokenizer(&again, "tokenizers/clip/cases.json");
}

#[test]
fn the_tokenizers_of_small_models_give_the_ids_of_the_reference() {
    for model in ["clip-quick", "clip-gelu"] {
        let tokenizer =
            Tokenizer::from_json(&text(&format!("{model}/model/tokenizer.json"))).unwrap();
        let expected = json(&format!("{model}/expected.json"));
        let texts = expected["texts"].as_array().unwrap();
        for (text, expected) in texts.iter().zip(expected["text_ids"].as_array().unwrap()) {
            assert_eq!(
                tokenizer.encode(text.as_str().unwrap(), 77).unwrap(),
                ids(expected),
                "{text}"
            );
        }
    }
}
