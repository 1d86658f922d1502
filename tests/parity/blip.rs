//! Every stage of BLIP's three classes.

use super::clip::check_pixels;
use super::golden::{Golden, decode_picture, is_lossy, numbers, strings, to_vec};
use super::tolerance::{Tolerance, assert_same_direction};
use obscura::Result;
use obscura::generate::{EarlyStopping, GenerationOptions};
use obscura::models::{Blip, normalize};
use obscura::tasks::{Caption, Model, Network};
use serde_json::Value;

fn blip(model: &Model) -> &Blip {
    match model.network() {
        Network::Blip(blip) => blip,
        Network::Clip(_) => panic!("not a BLIP"),
    }
}

/// Conditional generation: pixels, vision, logits, every recorded way of generating.
pub async fn check_captions(golden: &Golden, model: &Model, tolerance: Tolerance) -> Result<()> {
    let blip = blip(model);
    for picture in golden.names("pictures") {
        check_pixels(golden, model, &picture).await;
        let pixels = golden.pixels(&format!("pixels/{picture}"), model.placement());
        let patches = blip.vision().embed(pixels.clone());
        golden
            .compare(&format!("patches/{picture}"), patches, tolerance.encoder)
            .await;
        let states = blip.encode_image(pixels);
        golden
            .compare(
                &format!("vision/{picture}"),
                states.clone(),
                tolerance.encoder,
            )
            .await;
        let cases = &golden.json["captions"][&picture];
        let key = format!("logits/{picture}");
        if golden.has(&key) {
            let ids = [numbers(&cases["greedy"]["ids"])];
            let decoder = blip.text_decoder()?;
            let logits = decoder.all_logits(&ids, &decoder.context(states));
            golden.compare(&key, logits, tolerance.logits).await;
        }
        if is_lossy(&picture) {
            continue;
        }
        let image = decode_picture(&picture);
        for (case, prompt, expected) in generated_cases(cases) {
            let options = options(&golden.json["options"], case);
            let found = model
                .caption(&image, prompt, &options, async |_, _| Ok(()))
                .await?;
            compare_text(
                &format!("{picture} {case}"),
                &found,
                expected,
                options.num_beams,
                tolerance,
            );
        }
    }
    check_interpolation(golden, model, tolerance).await;
    Ok(())
}

/// Image-text retrieval: the shared space, the image-grounded encoder, the matching head.
pub async fn check_retrieval(golden: &Golden, model: &Model, tolerance: Tolerance) -> Result<()> {
    let blip = blip(model);
    let (texts, ids) = (golden.names("texts"), golden.ids("text_ids"));
    for (index, (text, ids)) in texts.iter().zip(&ids).enumerate() {
        assert_eq!(model.text_ids(text)?, *ids, "ids of {text:?}");
        let batch = [ids.clone()];
        let hidden = blip.encode_text_tokens(&batch)?;
        golden
            .compare(&format!("text_hidden/{index}"), hidden, tolerance.encoder)
            .await;
        let embeds = to_vec(normalize(blip.encode_text(&batch)?)).await;
        let key = format!("text_embeds/{index}");
        assert_same_direction(&key, &embeds, golden.values(&key), tolerance.cosine);
    }
    for picture in golden.names("pictures") {
        let image = decode_picture(&picture);
        let states = blip.encode_image(model.pixels(&image));
        golden
            .compare(
                &format!("vision/{picture}"),
                states.clone(),
                tolerance.encoder,
            )
            .await;
        let embeds = to_vec(normalize(blip.project_image(states.clone())?)).await;
        let key = format!("image_embeds/{picture}");
        assert_same_direction(&key, &embeds, golden.values(&key), tolerance.cosine);
        let grounding = blip.grounding(states)?;
        let mut logits = Vec::new();
        for (index, ids) in ids.iter().enumerate() {
            let hidden = blip.ground_text(std::slice::from_ref(ids), &grounding)?;
            let key = format!("itm_hidden/{picture}/{index}");
            if golden.has(&key) {
                golden
                    .compare(&key, hidden.clone(), tolerance.encoder)
                    .await;
            }
            logits.extend(to_vec(blip.matching_logits(hidden)?).await);
        }
        let key = format!("itm_logits/{picture}");
        super::tolerance::assert_close(&key, &logits, golden.values(&key), tolerance.logits);
        let matches = model.match_texts(&image, &texts).await?;
        let expected = golden.json["probabilities"][&picture]
            .as_array()
            .expect("probabilities");
        let similarities = golden.values(&format!("itc/{picture}"));
        for ((found, expected), similarity) in matches.iter().zip(expected).zip(similarities) {
            let probability = found.probability.expect("BLIP matches");
            let expected = expected.as_f64().expect("a number") as f32;
            let what = format!("{picture} {}", found.text);
            assert!(
                (probability - expected).abs() <= tolerance.score,
                "{what}: {probability} for {expected}"
            );
            let off = (found.similarity - similarity).abs();
            assert!(
                off <= tolerance.score,
                "{what}: {} for {similarity}",
                found.similarity
            );
        }
    }
    Ok(())
}

/// Question answering: question states, logits, answers, ranking, several frames.
pub async fn check_answers(golden: &Golden, model: &Model, tolerance: Tolerance) -> Result<()> {
    let blip = blip(model);
    let (questions, ids) = (golden.names("questions"), golden.ids("question_ids"));
    for picture in golden.names("pictures") {
        let image = decode_picture(&picture);
        let states = blip.encode_image(model.pixels(&image));
        let grounding = blip.grounding(states)?;
        for (index, (question, ids)) in questions.iter().zip(&ids).enumerate() {
            assert_eq!(model.text_ids(question)?, *ids, "ids of {question:?}");
            let hidden = blip.ground_text(std::slice::from_ref(ids), &grounding)?;
            let key = format!("question_hidden/{picture}/{index}");
            if golden.has(&key) {
                golden
                    .compare(&key, hidden.clone(), tolerance.encoder)
                    .await;
            }
            let cases = &golden.json["answers"][&picture][index.to_string()];
            let key = format!("logits/{picture}/{index}");
            if golden.has(&key) {
                let ids = [numbers(&cases["greedy"]["ids"])];
                let decoder = blip.text_decoder()?;
                let logits = decoder.all_logits(&ids, &decoder.context(hidden));
                golden.compare(&key, logits, tolerance.logits).await;
            }
            let images = [image.clone()];
            for (case, _, expected) in generated_cases(cases) {
                let options = options(&golden.json["options"], case);
                let found = model
                    .answer(&images, question, &options, async |_, _| Ok(()))
                    .await?;
                compare_text(
                    &format!("{picture} {case}"),
                    &found,
                    expected,
                    options.num_beams,
                    tolerance,
                );
            }
            check_ranking(model, &images, question, &cases["ranking"], tolerance).await?;
        }
    }
    check_frames(golden, model, &questions, tolerance).await
}

async fn check_ranking(
    model: &Model,
    images: &[obscura::image::RgbImage],
    question: &str,
    expected: &Value,
    tolerance: Tolerance,
) -> Result<()> {
    let expected = expected.as_array().expect("a ranking");
    let answers: Vec<String> = expected
        .iter()
        .map(|row| row["answer"].as_str().expect("an answer").to_string())
        .collect();
    let ranked = model.rank_answers(images, question, &answers).await?;
    assert!(ranked.is_sorted_by(|a, b| a.score >= b.score), "best first");
    for row in expected {
        let found = ranked
            .iter()
            .find(|found| found.text == row["answer"])
            .expect("every answer");
        let likelihood = row["log_likelihood"].as_f64().expect("a number") as f32;
        let off = (found.score - likelihood).abs() / likelihood.abs();
        assert!(
            off <= tolerance.logits,
            "{}: {} for {likelihood}",
            found.text,
            found.score
        );
    }
    Ok(())
}

async fn check_frames(
    golden: &Golden,
    model: &Model,
    questions: &[String],
    tolerance: Tolerance,
) -> Result<()> {
    let frames = &golden.json["frames"];
    if frames.is_null() {
        return Ok(());
    }
    let images: Vec<_> = strings(&frames["pictures"])
        .iter()
        .map(|name| decode_picture(name))
        .collect();
    let question = &questions[frames["question"].as_u64().expect("an index") as usize];
    for (case, _, expected) in generated_cases(frames) {
        let options = options(&golden.json["options"], case);
        let found = model
            .answer(&images, question, &options, async |_, _| Ok(()))
            .await?;
        compare_text(
            &format!("frames {case}"),
            &found,
            expected,
            options.num_beams,
            tolerance,
        );
    }
    Ok(())
}

async fn check_interpolation(golden: &Golden, model: &Model, tolerance: Tolerance) {
    if golden.json["interpolated"].is_null() {
        return;
    }
    let size = golden.json["interpolated"]["size"]
        .as_u64()
        .expect("a size") as usize;
    for picture in strings(&golden.json["interpolated"]["pictures"]) {
        let pixels = model.pixels_at(&decode_picture(&picture), size);
        let key = format!("interpolated/pixels/{picture}");
        golden.compare(&key, pixels.clone(), 1e-6).await;
        let states = blip(model).encode_image(pixels);
        golden
            .compare(
                &format!("interpolated/vision/{picture}"),
                states,
                tolerance.encoder,
            )
            .await;
    }
}

/// The recorded texts among the entries of a picture: case, prompt, what the reference wrote.
fn generated_cases(cases: &Value) -> Vec<(&str, &str, &Value)> {
    let written = |(case, value)| {
        Some((case, value)).filter(|(_, value): &(_, &Value)| value.get("ids").is_some())
    };
    let mut found = Vec::new();
    for (case, text) in cases.as_object().expect("cases").iter().filter_map(written) {
        found.push((case.as_str(), "", text));
    }
    for prompted in cases["prompted"].as_array().into_iter().flatten() {
        let prompt = prompted["prompt"].as_str().expect("a prompt");
        for (case, text) in prompted
            .as_object()
            .expect("cases")
            .iter()
            .filter_map(written)
        {
            found.push((case.as_str(), prompt, text));
        }
    }
    assert!(!found.is_empty(), "no recorded texts");
    found
}

fn options(all: &Value, case: &str) -> GenerationOptions {
    let default = GenerationOptions::default();
    let Some(given) = all[case].as_object() else {
        panic!("no options for {case}")
    };
    let known = [
        "num_beams",
        "length_penalty",
        "early_stopping",
        "min_length",
        "repetition_penalty",
        "max_new_tokens",
    ];
    for name in given.keys() {
        assert!(
            known.contains(&name.as_str()),
            "option {name} of {case} is not handled"
        );
    }
    let number = |name: &str| given.get(name).and_then(Value::as_f64);
    GenerationOptions {
        num_beams: number("num_beams").map_or(1, |n| n as usize),
        length_penalty: number("length_penalty").map_or(1.0, |n| n as f32),
        min_length: number("min_length").map_or(0, |n| n as usize),
        max_new_tokens: number("max_new_tokens").map_or(default.max_new_tokens, |n| n as usize),
        repetition_penalty: number("repetition_penalty").map_or(1.0, |n| n as f32),
        early_stopping: match given.get("early_stopping") {
            Some(Value::Bool(true)) => EarlyStopping::Always,
            Some(Value::String(never)) if never == "never" => EarlyStopping::Never,
            _ => EarlyStopping::Heuristic,
        },
        ..default
    }
}

#[track_caller]
fn compare_text(what: &str, found: &Caption, expected: &Value, beams: usize, tolerance: Tolerance) {
    assert_eq!(found.tokens, numbers(&expected["ids"]), "{what}: ids");
    assert_eq!(
        found.text,
        expected["text"].as_str().expect("a text"),
        "{what}: text"
    );
    let score = expected["score"].as_f64().expect("a score") as f32;
    // With processors on, the reference's greedy score is of processed values, ours is the model's.
    if beams > 1 || what.ends_with(" greedy") {
        assert!(
            (found.score - score).abs() <= tolerance.score,
            "{what}: {} for {score}",
            found.score
        );
    }
}
