//! Every stage of a CLIP.

use super::golden::{Golden, decode_picture, is_lossy, to_vec};
use super::tolerance::{Tolerance, assert_close, assert_same_direction};
use obscura::Result;
use obscura::device::Placement;
use obscura::models::{Clip, normalize};
use obscura::tasks::{Model, Network};

pub async fn check(golden: &Golden, model: &Model, tolerance: Tolerance) -> Result<()> {
    let Network::Clip(clip) = model.network() else { panic!("not a CLIP") };
    check_texts(golden, model, clip, tolerance).await?;
    for picture in golden.names("pictures") {
        check_pixels(golden, model, &picture).await;
        let pixels = golden.pixels(&format!("pixels/{picture}"), model.placement());
        let patches = clip.vision().embed(pixels.clone());
        golden.compare(&format!("patches/{picture}"), patches, tolerance.encoder).await;
        let vision = clip.encode_image_tokens(pixels.clone());
        golden.compare(&format!("vision/{picture}"), vision, tolerance.encoder).await;
        let embeds = to_vec(normalize(clip.encode_image(pixels))).await;
        let key = format!("image_embeds/{picture}");
        assert_same_direction(&key, &embeds, golden.values(&key), tolerance.cosine);
        if !is_lossy(&picture) {
            check_classification(golden, model, &picture, tolerance).await?;
        }
    }
    check_interpolation(golden, model.placement(), clip, tolerance).await;
    Ok(())
}

/// Our picture path gives the reference's pixels.
pub async fn check_pixels(golden: &Golden, model: &Model, picture: &str) {
    if !is_lossy(picture) {
        let pixels = to_vec(model.pixels(&decode_picture(picture))).await;
        let key = format!("pixels/{picture}");
        let pairs = pixels.iter().zip(golden.values(&key));
        let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest <= 1e-6, "{key}: off by {largest:e}");
    }
}

async fn check_texts(golden: &Golden, model: &Model, clip: &Clip, tolerance: Tolerance) -> Result<()> {
    for (index, (text, ids)) in golden.names("texts").iter().zip(golden.ids("text_ids")).enumerate() {
        assert_eq!(model.text_ids(text)?, ids, "ids of {text:?}");
        let ids = [ids];
        let hidden = clip.encode_text_tokens(&ids);
        golden.compare(&format!("text_hidden/{index}"), hidden, tolerance.encoder).await;
        let embeds = to_vec(normalize(clip.encode_text(&ids))).await;
        let key = format!("text_embeds/{index}");
        assert_same_direction(&key, &embeds, golden.values(&key), tolerance.cosine);
    }
    Ok(())
}

/// The probabilities that a user gets, from the picture's file to the label's score.
async fn check_classification(
    golden: &Golden,
    model: &Model,
    picture: &str,
    tolerance: Tolerance,
) -> Result<()> {
    let labels = golden.names("texts");
    let scored = model.classify(&decode_picture(picture), &labels, &["{}".to_string()]).await?;
    for (label, expected) in labels.iter().zip(golden.json["probabilities"][picture].as_array().unwrap()) {
        let found = scored.iter().find(|scored| scored.label == *label).expect("every label").score;
        let expected = expected.as_f64().unwrap() as f32;
        assert!((found - expected).abs() <= tolerance.score, "{picture} {label}: {found} for {expected}");
    }
    let logits: Vec<f32> = {
        let Network::Clip(clip) = model.network() else { panic!("not a CLIP") };
        let image = model.embed_image(&decode_picture(picture), true).await?;
        let scale = to_vec(clip.logit_scale()).await[0];
        let texts = model.text_vectors(&labels).await?;
        texts.iter().map(|text| scale * text.iter().zip(&image).map(|(a, b)| a * b).sum::<f32>()).collect()
    };
    let key = format!("logits_per_image/{picture}");
    assert_close(&key, &logits, golden.values(&key), tolerance.logits);
    Ok(())
}

async fn check_interpolation(golden: &Golden, placement: &Placement, clip: &Clip, tolerance: Tolerance) {
    for picture in super::golden::strings(&golden.json["interpolated"]["pictures"]) {
        let pixels = golden.pixels(&format!("interpolated/pixels/{picture}"), placement);
        let vision = clip.encode_image_tokens(pixels.clone());
        golden.compare(&format!("interpolated/vision/{picture}"), vision, tolerance.encoder).await;
        let embeds = to_vec(normalize(clip.encode_image(pixels))).await;
        let key = format!("interpolated/image_embeds/{picture}");
        assert_same_direction(&key, &embeds, golden.values(&key), tolerance.cosine);
    }
}
