//! `obscura eval` on VQA v2's two files.

use super::{Scratch, assert_near, expected, model, obscura, picture};
use serde_json::{Value, json};
use std::fs;

/// Two pictures under COCO's names, a question about each, and the answers that ten people gave.
struct Data {
    questions: String,
    annotations: String,
    images: String,
}

/// `answers`: for each question the answer that some people gave, and how many.
fn data(scratch: &Scratch, questions: &[(&str, &str)], answers: &[(&str, usize)]) -> Data {
    let images = scratch.path("val2014");
    fs::create_dir_all(&images).unwrap();
    let (mut asked, mut given) = (Vec::new(), Vec::new());
    for (place, ((name, question), (answer, people))) in questions.iter().zip(answers).enumerate() {
        let id = 42 + place as u64;
        let file = format!("{images}/COCO_val2014_{id:012}.jpg");
        fs::copy(picture(name), file).unwrap();
        asked.push(json!({ "image_id": id, "question": question, "question_id": 10 * id }));
        let answers: Vec<Value> = (0..10)
            .map(|person| match person < *people {
                true => {
                    json!({ "answer": answer, "answer_confidence": "yes", "answer_id": person + 1 })
                }
                false => {
                    json!({ "answer": "", "answer_confidence": "no", "answer_id": person + 1 })
                }
            })
            .collect();
        given.push(json!({
            "question_type": "what", "multiple_choice_answer": answer, "answers": answers,
            "image_id": id, "answer_type": if place == 0 { "other" } else { "yes/no" },
            "question_id": 10 * id,
        }));
    }
    given.reverse(); // they belong together by their ids, not their order
    let write = |name: &str, value: Value| {
        let path = scratch.path(name);
        fs::write(&path, value.to_string()).unwrap();
        path
    };
    Data {
        questions: write(
            "questions.json",
            json!({
                "info": {}, "task_type": "Open-Ended", "data_type": "mscoco",
                "data_subtype": "val2014", "license": {}, "questions": asked,
            }),
        ),
        annotations: write(
            "annotations.json",
            json!({
                "info": {}, "data_subtype": "val2014", "annotations": given,
            }),
        ),
        images,
    }
}

fn measure(data: &Data, more: &[&str]) -> super::Run {
    let vqa = model("blip-vqa");
    let words = [
        "eval",
        &vqa,
        &data.questions,
        "--annotations",
        &data.annotations,
        "--images",
        &data.images,
        "--dtype",
        "f32",
        "--json",
    ];
    obscura([&words[..], more].concat())
}

const ASKED: [(&str, &str); 2] = [
    ("landscape.png", "what color is the sun?"),
    ("portrait.png", "Is it night?"),
];

/// The answer that the reference's likelihoods choose among those recorded.
fn ranked(name: &str, question: &str) -> String {
    let cases = &expected("blip-vqa")["answers"][name][question]["ranking"];
    let rows = cases.as_array().expect("a ranking").iter();
    let best = rows.max_by(|a, b| {
        let likelihood = |row: &Value| super::number(&row["log_likelihood"]);
        likelihood(a).total_cmp(&likelihood(b))
    });
    best.expect("an answer")["answer"]
        .as_str()
        .unwrap()
        .to_string()
}

#[test]
fn accuracy_is_the_challenges_overall_and_by_type_of_answer() {
    let scratch = Scratch::new("vqa");
    let (first, second) = (ranked("landscape.png", "0"), ranked("portrait.png", "2"));
    let answers = scratch.path("answers.json");
    fs::write(&answers, expected("blip-vqa")["candidates"].to_string()).unwrap();
    let data = data(
        &scratch,
        &ASKED,
        &[(first.as_str(), 10), (second.as_str(), 2)],
    );
    let scores = measure(&data, &["--answers", &answers]).object()["answers"].clone();
    // Two of ten: leaving out one of the two leaves one, which is worth a third, else two thirds.
    let partial = (2.0 / 3.0 * 8.0 + 1.0 / 3.0 * 2.0) / 10.0;
    assert_eq!(scores["count"], 2);
    assert_near(&scores["by_kind"]["other"], &json!(1.0), 1e-9);
    assert_near(&scores["by_kind"]["yes/no"], &json!(partial), 1e-9);
    assert_near(&scores["accuracy"], &json!((1.0 + partial) / 2.0), 1e-9);
}

#[test]
fn without_given_answers_they_are_written() {
    let scratch = Scratch::new("vqa-written");
    let words = ["answer", &model("blip-vqa"), &picture("landscape.png")];
    let options = [
        "--question",
        ASKED[0].1,
        "--max-new-tokens",
        "10",
        "--dtype",
        "f32",
    ];
    let own = obscura([&words[..], &options].concat()).lines()[0].to_string();
    let data = data(
        &scratch,
        &ASKED,
        &[(own.as_str(), 10), ("nothing of the kind", 10)],
    );
    let scores = measure(&data, &[]).object()["answers"].clone();
    assert_near(&scores["accuracy"], &json!(0.5), 1e-9);
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let scratch = Scratch::new("vqa-refused");
    let mut data = data(&scratch, &ASKED, &[("a", 10), ("b", 10)]);
    obscura(["eval", &model("blip-vqa"), &data.questions]).fails(1, &["--annotations"]);
    let images = std::mem::replace(&mut data.images, scratch.path("elsewhere"));
    measure(&data, &[]).fails(
        1,
        &["questions[0]", "COCO_val2014_000000000042.jpg", "elsewhere"],
    );
    data.images = images;
    std::mem::swap(&mut data.questions, &mut data.annotations);
    measure(&data, &[]).fails(1, &["VQA v2's format", "questions"]);
    std::mem::swap(&mut data.questions, &mut data.annotations);
    fs::write(&data.annotations, r#"{"annotations": []}"#).unwrap();
    measure(&data, &[]).fails(1, &["question 420", "annotation"]);
    let lines = scratch.path("none.txt");
    fs::write(&lines, "\n").unwrap();
    measure(&data, &["--answers", &lines]).fails(1, &["none.txt", "no answers"]);
}
