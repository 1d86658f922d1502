//! The models that come with the page say what is recorded of them in `tests/golden/pictograms`, in their own format
//! and in single precision: BLIP word for word, CLIP how alike pictures and texts are.

use super::golden::{Folder, decode_file, read};
use obscura::Result;
use obscura::device::Placement;
use obscura::generate::GenerationOptions;
use obscura::load::{self, NoStore, Options, Stores};
use obscura::nn::Dtype;
use obscura::tasks::Model;
use serde_json::Value;

const FOLDER: &str = "golden/pictograms";
const BLIP: &str = "pictograms.gguf";
const CLIP: &str = "pictograms-clip.gguf";
/// How far a cosine may be from the recorded one. In the file's own format devices round differently what they multiply
/// with 8 bits.
const COSINES: [(&str, Dtype, f64); 2] = [("auto", Dtype::Auto, 2e-2), ("f32", Dtype::F32, 2e-4)];

/// Checks every recorded caption, answer and cosine.
pub async fn check(placement: &Placement) -> Result<()> {
    let bytes = read(&format!("{FOLDER}/expected.json")).expect("recorded texts");
    let expected: Value = serde_json::from_slice(&bytes).expect("valid JSON");
    // Unquantized, the head over the vocabulary is exact, too, which can turn a close choice of words.
    for (name, dtype) in [("auto", Dtype::Auto), ("f32", Dtype::F32)] {
        check_as(name, dtype, placement, &expected).await?;
    }
    for (name, dtype, tolerance) in COSINES {
        check_cosines(name, dtype, tolerance, placement).await?;
    }
    Ok(())
}

async fn check_cosines(
    name: &str,
    dtype: Dtype,
    tolerance: f64,
    placement: &Placement,
) -> Result<()> {
    let bytes = read(&format!("{FOLDER}/beside.json")).expect("recorded cosines");
    let expected: Value = serde_json::from_slice(&bytes).expect("valid JSON");
    let texts: Vec<String> = serde_json::from_value(expected["texts"].clone()).expect("texts");
    let pictures = expected["pictures"].as_array().expect("pictures");
    assert!(
        pictures.len() >= 8 && texts.len() >= 8,
        "too few are recorded"
    );
    let model = open(CLIP, dtype, placement).await?;
    for picture in pictures {
        let image = picture["image"].as_str().expect("a name");
        let image_of = decode_file(&format!("{FOLDER}/{image}"));
        let found = model.match_texts(&image_of, &texts).await?;
        for (place, found) in found.iter().enumerate() {
            let wanted = picture[name][place].as_f64().expect("a cosine");
            let difference = (f64::from(found.similarity) - wanted).abs();
            let (text, found) = (&found.text, found.similarity);
            assert!(
                difference < tolerance,
                "'{text}', {image} as {name}: {found} for {wanted}"
            );
        }
    }
    Ok(())
}

async fn open(file: &str, dtype: Dtype, placement: &Placement) -> Result<Model> {
    let options = Options {
        dtype,
        ..Options::default()
    };
    let no_entry: Option<Stores<NoStore>> = None;
    let files = &Folder("models".to_string());
    let placement = placement.clone();
    load::load(
        "models",
        files,
        Some(file),
        no_entry,
        &options,
        placement,
        |_| {},
    )
    .await
}

async fn check_as(name: &str, dtype: Dtype, placement: &Placement, expected: &Value) -> Result<()> {
    let model = open(BLIP, dtype, placement).await?;
    let greedy = GenerationOptions::default();
    let pictures = expected.as_array().expect("a list of pictures");
    assert!(pictures.len() >= 8, "{} pictures", pictures.len());
    for picture in pictures {
        let text = |key: &str| picture[key].as_str().expect("a text");
        let image = decode_file(&format!("{FOLDER}/{}", text("image")));
        let caption = model.caption(&image, "", &greedy, async |_, _| Ok(()));
        let place = format!("{} as {name}", text("image"));
        let wanted = |key: &str| picture[name][key].as_str().expect("a text");
        assert_eq!(caption.await?.text, wanted("caption"), "caption of {place}");
        let question = text("question");
        let frames = std::slice::from_ref(&image);
        let answer = model.answer(frames, question, &greedy, async |_, _| Ok(()));
        assert_eq!(answer.await?.text, wanted("answer"), "{question} {place}");
    }
    Ok(())
}
