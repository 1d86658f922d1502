//! Training, measuring and filtering, on a handful of pictures.

use super::{Run, Scratch, obscura, picture};
use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use std::fs;

const COLOURS: [(&str, [u8; 3]); 3] = [
    ("red", [230, 20, 20]),
    ("green", [20, 200, 20]),
    ("blue", [20, 20, 230]),
];

/// Three pictures of one colour, with captions and questions.
fn data(scratch: &Scratch) -> String {
    let folder = scratch.path("data");
    fs::create_dir_all(&folder).unwrap();
    let (mut captions, mut questions) = (String::new(), String::new());
    for (name, colour) in COLOURS {
        let image = RgbImage::from_pixel(16, 16, Rgb(colour));
        image.save(format!("{folder}/{name}.png")).unwrap();
        let file = format!("{name}.png");
        let caption = json!({ "image": file, "captions": [format!("a {name} picture")] });
        captions.push_str(&format!("{caption}\n"));
        let question = json!({ "image": file, "question": "which colour is it?", "answer": name });
        questions.push_str(&format!("{question}\n"));
    }
    fs::write(format!("{folder}/captions.jsonl"), captions).unwrap();
    fs::write(format!("{folder}/questions.jsonl"), questions).unwrap();
    folder
}

/// A run of a tiny model.
fn train(folder: &str, data: &str, more: &[&str]) -> Run {
    let sizes = [
        "--image-size",
        "16",
        "--patch-size",
        "8",
        "--width",
        "32",
        "--vision-depth",
        "2",
        "--text-depth",
        "2",
        "--vocabulary",
        "80",
        "--batch",
        "6",
        "--queue",
        "12",
        "--warm-up",
        "5",
        "--rate",
        "3e-3",
    ];
    obscura([&["train", folder, "--data", data][..], &sizes, more].concat())
}

#[test]
fn a_model_is_trained_measured_and_used_to_filter() {
    let scratch = Scratch::new("train");
    let (data, run) = (data(&scratch), scratch.path("run"));
    let trained = train(&run, &data, &["--steps", "60", "--save-every", "40"]);
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    for file in ["checkpoint.gguf", "model.gguf", "metrics.csv", "loss.svg"] {
        assert!(
            fs::metadata(format!("{run}/{file}")).is_ok(),
            "{file} is missing"
        );
    }
    let rows = fs::read_to_string(format!("{run}/metrics.csv")).unwrap();
    assert_eq!(rows.lines().count(), 61, "a header and a row a step");

    let again = train(&run, &data, &["--steps", "60"]);
    again.fails(1, &["--resume"]);
    let resumed = train(&run, &data, &["--resume", "--steps", "90"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let rows = fs::read_to_string(format!("{run}/metrics.csv")).unwrap();
    assert_eq!(rows.lines().count(), 91);

    let model = format!("{run}/model.gguf");
    let finer = train(
        &scratch.path("finer"),
        &data,
        &["--from", &model, "--steps", "20"],
    );
    assert_eq!(finer.code, 0, "{}", finer.stderr);

    let small = scratch.path("small.gguf");
    obscura(["convert", &model, &small, "--dtype", "q8"]).lines();
    for model in [&model, &small] {
        let measured = obscura(["eval", model, &data, "--json"]).object();
        assert_eq!(measured["captions"]["count"], 3);
        let bleu = measured["captions"]["bleu_4"].as_f64().unwrap();
        assert!(bleu <= 1.0, "{measured}");
        assert_eq!(measured["answers"]["count"], 3);
        assert!(
            measured["retrieval"]["image_to_text"][2] == 1.0,
            "{measured}"
        );
        assert_eq!(measured["scenes"], Value::Null);
    }

    let kept = scratch.path("kept.jsonl");
    let filtered = obscura(["filter", &model, &data, &kept, "--threshold", "0"]);
    filtered.fails(0, &["kept 3 of 3 given and 3 of 3 written texts"]);
    let lines = fs::read_to_string(&kept).unwrap();
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["captions"].as_array().unwrap().len(), 2, "{first}");
    assert_eq!(first["judged"][1]["generated"], true);
}

#[test]
fn training_refuses_what_it_cannot_use() {
    let scratch = Scratch::new("train-refuses");
    let (data, run) = (data(&scratch), scratch.path("run"));
    obscura(["train", &run]).fails(2, &["--scenes", "--data"]);
    train(&run, &data, &["--objectives", "fame"]).fails(2, &["fame", "itc, itm, lm, vqa"]);
    obscura(["train", &run, "--data", &data, "--width", "100"]).fails(2, &["--width", "32"]);
    obscura(["train", &run, "--data", &data, "--batch", "0"]).fails(2, &["--batch"]);
    obscura(["train", &run, "--data", &data, "--mix", "1,2"]).fails(2, &["--mix", "5"]);
    obscura(["train", &run, "--data", &scratch.path("nowhere")]).fails(1, &["nowhere"]);
    obscura(["train", &run, "--scenes", &scratch.path("nowhere")]).fails(1, &["nowhere"]);
    obscura(["train", &run, "--data", &data, "--from", "no.gguf"]).fails(1, &["no.gguf"]);
    obscura(["eval", "no.gguf", &data]).fails(1, &["no.gguf"]);
    obscura(["eval", &run, &scratch.path("nowhere")]).fails(1, &["nowhere"]);
}

#[test]
fn grey_of_16_bits_is_trained_and_measured_with_as_it_is_shown() {
    let scratch = Scratch::new("train-grey16");
    let data = data(&scratch);
    for (name, _) in COLOURS {
        fs::copy(picture("grey16.png"), format!("{data}/{name}.png")).unwrap();
    }
    let first_loss = |name: &str, more: &[&str], is_noted: bool| {
        let run = scratch.path(name);
        let trained = train(&run, &data, &[&["--steps", "1"], more].concat());
        assert_eq!(trained.code, 0, "{}", trained.stderr);
        let measured = obscura([&["eval", &format!("{run}/model.gguf"), &data], more].concat());
        assert_eq!(measured.code, 0, "{}", measured.stderr);
        for said in [trained.stderr, measured.stderr] {
            assert_eq!(said.contains("--grey16 scale"), is_noted, "{said}");
        }
        let rows = fs::read_to_string(format!("{run}/metrics.csv")).unwrap();
        let mut rows = rows.lines().map(|row| row.split(',').collect::<Vec<_>>());
        let (names, values) = (rows.next().unwrap(), rows.next().unwrap());
        let total = names.iter().position(|name| *name == "total").unwrap();
        values[total].to_string()
    };
    let unsaid = first_loss("unsaid", &[], true);
    assert_eq!(first_loss("clip", &["--grey16", "clip"], false), unsaid);
    assert_ne!(first_loss("scale", &["--grey16", "scale"], false), unsaid);
}
