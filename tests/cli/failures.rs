//! What goes wrong is said in a sentence that names the offender, and the exit code tells.

use super::{Run, Scratch, exact, expected, keys, model, obscura, picture};
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};

fn caption(model: &str, more: &[&str]) -> Run {
    obscura([&["caption", model, &picture("tiny.png")], more].concat())
}

#[test]
fn bad_usage_has_exit_code_2() {
    let (model, picture) = (model("blip-all"), picture("tiny.png"));
    obscura([] as [&str; 0]).fails(2, &["Usage"]);
    obscura(["paint"]).fails(2, &["paint"]);
    obscura(["caption", &model]).fails(2, &["IMAGES"]);
    obscura(["classify", &model, &picture]).fails(2, &["--labels"]);
    obscura(["answer", &model, &picture]).fails(2, &["--question"]);
    obscura(["embed", &model]).fails(2, &["IMAGES"]);
    obscura(["embed", &model, &picture, "--text", "a"]).fails(2, &["--text"]);
    caption(&model, &["--dtype", "q3"]).fails(2, &["q3", "q4, q8, f16, f32"]);
    caption(&model, &["--precision", "high"]).fails(2, &["high", "fast, exact"]);
    caption(&model, &["--device", "tpu"]).fails(2, &["tpu", "cpu, gpu"]);
    caption(&model, &["--seed", "1"]).fails(2, &["--sample"]);
    caption(&model, &["--beams", "many"]).fails(2, &["many", "--beams"]);
}

#[test]
fn a_missing_model_is_named() {
    let nowhere = "no/such/model.gguf";
    let picture = picture("tiny.png");
    for command in [
        &["caption", nowhere, &picture][..],
        &["inspect", nowhere],
        &["embed", nowhere, "--text", "a"],
    ] {
        obscura(command).fails(1, &[nowhere]);
    }
    let scratch = Scratch::new("missing-model");
    obscura(["convert", nowhere, &scratch.path("out.gguf")]).fails(1, &[nowhere]);
    assert!(scratch.names().is_empty());
}

#[test]
fn missing_files_of_a_folder_are_named() {
    for file in [
        "config.json",
        "preprocessor_config.json",
        "tokenizer.json",
        "model.safetensors",
    ] {
        let scratch = Scratch::new(&format!("missing-{file}"));
        let folder = scratch.copy_of("blip-all");
        fs::remove_file(format!("{folder}/{file}")).unwrap();
        for run in [caption(&folder, &[]), obscura(["inspect", &folder])] {
            run.fails(1, &[&folder, file]);
        }
    }
}

#[test]
fn a_missing_shard_is_named() {
    let scratch = Scratch::new("shard");
    let folder = scratch.copy_of("blip-caption-untied");
    fs::remove_file(format!("{folder}/model-00002-of-00003.safetensors")).unwrap();
    caption(&folder, &[]).fails(1, &["model-00002-of-00003.safetensors"]);
}

#[test]
fn truncated_files_are_named() {
    let scratch = Scratch::new("truncated");
    let gguf = scratch.path("torn.gguf");
    obscura(["convert", &model("blip-all"), &gguf]).lines();
    let whole = fs::read(&gguf).unwrap();
    for length in [0, 3, 100, 10_000, whole.len() / 2, whole.len() - 33] {
        fs::write(&gguf, &whole[..length]).unwrap();
        let again = scratch.path("again.gguf");
        for run in [
            caption(&gguf, &[]),
            obscura(["inspect", &gguf]),
            obscura(["convert", &gguf, &again]),
        ] {
            run.fails(1, &["torn.gguf"]);
        }
    }
    let folder = scratch.copy_of("blip-all");
    let weights = format!("{folder}/model.safetensors");
    let whole = fs::read(&weights).unwrap();
    fs::write(&weights, &whole[..whole.len() - 1]).unwrap();
    caption(&folder, &[]).fails(1, &["model.safetensors"]);
    assert_eq!(scratch.names(), ["blip-all", "torn.gguf"]);
}

#[test]
fn a_task_without_a_head_is_refused() {
    let picture = picture("tiny.png");
    obscura(["caption", &model("clip-quick"), &picture])
        .fails(1, &["caption", "embed, classify, match"]);
    obscura([
        "answer",
        &model("blip-caption"),
        &picture,
        "--question",
        "why?",
    ])
    .fails(1, &["answer", "caption"]);
    obscura(["embed", &model("blip-vqa"), &picture]).fails(1, &["embed", "answer"]);
    obscura(["embed", &model("blip-vqa"), "--text", "a"]).fails(1, &["embed", "answer"]);
    obscura(["classify", &model("blip-vqa"), &picture, "--labels", "a"])
        .fails(1, &["classify", "answer"]);
    obscura(["match", &model("blip-vqa"), &picture, "a"]).fails(1, &["match", "answer"]);
}

#[test]
fn unreadable_pictures_do_not_keep_the_others_from_being_done() {
    let scratch = Scratch::new("pictures");
    let torn = scratch.path("torn.png");
    fs::write(&torn, &fs::read(picture("large.png")).unwrap()[..900]).unwrap();
    let notes = scratch.path("notes.txt");
    fs::write(&notes, "no picture").unwrap();
    let (good, also_good) = (picture("landscape.png"), picture("portrait.png"));
    let run = exact(&[
        "caption",
        &model("blip-caption"),
        &torn,
        &good,
        "nowhere.png",
        &notes,
        &also_good,
    ]);
    run.fails(
        1,
        &[
            "torn.png",
            "nowhere.png",
            "notes.txt",
            "3 of 5 pictures could not be done",
        ],
    );
    let reference = &expected("blip-caption")["captions"];
    let lines: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{}", run.stdout);
    for (line, name) in lines.iter().zip(["landscape.png", "portrait.png"]) {
        assert_eq!(keys(line), ["image", "score", "text", "tokens"]);
        assert_eq!(line["tokens"], reference[name]["greedy"]["ids"]);
    }
    let (model, one) = (model("blip-vqa"), [torn.as_str(), &good]);
    obscura(["answer", &model, one[0], one[1], "--question", "why?"]).fails(1, &["torn.png"]);
}

#[test]
fn texts_that_say_nothing_are_refused() {
    let (clip, blip, picture) = (model("clip-quick"), model("blip-all"), picture("tiny.png"));
    obscura(["classify", &clip, &picture, "--labels", "a,,b"]).fails(1, &["label"]);
    obscura(["classify", &clip, &picture, "--labels", " "]).fails(1, &["label"]);
    obscura(["embed", &clip, "--text", ""]).fails(1, &["empty"]);
    obscura(["match", &blip, &picture, "a", " "]).fails(1, &["empty"]);
    obscura(["answer", &blip, &picture, "--question", ""]).fails(1, &["empty"]);
    let answers = [
        "answer",
        &blip,
        &picture,
        "--question",
        "why?",
        "--answers",
        "a,,b",
    ];
    obscura(answers).fails(1, &["answer"]);
    let template = [
        "classify",
        &clip,
        &picture,
        "--labels",
        "a",
        "--template",
        "no place",
    ];
    obscura(template).fails(1, &["no place", "{}"]);
}

#[test]
fn options_out_of_range_are_refused_by_their_flag() {
    let model = model("blip-all");
    let cases: [(&[&str], &str); 10] = [
        (&["--beams", "0"], "--beams is 0"),
        (&["--beams", "33"], "--beams is 33"),
        (&["--max-new-tokens", "0"], "--max-new-tokens is 0"),
        (&["--repetition-penalty", "0"], "--repetition-penalty is 0"),
        (&["--length-penalty", "nan"], "--length-penalty is NaN"),
        (&["--sample", "--temperature", "0"], "--temperature is 0"),
        (
            &["--sample", "--temperature", "inf"],
            "--temperature is inf",
        ),
        (&["--sample", "--top-p", "0"], "--top-p is 0"),
        (&["--sample", "--top-p", "1.1"], "--top-p is 1.1"),
        (
            &["--sample", "--beams", "2"],
            "--beams is 2, expected 1 when sampling",
        ),
    ];
    for (options, message) in cases {
        caption(&model, options).fails(2, &[message]);
    }
    let picture = picture("tiny.png");
    let answer = [
        "answer",
        &model,
        &picture,
        "--question",
        "why?",
        "--beams",
        "0",
    ];
    obscura(answer).fails(2, &["--beams is 0"]);
}

#[test]
fn texts_longer_than_the_model_has_room_for_are_refused() {
    let model = model("blip-all");
    for count in ["64", "5000", "18446744073709551615"] {
        let message = format!("--max-new-tokens is {count}");
        caption(&model, &["--max-new-tokens", count]).fails(1, &[&message, "room for 63"]);
    }
    caption(&model, &["--max-new-tokens", "63"]).lines();
    caption(&model, &["--prompt", &"word ".repeat(500)]).fails(1, &["room"]);
}

#[test]
fn a_conversion_that_fails_leaves_nothing_and_destroys_nothing() {
    let scratch = Scratch::new("convert");
    let folder = scratch.copy_of("blip-all");
    let config = format!("{folder}/config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        text.replace("\"model_type\": \"blip\"", "\"model_type\": \"vit\""),
    )
    .unwrap();
    let output = scratch.path("out.gguf");
    obscura(["convert", &folder, &output]).fails(1, &["vit", "blip"]);
    assert_eq!(scratch.names(), ["blip-all"]);

    fs::write(&output, "precious").unwrap();
    obscura(["convert", &folder, &output]).fails(1, &["vit"]);
    assert_eq!(fs::read_to_string(&output).unwrap(), "precious");

    fs::write(&config, text).unwrap();
    let weights = format!("{folder}/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let end = bytes.len();
    bytes[end - 100_000..].fill(0xff); // every number there is a NaN, whatever its format
    fs::write(&weights, bytes).unwrap();
    obscura(["convert", &folder, &output, "--dtype", "q8"]).fails(1, &["model.safetensors"]);
    assert_eq!(fs::read_to_string(&output).unwrap(), "precious");
    assert_eq!(scratch.names(), ["blip-all", "out.gguf"]);
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let scratch = Scratch::new("output");
    let below_a_file = scratch.path("file/out.gguf");
    fs::write(scratch.path("file"), "").unwrap();
    obscura(["convert", &model("clip-quick"), &below_a_file]).fails(1, &["out.gguf"]);
    let folder = scratch.path("folder.gguf");
    fs::create_dir(&folder).unwrap();
    obscura(["convert", &model("clip-quick"), &folder]).fails(1, &["folder.gguf"]);
    assert_eq!(scratch.names(), ["file", "folder.gguf"]);
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    for words in [
        &["inspect", &model("blip-all")][..],
        &[
            "embed",
            &model("clip-quick"),
            &picture("tiny.png"),
            &picture("grey.png"),
        ],
    ] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_obscura"))
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(program.stdout.take());
        let output = program.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert!(output.status.success());
    }
}
