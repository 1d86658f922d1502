//! The model that comes with the page says word for word what is recorded of it in
//! `tests/golden/pictograms`, in its own format and in single precision.

use super::golden::{Folder, decode_file, read};
use obscura::Result;
use obscura::device::Placement;
use obscura::generate::GenerationOptions;
use obscura::load::{self, NoStore, Options, Stores};
use obscura::nn::Dtype;
use serde_json::Value;

const FOLDER: &str = "golden/pictograms";
const MODEL: &str = "pictograms.gguf";

/// Checks every recorded caption and answer.
pub async fn check(placement: &Placement) -> Result<()> {
    let bytes = read(&format!("{FOLDER}/expected.json")).expect("recorded texts");
    let expected: Value = serde_json::from_slice(&bytes).expect("valid JSON");
    // Unquantized, the head over the vocabulary is exact, too, which can turn a close choice of words.
    for (name, dtype) in [("auto", Dtype::Auto), ("f32", Dtype::F32)] {
        check_as(name, dtype, placement, &expected).await?;
    }
    Ok(())
}

async fn check_as(name: &str, dtype: Dtype, placement: &Placement, expected: &Value) -> Result<()> {
    let options = Options {
        dtype,
        ..Options::default()
    };
    let no_entry: Option<Stores<NoStore>> = None;
    let files = &Folder("models".to_string());
    let placement = placement.clone();
    let model = load::load(
        "models",
        files,
        Some(MODEL),
        no_entry,
        &options,
        placement,
        |_| {},
    );
    let model = model.await?;
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
