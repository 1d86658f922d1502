//! Where BLIP looks: cross-attention for captions, Grad-CAM for matches, at every layer.

use super::blip::network;
use super::golden::{self, Golden, decode_picture, to_vec};
use super::tolerance::{Tolerance, relative_error};
use obscura::Result;
use obscura::device::Placement;
use obscura::generate::GenerationOptions;
use obscura::kernels::PackedFormat;
use obscura::tasks::{Model, TokenMap};

/// Checks the maps, layer by layer, and what a user gets of them.
pub async fn check(placement: &Placement) -> Result<()> {
    let golden = Golden::open("golden/attention");
    let tolerance = Tolerance::of(placement);
    let load = |key: &str| {
        let name = golden.json[key].as_str().expect("a model's name");
        let folder = format!("golden/{name}/model");
        golden::load(&folder, placement.clone(), PackedFormat::F32)
    };
    let (captions, matches) = (load("captions")?, load("matches")?);
    for picture in golden.names("pictures") {
        check_caption(&golden, &captions, &picture, tolerance).await?;
        check_matches(&golden, &matches, &picture, tolerance).await?;
    }
    Ok(())
}

/// The image's class token has a place in the maps, but none in the picture.
fn without_class_token(maps: &[f32], tokens: usize) -> Vec<f32> {
    let rows = maps.chunks_exact(maps.len() / tokens);
    rows.flat_map(|row| row[1..].to_vec()).collect()
}

fn assert_near(key: &str, ours: &[f32], reference: &[f32], bound: f64) {
    let error = relative_error(ours, reference);
    println!("{key}: {error:.1e}");
    assert!(error <= bound, "{key}: relative error {error:.1e}");
}

fn joined(tokens: &[TokenMap]) -> Vec<f32> {
    tokens.iter().flat_map(|token| token.map.clone()).collect()
}

async fn check_caption(
    golden: &Golden,
    model: &Model,
    picture: &str,
    tolerance: Tolerance,
) -> Result<()> {
    let image = decode_picture(picture);
    let attended = model
        .caption_with_attention(&image, "", &GenerationOptions::default(), async |_, _| {
            Ok(())
        })
        .await;
    let (caption, attention) = attended?;
    let decoder = network(model).text_decoder()?;
    let context = decoder.context(network(model).encode_image(model.pixels(&image)));
    let read = caption.tokens[..caption.tokens.len() - 1].to_vec();
    for layer in 0..decoder.depth() {
        let maps = decoder.attention_of_tokens(std::slice::from_ref(&read), &context, layer);
        let ours = without_class_token(&to_vec(maps).await, read.len());
        let key = format!("caption/{picture}/{layer}");
        assert_near(&key, &ours, golden.values(&key), tolerance.encoder);
    }
    let key = format!("caption/{picture}/{}", decoder.localising_layer());
    let ours = joined(&attention.tokens);
    assert_near(&key, &ours, golden.values(&key), tolerance.encoder);
    let ids: Vec<u32> = attention.tokens.iter().map(|token| token.id).collect();
    assert_eq!(ids, caption.tokens[1..], "a map for each token after [DEC]");
    let text: String = attention
        .tokens
        .iter()
        .map(|token| &token.text[..])
        .collect();
    assert_eq!(text, caption.text, "the tokens' texts are the caption");
    assert_eq!((attention.rows, attention.columns), (6, 6));
    Ok(())
}

async fn check_matches(
    golden: &Golden,
    model: &Model,
    picture: &str,
    tolerance: Tolerance,
) -> Result<()> {
    let (image, texts) = (decode_picture(picture), golden.names("texts"));
    let blip = network(model);
    let grounding = blip.grounding(blip.encode_image(model.pixels(&image)))?;
    let found = model.match_texts_with_attention(&image, &texts).await?;
    assert_eq!(found.len(), texts.len());
    for (index, (matched, attention)) in found.iter().enumerate() {
        let ids = model.text_ids(&texts[index])?;
        for layer in 0..blip.text_encoder()?.config().depth {
            let maps = blip.matching_gradient(std::slice::from_ref(&ids), &grounding, layer)?;
            let ours = without_class_token(&to_vec(maps).await, ids.len());
            let key = format!("match/{picture}/{index}/{layer}");
            assert_near(&key, &ours, golden.values(&key), tolerance.encoder);
        }
        let layer = blip.text_encoder()?.localising_layer();
        let reference = golden.values(&format!("match/{picture}/{index}/{layer}"));
        let patches = attention.rows * attention.columns;
        let words = &reference[patches..reference.len() - patches]; // without [CLS] and [SEP]
        let ours = joined(&attention.tokens);
        assert_near("the words' maps", &ours, words, tolerance.encoder);
        let count = attention.tokens.len();
        let mean = |place: usize| -> f32 {
            words.iter().skip(place).step_by(patches).sum::<f32>() / count as f32
        };
        let means: Vec<f32> = (0..patches).map(mean).collect();
        assert_near("the text's map", &attention.map, &means, tolerance.encoder);
        let plain = model.match_texts(&image, &texts).await?;
        assert_eq!(*matched, plain[index], "what is matched is the same");
    }
    Ok(())
}
