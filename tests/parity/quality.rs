//! What quantized weights cost: cosines with the reference's single precision, vector by vector,
//! which is token by token for states and logits.

use super::comparison::stage_of;
use super::golden::{Golden, decode_picture, numbers, to_vec};
use super::report::{Measure, Report};
use super::tolerance::{Quality, turned};
use super::{blip, clip, coca};
use burn::tensor::Tensor;
use obscura::Result;
use obscura::kernels::PackedFormat;
use obscura::models::normalize;
use obscura::nn::token_ids;
use obscura::tasks::Model;

/// Bounds for the small models. Their few random columns average less out than a real model's:
/// these are checks of the formats, no promises.
pub const SMALL: [Quality; 3] = [
    // Measured: 0.9999994 (CLIP's texts), logits 1 (those weights are bfloat16, of 8 bits).
    Quality {
        format: PackedFormat::F16,
        states: 0.999_99,
        logits: 0.999_99,
    },
    // Measured: 0.99978 (CLIP's pictures), logits 0.99955.
    Quality {
        format: PackedFormat::Q8,
        states: 0.9995,
        logits: 0.999,
    },
    // Measured: 0.925 (CLIP's pictures), logits 0.910.
    Quality {
        format: PackedFormat::Q4,
        states: 0.9,
        logits: 0.88,
    },
];

struct Turned<'a> {
    golden: &'a Golden,
    quality: Quality,
    report: Report,
}

impl Turned<'_> {
    async fn states<const D: usize>(&mut self, key: &str, ours: Tensor<D>) {
        self.add(key, ours, self.quality.states).await;
    }

    async fn logits<const D: usize>(&mut self, key: &str, ours: Tensor<D>) {
        self.add(key, ours, self.quality.logits).await;
    }

    async fn add<const D: usize>(&mut self, key: &str, ours: Tensor<D>, bound: f64) {
        let width = ours.dims()[D - 1];
        let (ours, reference) = (to_vec(ours).await, self.golden.values(key));
        assert_eq!(ours.len(), reference.len(), "{key}: number of values");
        let rows = ours.chunks(width).zip(reference.chunks(width));
        for (row, (ours, reference)) in rows.enumerate() {
            let (error, place) = (turned(ours, reference), format!("{key} token {row}"));
            self.report
                .add(stage_of(key), Measure::Direction, 1.0 - bound, error, place);
        }
    }
}

/// The embeddings, states and logits of a model whose weights are not in single precision.
pub async fn compare(golden: &Golden, model: &Model, quality: Quality) -> Result<Report> {
    let mut turned = Turned {
        golden,
        quality,
        report: Report::default(),
    };
    match golden.class() {
        "CLIPModel" | "SiglipModel" | "open_clip.CLIP" => compare_clip(&mut turned, model).await,
        "open_clip.CoCa" => compare_coca(&mut turned, model).await,
        "BlipForConditionalGeneration" => compare_captions(&mut turned, model).await?,
        "BlipForImageTextRetrieval" => compare_retrieval(&mut turned, model).await?,
        _ => compare_answers(&mut turned, model).await?,
    }
    Ok(turned.report)
}

async fn compare_clip(turned: &mut Turned<'_>, model: &Model) {
    let (golden, clip) = (turned.golden, clip::network(model));
    for (index, ids) in golden.ids("text_ids").into_iter().enumerate() {
        let embeds = normalize(clip.encode_text(&[ids]));
        turned.states(&format!("text_embeds/{index}"), embeds).await;
    }
    for picture in golden.names("pictures") {
        let pixels = golden.pixels(&format!("pixels/{picture}"), model.placement());
        let embeds = normalize(clip.encode_image(pixels));
        let key = format!("image_embeds/{picture}");
        turned.states(&key, embeds).await;
    }
}

async fn compare_coca(turned: &mut Turned<'_>, model: &Model) {
    let (golden, coca) = (turned.golden, coca::network(model));
    for (index, ids) in golden.ids("text_ids").into_iter().enumerate() {
        let embeds = normalize(coca.encode_text(&[ids]));
        turned.states(&format!("text_embeds/{index}"), embeds).await;
    }
    for picture in golden.names("pictures") {
        let pixels = golden.pixels(&format!("pixels/{picture}"), model.placement());
        let states = coca.image_states(pixels);
        let embeds = normalize(coca.project_image(states.clone()));
        let key = format!("image_embeds/{picture}");
        turned.states(&key, embeds).await;
        let ids = numbers(&golden.json["captions"][&picture]["read"]);
        let ids = token_ids(&[ids], &states.device());
        let logits = coca.writer(states).all_logits(ids);
        turned.logits(&format!("logits/{picture}"), logits).await;
    }
}

async fn compare_captions(turned: &mut Turned<'_>, model: &Model) -> Result<()> {
    let (golden, blip) = (turned.golden, blip::network(model));
    for picture in golden.names("logits") {
        let pixels = golden.pixels(&format!("pixels/{picture}"), model.placement());
        let states = blip.encode_image(pixels);
        let key = format!("vision/{picture}");
        turned.states(&key, states.clone()).await;
        let ids = numbers(&golden.json["captions"][&picture]["greedy"]["ids"]);
        let logits = blip::teacher_forced(blip, &ids, states)?;
        turned.logits(&format!("logits/{picture}"), logits).await;
    }
    Ok(())
}

async fn compare_retrieval(turned: &mut Turned<'_>, model: &Model) -> Result<()> {
    let (golden, blip) = (turned.golden, blip::network(model));
    let ids = golden.ids("text_ids");
    for (index, ids) in ids.iter().enumerate() {
        let embeds = normalize(blip.encode_text(std::slice::from_ref(ids))?);
        turned.states(&format!("text_embeds/{index}"), embeds).await;
    }
    for picture in golden.names("hidden_pictures") {
        let states = blip.encode_image(model.pixels(&decode_picture(&picture)));
        let embeds = normalize(blip.project_image(states.clone())?);
        let key = format!("image_embeds/{picture}");
        turned.states(&key, embeds).await;
        let grounding = blip.grounding(states)?;
        for (index, ids) in ids.iter().enumerate() {
            let hidden = blip.ground_text(std::slice::from_ref(ids), &grounding)?;
            let key = format!("itm_hidden/{picture}/{index}");
            turned.states(&key, hidden).await;
        }
    }
    Ok(())
}

async fn compare_answers(turned: &mut Turned<'_>, model: &Model) -> Result<()> {
    let (golden, blip) = (turned.golden, blip::network(model));
    let ids = golden.ids("question_ids");
    for picture in golden.names("hidden_pictures") {
        let states = blip.encode_image(model.pixels(&decode_picture(&picture)));
        let grounding = blip.grounding(states)?;
        for (index, ids) in ids.iter().enumerate() {
            let hidden = blip.ground_text(std::slice::from_ref(ids), &grounding)?;
            let key = format!("question_hidden/{picture}/{index}");
            turned.states(&key, hidden.clone()).await;
            let key = format!("logits/{picture}/{index}");
            if golden.has(&key) {
                let answer = &golden.json["answers"][&picture][index.to_string()];
                let ids = numbers(&answer["greedy"]["ids"]);
                let logits = blip::teacher_forced(blip, &ids, hidden)?;
                turned.logits(&key, logits).await;
            }
        }
    }
    Ok(())
}
