//! What counts where nothing is said: the model, and its own settings of generation.

use super::{Run, Scratch, expected, model, obscura, picture};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

const NOTE: &str = "pictograms, which knows drawings only";

fn with_variable(model: &str, words: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_obscura"))
        .args(words)
        .env("OBSCURA_MODEL", model)
        .output()
        .expect("the program starts");
    Run {
        code: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

#[test]
fn the_embedded_model_is_the_default_of_every_command_and_says_so() {
    let drawing = super::under_tests("golden/pictograms/00001.png");
    let scratch = Scratch::new("default-model");
    let album = scratch.path("drawings.album");
    let gguf = scratch.path("out.gguf");
    for words in [
        &["caption", &drawing][..],
        &["classify", &drawing, "--labels", "a dog,a car"],
        &["embed", &drawing],
        &["embed", "--text", "a dog", "a cat"],
        &["match", &drawing, "a dog", "a cat"],
        &["answer", &drawing, "--question", "what is it?"],
        &["album", "add", &album, &drawing],
        &["search", &album, "--text", "a dog"],
        &["inspect"],
    ] {
        let run = obscura(words);
        run.fails(0, &[NOTE]);
        assert!(!run.stdout.is_empty(), "{words:?}");
    }
    obscura(["convert", "pictograms", &gguf]).lines();
    let file = format!("{}/www/models/pictograms.gguf", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(
        obscura(["caption", &drawing]).stdout,
        obscura(["caption", &file, &drawing]).stdout
    );
    assert!(obscura(["caption", &gguf, &drawing]).stdout.contains("dog"));
}

#[test]
fn a_model_is_named_by_an_option_before_a_word_before_the_variable() {
    let (caption, clip, picture) = (
        model("blip-caption"),
        model("clip-quick"),
        picture("tiny.png"),
    );
    let words = obscura(["caption", &caption, &picture]).lines().join("\n");
    for run in [
        obscura(["caption", "--model", &caption, &picture]),
        obscura(["caption", &picture, &format!("--model={caption}")]),
        with_variable(&caption, &["caption", &picture]),
        with_variable(&clip, &["caption", &caption, &picture]),
        with_variable(&clip, &["caption", &picture, "--model", &caption]),
    ] {
        assert_eq!(run.lines().join("\n"), words);
    }
    with_variable(&clip, &["caption", &picture]).fails(1, &["caption", "embed, classify, match"]);
    let both = obscura(["caption", "--model", &caption, &clip, &picture]);
    both.fails(1, &["there are no pictures in", &clip, "1 of 2 pictures"]);
}

/// The copy of a golden model with these settings of generation.
fn with_settings(scratch: &Scratch, settings: &Value) -> String {
    let folder = scratch.copy_of("blip-caption");
    fs::write(
        format!("{folder}/generation_config.json"),
        settings.to_string(),
    )
    .unwrap();
    folder
}

#[test]
fn a_checkpoints_settings_of_generation_count_where_nothing_is_said_and_are_told() {
    let scratch = Scratch::new("settings");
    let settings = json!({ "num_beams": 3, "no_repeat_ngram_size": 2, "typical_p": 0.5 });
    let folder = with_settings(&scratch, &settings);
    let gguf = scratch.path("kept.gguf");
    obscura(["convert", &folder, &gguf, "--dtype", "f32"]);
    let reference = &expected("blip-caption")["captions"]["rotated.jpg"];
    let picture = picture("rotated.jpg");
    for model in [&folder, &gguf] {
        let words = ["caption", model, &picture, "--json", "--dtype", "f32"];
        let run = obscura(words);
        run.fails(
            0,
            &[
                "generation_config.json",
                "no_repeat_ngram_size 2, num_beams 3",
                "typical_p",
            ],
        );
        let found: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(found["tokens"], reference["beam3_no_repeat_2"]["ids"]);
        let asked = [&words[..], &["--beams", "1", "--no-repeat-ngram-size", "0"]].concat();
        let run = obscura(asked);
        run.fails(0, &["typical_p"]);
        assert!(!run.stderr.contains("num_beams"), "{}", run.stderr);
        let found: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(found["tokens"], reference["greedy"]["ids"]);
        let inspected = obscura(["inspect", model, "--json"]).object();
        assert_eq!(
            inspected["generation"],
            json!({ "numBeams": 3, "noRepeatNgramSize": 2 })
        );
    }
    fs::write(format!("{folder}/generation_config.json"), "{").unwrap();
    obscura(["caption", &folder, &picture]).fails(1, &["generation_config.json", "JSON"]);
}

#[test]
fn several_texts_are_lines_and_alternatives_and_bad_words_are_not_written() {
    let (model, picture) = (model("blip-caption"), picture("landscape.png"));
    let words = ["caption", &model, &picture, "--dtype", "f32"];
    let two = ["--beams", "3", "--num-return-sequences", "2"];
    let lines = obscura([&words[..], &two].concat());
    assert_eq!(lines.lines().len(), 2);
    let found = obscura([&words[..], &two, &["--json"]].concat()).object();
    assert_eq!(found["alternatives"].as_array().expect("one").len(), 1);
    let draw = ["--sample", "--seed", "3", "--num-return-sequences"];
    let three = obscura([&words[..], &draw, &["3"]].concat());
    let three = three.lines();
    assert_eq!(three.len(), 3);
    assert!(three[0] != three[1] && three[1] != three[2], "{three:?}");
    assert_eq!(
        obscura([&words[..], &draw, &["1"]].concat()).lines(),
        three[..1]
    );
    let without = obscura([&words[..], &["--bad-words", "grey, million"]].concat());
    assert!(!without.stdout.contains("grey") && !without.stdout.contains("million"));
    obscura([&words[..], &["--num-return-sequences", "2"]].concat())
        .fails(1, &["--num-return-sequences is 2", "more than one beam"]);
    obscura([&words[..], &["--bad-words", "a,,b"]].concat()).fails(2, &["--bad-words"]);
    let greedy = obscura(words).stdout;
    assert!(greedy.contains("grey"), "{greedy}");
}

/// Options of a recorded case, as words of a command line.
fn words_of(case: &Value) -> Vec<String> {
    let flags = [
        ("num_beams", "--beams"),
        ("num_return_sequences", "--num-return-sequences"),
        ("repetition_penalty", "--repetition-penalty"),
        ("no_repeat_ngram_size", "--no-repeat-ngram-size"),
        ("min_length", "--min-length"),
        ("prompt", "--prompt"),
        ("bad_words", "--bad-words"),
    ];
    let mut words = Vec::new();
    for (name, value) in case.as_object().expect("options") {
        let flag = flags.iter().find(|(known, _)| known == name);
        let Some((_, flag)) = flag else {
            assert_eq!(name, "generation_config");
            continue;
        };
        words.push(flag.to_string());
        words.push(match value {
            Value::String(text) => text.clone(),
            Value::Array(list) => {
                let list: Vec<&str> = list.iter().map(|word| word.as_str().unwrap()).collect();
                list.join(",")
            }
            number => number.to_string(),
        });
    }
    words
}

#[test]
fn bad_words_several_texts_and_a_checkpoints_settings_give_the_references_ids() {
    let reference = expected("generation");
    let mut compared = 0;
    for (case, options) in reference["cases"].as_object().expect("cases") {
        let scratch = Scratch::new("reference");
        let folder = match &options["generation_config"] {
            Value::Null => model("blip-caption"),
            settings => with_settings(&scratch, settings),
        };
        for (name, cases) in reference["captions"].as_object().expect("captions") {
            let Some(expected) = cases[case].as_array() else {
                continue; // an id hangs on rounding
            };
            let picture = picture(name);
            let words = ["caption", &folder, &picture, "--json", "--dtype", "f32"];
            let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
            let run = obscura([words, words_of(options)].concat());
            assert_eq!(run.code, 0, "{case}: {}", run.stderr);
            let best: Value = serde_json::from_str(&run.stdout).expect("JSON");
            let others = best["alternatives"].as_array().cloned().unwrap_or_default();
            let found = [vec![best], others].concat();
            let is_asked = options.get("num_return_sequences").is_some();
            assert!(!is_asked || found.len() == expected.len(), "{case}, {name}");
            for (found, expected) in found.iter().zip(expected) {
                assert_eq!(found["tokens"], expected["ids"], "{case}, {name}");
                assert_eq!(found["text"], expected["text"], "{case}, {name}");
                if !expected["score"].is_null() {
                    super::assert_near(&found["score"], &expected["score"], 1e-3);
                }
                compared += 1;
            }
        }
    }
    assert!(compared >= 25, "{compared}");
}
