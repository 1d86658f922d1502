//! open_clip's own folders, with the options that Hugging Face has no form for, against the vectors
//! that open_clip computes of them (`scripts/zoo` made both).

use super::golden::{decode_picture, load_in_any_form, numbers, read, strings};
use super::tolerance::{Tolerance, turned};
use obscura::Result;
use obscura::device::Placement;
use obscura::kernels::PackedFormat;
use serde_json::Value;

/// One of each working kind, and of options that no released model has.
pub const MODELS: [&str; 9] = [
    "vit",
    "layer-scale",
    "clipa",
    "metaclip-2",
    "options",
    "no-projection",
    "roberta",
    "xlm-roberta",
    "bert",
];

/// The vectors of a picture and of texts, and the texts' ids, are open_clip's.
pub async fn check(name: &str, placement: &Placement) -> Result<()> {
    let folder = format!("golden/zoo/{name}");
    let expected = read(&format!("{folder}/expected.json")).expect("expectations");
    let expected: Value = serde_json::from_slice(&expected).expect("JSON");
    let model = load_in_any_form(&folder, placement.clone(), PackedFormat::F32).await?;
    let picture = decode_picture(expected["image"].as_str().expect("a name"));
    let mut worst = turned(
        &model.embed_image(&picture, true).await?,
        &vector(&expected["picture"]),
    );
    for (place, text) in strings(&expected["text"]).iter().enumerate() {
        let ids = model.text_ids(text)?;
        // The reference fills up all texts; here it is done where the encoder sees it.
        let expected_ids = numbers(&expected["ids"][place]);
        let (own, filling) = expected_ids.split_at(ids.len());
        assert_eq!(ids, own, "{name}: {text}");
        let is_filling = filling.iter().all(|id| Some(id) == filling.first());
        assert!(is_filling, "{name}: {filling:?}");
        let found = model.embed_text(text, true).await?;
        worst = worst.max(turned(&found, &vector(&expected["texts"][place])));
    }
    println!("{name}: turned by {worst:.1e}");
    let bound = Tolerance::of(model.placement()).cosine;
    assert!(
        worst <= bound,
        "{name}: turned by {worst:e}, at most {bound:e}"
    );
    Ok(())
}

fn vector(value: &Value) -> Vec<f32> {
    let numbers = value.as_array().expect("a vector").iter();
    numbers
        .map(|number| number.as_f64().expect("a number") as f32)
        .collect()
}
