//! Every stage of BLIP's three classes.

use super::clip::compare_pixels;
use super::comparison::Comparison;
use super::generated::{compare_candidates, compare_generated, compare_ranking};
use super::golden::{decode_picture, is_lossy, numbers, strings, to_vec};
use burn::tensor::Tensor;
use obscura::Result;
use obscura::models::{Blip, normalize};
use obscura::tasks::{Model, Network};

pub fn network(model: &Model) -> &Blip {
    match model.network() {
        Network::Blip(blip) => blip,
        _ => panic!("not a BLIP"),
    }
}

/// Conditional generation: pixels, vision, logits, every recorded way of generating.
pub async fn compare_captions(with: &Comparison<'_>) -> Result<()> {
    let blip = network(with.model);
    for picture in with.golden.names("pictures") {
        compare_pixels(with, &picture).await;
        let pixels = with.reference_pixels(&picture);
        let patches = blip.vision().embed(pixels.clone());
        with.states(&format!("patches/{picture}"), patches).await;
        let states = blip.encode_image(pixels);
        with.states(&format!("vision/{picture}"), states.clone())
            .await;
        let cases = &with.golden.json["captions"][&picture];
        let key = format!("logits/{picture}");
        if with.golden.has(&key) {
            let logits = teacher_forced(blip, &numbers(&cases["greedy"]["ids"]), states)?;
            with.logits(&key, logits).await;
        }
        if is_lossy(&picture) {
            continue;
        }
        let image = decode_picture(&picture);
        compare_generated(
            with,
            "captions",
            &picture,
            cases,
            async |prompt, options| {
                let streamed = async |_: &str, _| Ok(());
                with.model.caption(&image, prompt, options, streamed).await
            },
        )
        .await?;
    }
    compare_interpolation(with).await;
    Ok(())
}

/// Logits after each of the tokens that the reference wrote: `[1, tokens, vocabulary]`.
pub fn teacher_forced(blip: &Blip, ids: &[u32], states: Tensor<3>) -> Result<Tensor<3>> {
    let decoder = blip.text_decoder()?;
    Ok(decoder.all_logits(&[ids.to_vec()], &decoder.context(states)))
}

/// Image-text retrieval: the shared space, the image-grounded encoder, the matching head.
pub async fn compare_retrieval(with: &Comparison<'_>) -> Result<()> {
    let blip = network(with.model);
    let (texts, ids) = (with.golden.names("texts"), with.golden.ids("text_ids"));
    for (index, (text, ids)) in texts.iter().zip(&ids).enumerate() {
        with.equal("text ids", text, &with.model.text_ids(text)?, ids);
        let batch = [ids.clone()];
        let hidden = blip.encode_text_tokens(&batch)?;
        with.states(&format!("text_hidden/{index}"), hidden).await;
        let embeds = normalize(blip.encode_text(&batch)?);
        with.direction(&format!("text_embeds/{index}"), embeds)
            .await;
    }
    for picture in with.golden.names("pictures") {
        let states = blip.encode_image(with.model.pixels(&decode_picture(&picture)));
        with.states(&format!("vision/{picture}"), states.clone())
            .await;
        let embeds = normalize(blip.project_image(states.clone())?);
        with.direction(&format!("image_embeds/{picture}"), embeds)
            .await;
        let grounding = blip.grounding(states)?;
        let mut logits = Vec::new();
        for (index, ids) in ids.iter().enumerate() {
            let hidden = blip.ground_text(std::slice::from_ref(ids), &grounding)?;
            let key = format!("itm_hidden/{picture}/{index}");
            if with.golden.has(&key) {
                with.states(&key, hidden.clone()).await;
            }
            logits.extend(to_vec(blip.matching_logits(hidden)?).await);
        }
        with.logits_vec(&format!("itm_logits/{picture}"), &logits);
        compare_matches(with, &picture, &texts).await?;
    }
    Ok(())
}

/// The probabilities and similarities that a user gets.
async fn compare_matches(with: &Comparison<'_>, picture: &str, texts: &[String]) -> Result<()> {
    let image = decode_picture(picture);
    let matches = with.model.match_texts(&image, texts).await?;
    assert_eq!(matches.len(), texts.len(), "one match for each text");
    let expected = &with.golden.json["probabilities"][picture];
    let similarities = with.golden.values(&format!("itc/{picture}"));
    for (index, found) in matches.iter().enumerate() {
        let place = format!("{picture} {}", found.text);
        let probability = found.probability.expect("BLIP matches");
        with.score("probabilities", &place, probability, &expected[index]);
        let similarity = similarities[index].into();
        with.score("similarities", &place, found.similarity, &similarity);
    }
    compare_second_look(with, picture, texts).await
}

/// The score of the paper's second look: the matching logit plus the cosine. Every text is there
/// twice, so that several go through the network together.
async fn compare_second_look(with: &Comparison<'_>, picture: &str, texts: &[String]) -> Result<()> {
    let image = decode_picture(picture);
    let ranked = with
        .model
        .rank_texts(&image, &[texts, texts].concat())
        .await?;
    assert_eq!(ranked.len(), 2 * texts.len(), "one score for each text");
    let logits = with.golden.values(&format!("itm_logits/{picture}")); // [texts, 2]
    let similarities = with.golden.values(&format!("itc/{picture}"));
    let probabilities = &with.golden.json["probabilities"][picture];
    for (index, found) in ranked.iter().enumerate() {
        let text = index % texts.len();
        assert_eq!(found.text, texts[text]);
        let place = format!("{picture} {}", found.text);
        let expected = (logits[2 * text + 1] + similarities[text]).into();
        with.score("ranking scores", &place, found.score, &expected);
        let probability = found.probability.expect("BLIP matches");
        with.score(
            "ranking probabilities",
            &place,
            probability,
            &probabilities[text],
        );
    }
    Ok(())
}

/// Question answering: question states, logits, answers, ranking, several frames.
pub async fn compare_answers(with: &Comparison<'_>) -> Result<()> {
    let blip = network(with.model);
    let questions = with.golden.names("questions");
    let ids = with.golden.ids("question_ids");
    for picture in with.golden.names("pictures") {
        let image = decode_picture(&picture);
        let states = blip.encode_image(with.model.pixels(&image));
        with.states(&format!("vision/{picture}"), states.clone())
            .await;
        let grounding = blip.grounding(states)?;
        for (index, (question, ids)) in questions.iter().zip(&ids).enumerate() {
            with.equal("text ids", question, &with.model.text_ids(question)?, ids);
            let hidden = blip.ground_text(std::slice::from_ref(ids), &grounding)?;
            let key = format!("question_hidden/{picture}/{index}");
            if with.golden.has(&key) {
                with.states(&key, hidden.clone()).await;
            }
            let cases = &with.golden.json["answers"][&picture][index.to_string()];
            let key = format!("logits/{picture}/{index}");
            if with.golden.has(&key) {
                let ids = numbers(&cases["greedy"]["ids"]);
                with.logits(&key, teacher_forced(blip, &ids, hidden)?).await;
            }
            let images = [image.clone()];
            let place = format!("{picture} {question}");
            compare_generated(with, "answers", &place, cases, async |_, options| {
                let streamed = async |_: &str, _| Ok(());
                with.model
                    .answer(&images, question, options, streamed)
                    .await
            })
            .await?;
            let ranking = &cases["ranking"];
            compare_ranking(with, &images, question, &place, ranking).await?;
            if with.golden.has(&key) {
                let logits = with.golden.values(&key); // [tokens, vocabulary]: the first row counts
                compare_candidates(with, &images, question, &place, ranking, logits).await?;
            }
        }
    }
    compare_frames(with).await
}

/// One question about several pictures in a row.
async fn compare_frames(with: &Comparison<'_>) -> Result<()> {
    let (blip, frames) = (network(with.model), &with.golden.json["frames"]);
    let images: Vec<_> = strings(&frames["pictures"])
        .iter()
        .map(|name| decode_picture(name))
        .collect();
    let states = images
        .iter()
        .map(|image| blip.encode_image(with.model.pixels(image)));
    let grounding = blip.grounding(Tensor::cat(states.collect(), 1))?;
    let index = frames["question"].as_u64().expect("an index") as usize;
    let ids = with.golden.ids("question_ids")[index].clone();
    let hidden = blip.ground_text(&[ids], &grounding)?;
    with.states("frames/question_hidden", hidden).await;
    let question = &with.golden.names("questions")[index];
    compare_generated(with, "answers", "frames", frames, async |_, options| {
        let streamed = async |_: &str, _| Ok(());
        with.model
            .answer(&images, question, options, streamed)
            .await
    })
    .await?;
    compare_ranking(with, &images, question, "frames", &frames["ranking"]).await
}

/// Pictures of another size than the checkpoint's.
async fn compare_interpolation(with: &Comparison<'_>) {
    let interpolated = &with.golden.json["interpolated"];
    let size = interpolated["size"].as_u64().expect("a size") as usize;
    for picture in strings(&interpolated["pictures"]) {
        let pixels = with.model.pixels_at(&decode_picture(&picture), size);
        with.pixels(&format!("interpolated/pixels/{picture}"), pixels.clone())
            .await;
        let states = network(with.model).encode_image(pixels);
        with.states(&format!("interpolated/vision/{picture}"), states)
            .await;
    }
}
