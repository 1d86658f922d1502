//! Texts that a BLIP writes, and answers that it ranks.

use super::comparison::Comparison;
use super::golden::numbers;
use obscura::Result;
use obscura::generate::{EarlyStopping, GenerationOptions};
use obscura::image::RgbImage;
use obscura::tasks::{CANDIDATES, Caption};
use serde_json::Value;

/// Compares every recorded text among `cases` with what `write` makes of its prompt and options.
pub async fn compare_generated(
    with: &Comparison<'_>,
    stage: &str,
    place: &str,
    cases: &Value,
    write: impl AsyncFn(&str, &GenerationOptions) -> Result<Caption>,
) -> Result<()> {
    for (case, prompt, expected) in generated_cases(cases) {
        let options = options(&with.golden.json["options"], case);
        let found = write(prompt, &options).await?;
        let place = format!("{place} {case} {prompt}");
        with.equal(stage, &place, found.tokens, numbers(&expected["ids"]));
        let text = expected["text"].as_str().expect("a text");
        with.equal(stage, &place, found.text.as_str(), text);
        compare_alternatives(
            with,
            stage,
            &place,
            &found.alternatives,
            &expected["others"],
        );
        // With processors on, the reference's greedy score is of processed values, ours the model's.
        if options.num_beams > 1 || case == "greedy" {
            with.score("scores", &place, found.score, &expected["score"]);
        }
    }
    Ok(())
}

/// Compares the other texts of a beam search, and their scores.
fn compare_alternatives(
    with: &Comparison<'_>,
    stage: &str,
    place: &str,
    found: &[Caption],
    expected: &Value,
) {
    let expected = expected.as_array().map_or(&[][..], Vec::as_slice);
    let ids: Vec<Vec<u32>> = expected.iter().map(|one| numbers(&one["ids"])).collect();
    let found_ids: Vec<Vec<u32>> = found.iter().map(|one| one.tokens.clone()).collect();
    with.equal(stage, &format!("{place}, the others"), found_ids, ids);
    for (found, expected) in found.iter().zip(expected) {
        with.score("scores", place, found.score, &expected["score"]);
    }
}

/// Compares the likelihoods of given answers, and their order.
pub async fn compare_ranking(
    with: &Comparison<'_>,
    images: &[RgbImage],
    question: &str,
    place: &str,
    expected: &Value,
) -> Result<()> {
    let expected = expected.as_array().expect("a ranking");
    let answers: Vec<String> = expected
        .iter()
        .map(|row| row["answer"].as_str().expect("an answer").to_string())
        .collect();
    let ranking = with
        .model
        .rank_answers(images, question, &answers, CANDIDATES);
    let ranked = ranking.await?;
    assert!(ranked.is_sorted_by(|a, b| a.score >= b.score), "best first");
    for row in expected {
        let found = ranked.iter().find(|found| found.text == row["answer"]);
        let found = found.expect("every answer");
        let place = format!("{place} {}", found.text);
        with.likelihood("ranking", &place, found.score, &row["log_likelihood"]);
    }
    Ok(())
}

/// The paper's protocol with fewer candidates than answers: those whose first token is most likely by
/// the reference's `logits` after [DEC], in the order of the reference's likelihoods.
pub async fn compare_candidates(
    with: &Comparison<'_>,
    images: &[RgbImage],
    question: &str,
    place: &str,
    ranking: &Value,
    logits: &[f32],
) -> Result<()> {
    let rows = ranking.as_array().expect("a ranking");
    let text = |row: &Value| row["answer"].as_str().expect("an answer").to_string();
    let first = |row: &Value| logits[row["ids"][1].as_u64().expect("an id") as usize];
    let likelihood = |row: &Value| row["log_likelihood"].as_f64().expect("a number");
    let answers: Vec<String> = rows.iter().map(text).collect();
    for candidates in 1..=rows.len() {
        let mut chosen: Vec<&Value> = rows.iter().collect();
        chosen.sort_by(|a, b| first(b).total_cmp(&first(a)));
        chosen.truncate(candidates);
        chosen.sort_by(|a, b| likelihood(b).total_cmp(&likelihood(a)));
        let expected: Vec<String> = chosen.into_iter().map(text).collect();
        let ranking = with
            .model
            .rank_answers(images, question, &answers, candidates);
        let found: Vec<String> = ranking.await?.into_iter().map(|one| one.text).collect();
        let place = format!("{place}, {candidates} candidates");
        with.equal("candidates", &place, found, expected);
    }
    Ok(())
}

/// The recorded texts among the entries of a picture: case, prompt, what the reference wrote.
fn generated_cases(cases: &Value) -> Vec<(&str, &str, &Value)> {
    let mut found = written(cases, "");
    for prompted in cases["prompted"].as_array().into_iter().flatten() {
        found.extend(written(
            prompted,
            prompted["prompt"].as_str().expect("a prompt"),
        ));
    }
    assert!(!found.is_empty(), "no recorded texts");
    found
}

fn written<'a>(cases: &'a Value, prompt: &'a str) -> Vec<(&'a str, &'a str, &'a Value)> {
    let entries = cases.as_object().expect("cases").iter();
    entries
        .filter(|(_, value)| value.get("ids").is_some())
        .map(|(case, value)| (case.as_str(), prompt, value))
        .collect()
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
        "no_repeat_ngram_size",
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
        no_repeat_ngram_size: number("no_repeat_ngram_size").map_or(0, |n| n as usize),
        early_stopping: match given.get("early_stopping") {
            Some(Value::Bool(true)) => EarlyStopping::Always,
            Some(Value::String(never)) if never == "never" => EarlyStopping::Never,
            _ => EarlyStopping::Heuristic,
        },
        ..default
    }
}
