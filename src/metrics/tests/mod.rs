//! Metrics against the reference's values (tests/golden/metrics, made by
//! scripts/reference/metrics.py) and against cases small enough to do by hand.

mod files;

use super::recall::{Candidates, Ranks, recall_at};
use super::{Candidate, bleu, cider, classification::top_k_accuracy, tokens::tokenize, vqa};
use serde_json::Value;

const CAPTIONS: &str = include_str!("../../../tests/golden/metrics/captions.json");
const TOKENS: &str = include_str!("../../../tests/golden/metrics/tokens.json");
const ANSWERS: &str = include_str!("../../../tests/golden/metrics/answers.json");

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn texts(value: &Value) -> Vec<String> {
    let texts = list(value).iter();
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(|n| n.as_f64().unwrap()).collect()
}

fn assert_near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let allowed = 1e-9 * expected.abs() + 1e-15;
        assert!(
            (found - expected).abs() <= allowed,
            "{found}, expected {expected}"
        );
    }
}

/// The golden captions are tokens with spaces between them.
fn split(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn candidates(corpus: &Value) -> Vec<Candidate> {
    let entries = list(&corpus["captions"]).iter();
    entries
        .map(|entry| Candidate {
            caption: split(entry["caption"].as_str().unwrap()),
            references: texts(&entry["references"])
                .iter()
                .map(|text| split(text))
                .collect(),
        })
        .collect()
}

#[test]
fn bleu_is_the_references() {
    let corpora: Value = serde_json::from_str(CAPTIONS).unwrap();
    for corpus in list(&corpora) {
        assert_near(&bleu(&candidates(corpus)), &numbers(&corpus["bleu"]));
    }
}

#[test]
fn cider_is_the_references_for_the_corpus_and_for_each_caption() {
    let corpora: Value = serde_json::from_str(CAPTIONS).unwrap();
    for corpus in list(&corpora) {
        let found = cider(&candidates(corpus));
        assert_near(&[found.corpus], &[corpus["cider"].as_f64().unwrap()]);
        assert_near(&found.each, &numbers(&corpus["cider_each"]));
    }
}

#[test]
fn a_copied_caption_scores_highest() {
    let captions = [
        "a red cat on a mat",
        "two dogs run in the snow",
        "one bird in a tree",
    ];
    let copies: Vec<_> = captions
        .iter()
        .map(|text| Candidate::new(text, &[text]))
        .collect();
    assert_near(&cider(&copies).each, &[10.0, 10.0, 10.0]);
    assert!(bleu(&copies).iter().all(|score| (score - 1.0).abs() < 1e-6));
}

#[test]
fn no_captions_and_empty_captions_score_nothing() {
    assert_eq!(cider(&[]).corpus, 0.0);
    let empty = [
        Candidate::new("", &["a cat"]),
        Candidate::new("", &["a dog"]),
    ];
    assert!(
        bleu(&empty)
            .iter()
            .chain(&cider(&empty).each)
            .all(|score| score.abs() < 1e-6)
    );
}

#[test]
fn tokens_are_the_references() {
    let cases: Value = serde_json::from_str(TOKENS).unwrap();
    for case in list(&cases) {
        let text = case["text"].as_str().unwrap();
        assert_eq!(tokenize(text), texts(&case["tokens"]), "{text}");
    }
}

#[test]
fn any_text_becomes_tokens() {
    for text in [
        "", " ", "'", "''", "'n", "-", "-.", "5'", "a'", "'s's", "n't", "\u{301}", "🐱", "日本",
        "!\u{0}?",
    ] {
        assert!(
            tokenize(text).iter().all(|token| !token.is_empty()),
            "{text}"
        );
    }
}

#[test]
fn answers_are_normalised_as_the_official_evaluation_does() {
    let cases: Value = serde_json::from_str(ANSWERS).unwrap();
    for case in list(&cases["normalized"]) {
        let text = case["text"].as_str().unwrap();
        assert_eq!(
            vqa::normalize(text),
            case["normalized"].as_str().unwrap(),
            "{text}"
        );
    }
}

#[test]
fn ten_annotators_are_weighed_as_the_official_evaluation_does() {
    let cases: Value = serde_json::from_str(ANSWERS).unwrap();
    for case in list(&cases["judged"]) {
        let found = vqa::accuracy(case["answer"].as_str().unwrap(), &texts(&case["given"]));
        let expected = case["accuracy"].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-12, "{found}, expected {case}");
    }
}

#[test]
fn two_of_ten_annotators_are_worth_six_tenths() {
    let mut given = vec!["blue".to_owned(); 8];
    given.extend(["red".to_owned(), "RED".to_owned()]);
    // Left out is one of the two, and one is left: 1/3, twice. Or another: 2/3, eight times.
    assert!((vqa::accuracy("red", &given) - 0.6).abs() < 1e-12);
    assert_eq!(vqa::accuracy("blue.", &given), 1.0);
    assert_eq!(vqa::accuracy("green", &given), 0.0);
}

#[test]
fn fewer_given_answers_are_alternatives() {
    let given = ["a sofa".to_owned(), "Couch".to_owned()];
    assert_eq!(vqa::accuracy("couch", &given), 1.0);
    assert_eq!(vqa::accuracy("the sofa!", &given), 1.0);
    assert_eq!(vqa::accuracy("chair", &given), 0.0);
    assert_eq!(vqa::accuracy("chair", &[]), 0.0);
    assert!(vqa::exact_match("Two", "2") && !vqa::exact_match("two", "3"));
}

#[test]
fn ranks_count_what_comes_before_the_first_right_one() {
    // Texts 0 and 1 belong to picture 0, text 2 to picture 2; picture 1 has none.
    #[rustfmt::skip]
    let similarities = [
        0.1, 0.9, 0.8,
        0.2, 0.3, 0.4,
        0.7, 0.4, 0.5,
    ];
    let ranks = Ranks::of(&similarities, 3, &[0, 0, 2]);
    assert_eq!(ranks.image_to_text, [0, 1]);
    assert_eq!(ranks.text_to_image, [2, 0, 1]);
    assert_eq!(recall_at(&ranks.image_to_text, 1), 0.5);
    assert_eq!(recall_at(&ranks.text_to_image, 2), 2.0 / 3.0);
    assert_eq!(recall_at(&ranks.text_to_image, 3), 1.0);
    assert_eq!(recall_at(&[], 1), 0.0);
}

/// Worked out by hand, after `evaluation` and `itm_eval` of BLIP's `train_retrieval.py`.
#[test]
fn a_second_look_reorders_the_candidates_and_leaves_the_others_behind() {
    #[rustfmt::skip]
    let similarities = [
        0.9, 0.8, 0.1, 0.0,
        0.7, 0.6, 0.5, 0.4,
        0.1, 0.2, 0.8, 0.3,
    ];
    let owners = [0, 1, 2, 2];
    let candidates = Candidates::of(&similarities, 3, 4, 2);
    let sorted = |lists: &[Vec<usize>]| {
        let sort = |list: &Vec<usize>| {
            let mut list = list.clone();
            list.sort_unstable();
            list
        };
        lists.iter().map(sort).collect::<Vec<_>>()
    };
    assert_eq!(
        sorted(&candidates.of_images),
        [vec![0, 1], vec![0, 1], vec![2, 3]]
    );
    assert_eq!(
        sorted(&candidates.of_texts),
        [vec![0, 1], vec![0, 1], vec![1, 2], vec![1, 2]]
    );
    let mut wanted = candidates.texts_of(1);
    wanted.sort_unstable();
    wanted.dedup();
    assert_eq!(wanted, [0, 1, 2, 3]);
    // The second look prefers text 1 for both first pictures, and picture 1 for texts 2 and 3.
    let second =
        |image: usize, text: usize| f32::from(u8::from(text == 1 || image == 1 && text > 1));
    let pairs = (0..3).flat_map(|image| (0..4).map(move |text| (image, text)));
    let scores = pairs.map(|(image, text)| {
        (
            (image, text),
            similarities[4 * image + text] + second(image, text),
        )
    });
    let ranks = Ranks::reranked(&similarities, 3, &owners, &candidates, &scores.collect());
    assert_eq!(ranks.image_to_text, [1, 0, 0]);
    assert_eq!(ranks.text_to_image, [0, 1, 1, 1]);
    let none = Candidates::of(&similarities, 3, 4, 0);
    let unchanged = Ranks::reranked(&similarities, 3, &owners, &none, &Default::default());
    assert_eq!(unchanged, Ranks::of(&similarities, 3, &owners));
}

#[test]
fn a_model_that_cannot_tell_things_apart_finds_nothing() {
    for score in [0.5, f32::NAN] {
        let ranks = Ranks::of(&[score; 9], 3, &[0, 1, 2]);
        assert_eq!(
            (ranks.image_to_text, ranks.text_to_image),
            (vec![2; 3], vec![2; 3])
        );
        assert_eq!(top_k_accuracy(&[score; 6], &[0, 2], 1), 0.0);
    }
}

#[test]
fn the_right_class_is_looked_for_among_the_first_k() {
    let scores = [0.1, 0.7, 0.2, 0.5, 0.4, 0.3];
    assert_eq!(top_k_accuracy(&scores, &[1, 2], 1), 0.5);
    assert_eq!(top_k_accuracy(&scores, &[2, 2], 2), 0.5);
    assert_eq!(top_k_accuracy(&scores, &[0, 2], 3), 1.0);
    assert_eq!(top_k_accuracy(&[], &[], 1), 0.0);
}
