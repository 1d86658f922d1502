//! Every stage of a CLIP or SigLIP.

use super::comparison::Comparison;
use super::golden::{decode_picture, is_lossy, strings, to_vec};
use burn::tensor::Tensor;
use obscura::Result;
use obscura::models::clip::Pooling;
use obscura::models::{Clip, ImageEncoder, normalize};
use obscura::tasks::{Model, Network};

pub fn network(model: &Model) -> &Clip {
    match model.network() {
        Network::Clip(clip) => clip,
        _ => panic!("not a CLIP"),
    }
}

pub async fn compare(with: &Comparison<'_>) -> Result<()> {
    let clip = network(with.model);
    compare_texts(with, clip).await?;
    for picture in with.golden.names("pictures") {
        compare_pixels(with, &picture).await;
        let pixels = with.reference_pixels(&picture);
        let patches = match clip.image() {
            ImageEncoder::Transformer(vision, ..) => vision.embed(pixels.clone()),
            ImageEncoder::ResNet(vision) => vision.embed(pixels.clone()).flatten(1, 2),
        };
        with.states(&format!("patches/{picture}"), patches).await;
        let vision = last_states(clip, pixels.clone());
        with.states(&format!("vision/{picture}"), vision).await;
        let embeds = normalize(clip.encode_image(pixels));
        with.direction(&format!("image_embeds/{picture}"), embeds)
            .await;
        if !is_lossy(&picture) {
            compare_classification(with, clip, &picture).await?;
        }
    }
    if let ImageEncoder::Transformer(..) = clip.image() {
        compare_interpolation(with, clip).await;
    }
    Ok(())
}

/// The reference's `last_hidden_state`, of which a SigLIP's is normalised.
fn last_states(clip: &Clip, pixels: Tensor<4>) -> Tensor<3> {
    let states = clip.encode_image_tokens(pixels);
    match clip.image() {
        ImageEncoder::Transformer(vision, Pooling::Attention(_), _) => {
            vision.post_norm.forward(states)
        }
        _ => states,
    }
}

/// Our picture path gives the reference's pixels.
pub async fn compare_pixels(with: &Comparison<'_>, picture: &str) {
    if !is_lossy(picture) {
        let pixels = with.model.pixels(&decode_picture(picture));
        with.pixels(&format!("pixels/{picture}"), pixels).await;
    }
}

/// Texts that are encoded together and share what they begin alike with have the reference's vectors, too.
async fn compare_sharing_texts(with: &Comparison<'_>, clip: &Clip) {
    let together = clip.encode_sharing(&with.golden.ids("text_ids"));
    for (index, embeds) in together.split(1, 0).into_iter().enumerate() {
        let name = format!("text_embeds/{index}");
        with.direction(&name, normalize(embeds)).await;
    }
}

async fn compare_texts(with: &Comparison<'_>, clip: &Clip) -> Result<()> {
    if clip.texts_share() {
        compare_sharing_texts(with, clip).await;
    }
    let texts = with.golden.names("texts");
    for (index, (text, ids)) in texts.iter().zip(with.golden.ids("text_ids")).enumerate() {
        with.equal("text ids", text, with.model.text_ids(text)?, ids.clone());
        let ids = [ids];
        let hidden = clip.encode_text_tokens(&ids);
        with.states(&format!("text_hidden/{index}"), hidden).await;
        let embeds = normalize(clip.encode_text(&ids));
        with.direction(&format!("text_embeds/{index}"), embeds)
            .await;
    }
    Ok(())
}

/// The probabilities that a user gets, from the picture's file to the label's score, and the logits.
async fn compare_classification(with: &Comparison<'_>, clip: &Clip, picture: &str) -> Result<()> {
    compare_probabilities(with, picture).await?;
    let (model, image) = (with.model, decode_picture(picture));
    let labels = with.golden.names("texts");
    let image = model.embed_image(&image, true).await?;
    let scale = to_vec(clip.logit_scale()).await[0];
    let texts = model.text_vectors(&labels).await?;
    let bias = match clip.logit_bias() {
        Some(bias) => to_vec(bias).await[0],
        None => 0.0,
    };
    let logit = |text: &Vec<f32>| scale * dot(text, &image) + bias;
    let logits: Vec<f32> = texts.iter().map(logit).collect();
    with.logits_vec(&format!("logits_per_image/{picture}"), &logits);
    Ok(())
}

/// What `classify` gives, of which each label is a whole text.
pub async fn compare_probabilities(with: &Comparison<'_>, picture: &str) -> Result<()> {
    let (model, image) = (with.model, decode_picture(picture));
    let labels = with.golden.names("texts");
    let scored = model.classify(&image, &labels, &["{}".to_string()]).await?;
    let expected = &with.golden.json["probabilities"][picture];
    for (index, label) in labels.iter().enumerate() {
        let found = scored.iter().find(|scored| scored.label == *label);
        let found = found.expect("every label").score;
        let place = format!("{picture} {label}");
        with.score("probabilities", &place, found, &expected[index]);
    }
    Ok(())
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

async fn compare_interpolation(with: &Comparison<'_>, clip: &Clip) {
    for picture in strings(&with.golden.json["interpolated"]["pictures"]) {
        let pixels = with.golden.pixels(
            &format!("interpolated/pixels/{picture}"),
            with.model.placement(),
        );
        let vision = last_states(clip, pixels.clone());
        with.states(&format!("interpolated/vision/{picture}"), vision)
            .await;
        let embeds = normalize(clip.encode_image(pixels));
        with.direction(&format!("interpolated/image_embeds/{picture}"), embeds)
            .await;
    }
}
