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
    for dtype in [Dtype::Auto, Dtype::F32] {
        check_as(dtype, placement, &expected).await?;
    }
    Ok(())
}

async fn check_as(dtype: Dtype, placement: &Placement, expected: &Value) -> Result<()> {
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
        let place = format!("{} as {dtype:?}", text("image"));
        assert_eq!(caption.await?.text, text("caption"), "caption of {place}");
        let question = text("question");
        let frames = std::slice::from_ref(&image);
        let answer = model.answer(frames, question, &greedy, async |_, _| Ok(()));
        assert_eq!(answer.await?.text, text("answer"), "{question} {place}");
    }
    Ok(())
}
