//! `convert` and `inspect`, and the many ways in which a checkpoint's files come.

use super::{Scratch, exact, expected, keys, model, numbers, obscura, picture, under_tests};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn convert(from: &str, to: &str, dtype: &str) -> Value {
    obscura(["convert", from, to, "--dtype", dtype, "--json"]).object()
}

/// Every task that `blip-all` has, as one text.
fn every_task(model: &str) -> String {
    let picture = picture("portrait.png");
    let commands: [&[&str]; 7] = [
        &["caption", model, &picture],
        &[
            "caption",
            model,
            &picture,
            "--beams",
            "3",
            "--prompt",
            "a picture of",
        ],
        &["classify", model, &picture, "--labels", "a cat,a dog"],
        &["embed", model, &picture],
        &["embed", model, "--text", "a cat"],
        &["match", model, &picture, "a cat", "a dog"],
        &["answer", model, &picture, "--question", "what is it?"],
    ];
    commands
        .map(|words| exact(words).lines().join("\n"))
        .join("\n")
}

fn caption_tokens(model: &str) -> Value {
    exact(&["caption", model, &picture("landscape.png")]).object()["tokens"].clone()
}

fn reference_tokens(name: &str) -> Value {
    expected(name)["captions"]["landscape.png"]["greedy"]["ids"].clone()
}

#[test]
fn a_converted_file_does_every_task_like_the_folder() {
    let scratch = Scratch::new("same");
    let gguf = scratch.path("blip.gguf");
    convert(&model("blip-all"), &gguf, "f32");
    assert_eq!(every_task(&gguf), every_task(&model("blip-all")));
    let again = scratch.path("again.gguf");
    convert(&gguf, &again, "f32");
    assert!(
        fs::read(&gguf).unwrap() == fs::read(&again).unwrap(),
        "converting twice changes the file"
    );
}

#[test]
fn a_converted_clip_gives_the_same_vectors() {
    let scratch = Scratch::new("clip");
    let gguf = scratch.path("clip.gguf");
    for name in ["clip-quick", "clip-gelu"] {
        convert(&model(name), &gguf, "f32");
        let embed = |model: &str| exact(&["embed", model, &picture("large.png")]).stdout;
        assert_eq!(embed(&gguf), embed(&model(name)));
    }
}

#[test]
fn smaller_formats_make_smaller_files_that_stay_close() {
    let scratch = Scratch::new("formats");
    let embed = |model: &str| {
        numbers(&obscura(["embed", model, &picture("large.png"), "--json"]).object()["embedding"])
    };
    let original = numbers(
        &exact(&["embed", &model("clip-quick"), &picture("large.png")]).object()["embedding"],
    );
    let mut sizes = Vec::new();
    for (dtype, format, closest) in [
        ("f32", "F32", 0.999999),
        ("f16", "F16", 0.99999),
        ("q8", "Q8_0", 0.999),
        ("q4", "Q4_0", 0.9),
    ] {
        let gguf = scratch.path(&format!("{dtype}.gguf"));
        let written = convert(&model("clip-quick"), &gguf, dtype);
        assert_eq!(keys(&written), ["bytes", "formats", "output", "tensors"]);
        assert_eq!(written["output"], json!(gguf));
        assert_eq!(written["bytes"], json!(fs::metadata(&gguf).unwrap().len()));
        assert!(
            written["formats"][format]
                .as_u64()
                .is_some_and(|count| count > 0),
            "{written}"
        );
        let cosine: f64 = embed(&gguf).iter().zip(&original).map(|(a, b)| a * b).sum();
        assert!(cosine >= closest, "{dtype}: cosine {cosine}");
        sizes.push(written["bytes"].as_u64().unwrap());
    }
    assert!(
        sizes.is_sorted_by(|larger, smaller| larger > smaller),
        "{sizes:?}"
    );
}

#[test]
fn converting_without_a_format_makes_q8_and_may_replace_its_own_source() {
    let scratch = Scratch::new("default");
    let gguf = scratch.path("model.gguf");
    let run = obscura(["convert", &model("blip-caption"), &gguf]);
    assert!(
        run.lines()[0].starts_with(&format!("{gguf}: ")) && run.stdout.contains("Q8_0"),
        "{}",
        run.stdout
    );
    convert(&gguf, &gguf, "q4");
    let inspected = obscura(["inspect", &gguf, "--json"]).stdout;
    assert!(inspected.contains("Q4_0") && !inspected.contains("Q8_0"));
    assert_eq!(scratch.names(), ["model.gguf"]);
}

#[test]
fn a_pytorch_checkpoint_gives_the_references_caption() {
    let scratch = Scratch::new("pytorch");
    let folder = scratch.copy_of("blip-caption");
    fs::remove_file(format!("{folder}/model.safetensors")).unwrap();
    let weights = under_tests("golden/blip-caption/pytorch/pytorch_model.bin");
    fs::copy(weights, format!("{folder}/pytorch_model.bin")).unwrap();
    assert_eq!(caption_tokens(&folder), reference_tokens("blip-caption"));
    let gguf = scratch.path("model.gguf");
    convert(&folder, &gguf, "f32");
    assert_eq!(caption_tokens(&gguf), reference_tokens("blip-caption"));
    let names = obscura(["inspect", &gguf]).stdout;
    assert!(!names.contains("position_ids"), "{names}");
}

#[test]
fn sharded_weights_give_the_references_caption() {
    let folder = model("blip-caption-untied");
    assert_eq!(
        caption_tokens(&folder),
        reference_tokens("blip-caption-untied")
    );
    let scratch = Scratch::new("shards");
    let gguf = scratch.path("model.gguf");
    convert(&folder, &gguf, "f32");
    assert_eq!(
        caption_tokens(&gguf),
        reference_tokens("blip-caption-untied")
    );
}

/// Takes the vocabulary out of a folder's tokenizer.json, which is removed.
fn take_tokenizer(folder: &str) -> Value {
    let path = Path::new(folder).join("tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    fs::remove_file(path).unwrap();
    tokenizer["model"].take()
}

#[test]
fn a_vocab_txt_stands_in_for_tokenizer_json() {
    let scratch = Scratch::new("vocab-txt");
    let folder = scratch.copy_of("blip-all");
    let tokenizer = take_tokenizer(&folder);
    let mut tokens: Vec<(&String, u64)> = tokenizer["vocab"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(token, id)| (token, id.as_u64().unwrap()))
        .collect();
    tokens.sort_by_key(|(_, id)| *id);
    let lines: String = tokens
        .iter()
        .map(|(token, _)| format!("{token}\n"))
        .collect();
    fs::write(format!("{folder}/vocab.txt"), lines).unwrap();
    assert_eq!(every_task(&folder), every_task(&model("blip-all")));
}

#[test]
fn a_vocab_json_with_merges_stands_in_for_tokenizer_json() {
    let scratch = Scratch::new("vocab-json");
    let folder = scratch.copy_of("clip-quick");
    let tokenizer = take_tokenizer(&folder);
    fs::write(
        format!("{folder}/vocab.json"),
        tokenizer["vocab"].to_string(),
    )
    .unwrap();
    let merges = tokenizer["merges"].as_array().unwrap().iter();
    let merges: String = merges
        .map(|pair| {
            format!(
                "{} {}\n",
                pair[0].as_str().unwrap(),
                pair[1].as_str().unwrap()
            )
        })
        .collect();
    fs::write(
        format!("{folder}/merges.txt"),
        format!("#version: 0.2\n{merges}"),
    )
    .unwrap();
    let embed = |model: &str| {
        exact(&[
            "embed",
            model,
            "--text",
            "A hut, under a yellow sun!",
            "tiny",
        ])
        .lines()
        .join("\n")
    };
    assert_eq!(embed(&folder), embed(&model("clip-quick")));
}

#[test]
fn inspect_lists_what_a_folder_and_a_file_hold() {
    let scratch = Scratch::new("inspect");
    let gguf = scratch.path("model.gguf");
    convert(&model("blip-all"), &gguf, "q8");
    for (path, container) in [(model("blip-all"), "folder"), (gguf, "gguf")] {
        let found = obscura(["inspect", &path, "--json"]).object();
        assert_eq!(
            keys(&found),
            [
                "adapters",
                "architecture",
                "bytes",
                "container",
                "generation",
                "image_size",
                "model",
                "parameters",
                "projected",
                "scores",
                "tasks",
                "tensors",
                "tokenizer"
            ]
        );
        assert_eq!(
            (&found["model"], &found["container"]),
            (&json!(path), &json!(container))
        );
        assert_eq!(
            (&found["architecture"], &found["image_size"]),
            (&json!("blip"), &json!(48))
        );
        assert_eq!(
            found["tasks"],
            json!(["caption", "embed", "classify", "match", "answer"])
        );
        assert_eq!(found["tokenizer"], json!({ "vocabulary": 798 }));
        assert_eq!(found["adapters"], json!([]));
        assert_eq!(found["generation"], json!(null));
        let tensors = found["tensors"].as_array().unwrap();
        assert_eq!(keys(&tensors[0]), ["bytes", "format", "name", "shape"]);
        let total: u64 = tensors
            .iter()
            .map(|tensor| tensor["bytes"].as_u64().unwrap())
            .sum();
        assert_eq!(found["bytes"], json!(total));
        let text = obscura(["inspect", &path]);
        let lines = text.lines();
        assert_eq!(lines[1], format!("container     {container}"));
        assert!(
            tensors
                .iter()
                .all(|tensor| text.stdout.contains(tensor["name"].as_str().unwrap()))
        );
    }
}
