//! Every stage of a CoCa, and all that its `generate` writes.

use super::clip::{compare_pixels, compare_probabilities};
use super::comparison::Comparison;
use super::golden::{decode_picture, numbers};
use burn::tensor::Tensor;
use obscura::Result;
use obscura::generate::{GenerationOptions, GenerationSettings, Rules};
use obscura::models::{Coca, Writer, normalize};
use obscura::nn::token_ids;
use obscura::tasks::{Model, Network};
use serde_json::Value;

pub fn network(model: &Model) -> &Coca {
    match model.network() {
        Network::Coca(coca) => coca,
        _ => panic!("not a CoCa"),
    }
}

pub async fn compare(with: &Comparison<'_>) -> Result<()> {
    let coca = network(with.model);
    compare_texts(with, coca).await?;
    for picture in with.golden.names("pictures") {
        compare_pixels(with, &picture).await;
        let states = coca.image_states(with.reference_pixels(&picture));
        with.states(&format!("vision/{picture}"), states.clone())
            .await;
        let looked_at = coca.looked_at(states.clone());
        with.states(&format!("looked_at/{picture}"), looked_at)
            .await;
        let embeds = normalize(coca.project_image(states.clone()));
        with.direction(&format!("image_embeds/{picture}"), embeds)
            .await;
        compare_probabilities(with, &picture).await?;
        compare_decoder(with, coca, &picture, states).await;
        compare_captions(with, &picture).await?;
    }
    Ok(())
}

async fn compare_texts(with: &Comparison<'_>, coca: &Coca) -> Result<()> {
    let (texts, ids) = (with.golden.names("texts"), with.golden.ids("text_ids"));
    for (index, (text, ids)) in texts.iter().zip(ids).enumerate() {
        with.equal("text ids", text, with.model.text_ids(text)?, ids.clone());
        let embeds = normalize(coca.encode_text(&[ids]));
        with.direction(&format!("text_embeds/{index}"), embeds)
            .await;
    }
    // Token 0 in a text, beside one of equal length without.
    let odd = numbers(&with.golden.json["odd_ids"]);
    let plain = vec![odd[0]; odd.len()];
    let both = coca.encode_text(&[plain, odd]);
    let embeds = normalize(both.narrow(0, 1, 1));
    with.direction("text_embeds/odd", embeds).await;
    Ok(())
}

/// Logits after every token, read at once and one by one, and where each looked.
async fn compare_decoder(with: &Comparison<'_>, coca: &Coca, picture: &str, states: Tensor<3>) {
    let ids = numbers(&with.golden.json["captions"][picture]["read"]);
    let key = format!("logits/{picture}");
    let on_device = |ids: &[u32]| token_ids(&[ids.to_vec()], &states.device());
    let whole = coca.writer(states.clone()).all_logits(on_device(&ids));
    with.logits(&key, whole).await;
    let mut writer = coca.writer(states.clone());
    let steps = ids.iter().map(|id| writer.next_logits(on_device(&[*id])));
    let steps: Vec<Tensor<2>> = steps.collect();
    with.logits(&key, Tensor::cat(steps, 0)).await;
    let maps = coca.writer(states.clone()).attention(&ids); // [1, tokens, 1 + patches]
    let patches = maps.dims()[2] - 1;
    with.states(&format!("attention/{picture}"), maps.narrow(2, 1, patches))
        .await;
}

async fn compare_captions(with: &Comparison<'_>, picture: &str) -> Result<()> {
    let image = decode_picture(picture);
    let cases = with.golden.json["captions"][picture].as_object();
    let cases = cases.expect("captions").iter();
    for (case, expected) in cases.filter(|(_, value)| value.get("ids").is_some()) {
        assert_eq!(
            expected["stable"], true,
            "{picture} {case} hangs on rounding"
        );
        let options = options(&with.golden.json["options"][case]);
        let found = with
            .model
            .caption(&image, "", &options, async |_, _| Ok(()));
        let found = found.await?;
        let place = format!("{picture} {case}");
        with.equal("captions", &place, found.tokens, numbers(&expected["ids"]));
        let text = expected["text"].as_str().expect("a text");
        with.equal("caption texts", &place, found.text.as_str(), text);
    }
    Ok(())
}

/// What open_clip's `generate` was given, beside its defaults.
fn options(given: &Value) -> GenerationOptions {
    let none = GenerationSettings::default();
    let mut options = none.of(Rules::OpenClip, &none);
    let given = given.as_object().expect("options");
    for (name, value) in given {
        let count = || value.as_u64().expect("a whole number") as usize;
        let number = || value.as_f64().expect("a number") as f32;
        match name.as_str() {
            "generation_type" => {
                options.num_beams = 1;
                options.num_beam_groups = 1;
                if value == "top_p" {
                    (options.do_sample, options.top_k) = (true, 0);
                }
            }
            "top_k" => assert_eq!(count(), 1, "one is greedy"),
            "top_p" => options.top_p = number(),
            "seq_len" => options.max_length = Some(count()),
            "min_seq_len" => options.min_length = count(),
            "num_beams" => options.num_beams = count(),
            "num_beam_groups" => options.num_beam_groups = count(),
            "repetition_penalty" => options.repetition_penalty = number(),
            other => panic!("option {other} is not handled"),
        }
    }
    options
}
