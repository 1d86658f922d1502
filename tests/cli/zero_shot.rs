//! Label sets, their files, and zero-shot accuracy over folders of pictures.

use super::{Scratch, assert_near, expected, model, number, obscura, picture, under_tests};
use serde_json::{Value, json};
use std::fs;

/// The labels and scores of one classification in single precision.
fn classify(words: &[&str]) -> Vec<(String, f64)> {
    let object = obscura([words, &["--dtype", "f32", "--json"]].concat()).object();
    let labels = object["labels"].as_array().expect("labels").iter();
    let pair = |label: &Value| {
        (
            label["label"].as_str().unwrap().to_string(),
            number(&label["score"]),
        )
    };
    labels.map(pair).collect()
}

/// A small set in ImageNet's templates, as a file.
fn label_set(scratch: &Scratch) -> String {
    let imagenet = fs::read_to_string(under_tests("../www/labels/imagenet.json")).unwrap();
    let imagenet: Value = serde_json::from_str(&imagenet).unwrap();
    let set = json!({
        "name": "few", "templates": imagenet["templates"],
        "labels": expected("zero-shot")["labels"].as_array().unwrap()[..6],
    });
    let path = scratch.path("few.json");
    fs::write(&path, set.to_string()).unwrap();
    path
}

fn with_set<'a>(model: &'a str, picture: &'a str, labels: &'a str) -> [&'a str; 5] {
    ["classify", model, picture, "--label-set", labels]
}

#[test]
fn labels_from_a_file_and_from_their_vectors_score_the_same() {
    let scratch = Scratch::new("label-sets");
    let (set, file) = (label_set(&scratch), scratch.path("few.labels"));
    let (clip, path) = (model("clip-quick"), picture("landscape.png"));
    let written = obscura(["labels", &clip, &set, &file, "--dtype", "f32", "--json"]).object();
    assert_eq!(
        (&written["labels"], &written["templates"]),
        (&json!(6), &json!(80))
    );
    assert_eq!(written["bytes"], fs::metadata(&file).unwrap().len());
    let from_set = classify(&with_set(&clip, &path, &set));
    assert_eq!(from_set, classify(&with_set(&clip, &path, &file)));
    assert_eq!(from_set.len(), 6);
    let best = classify(&[&with_set(&clip, &path, &file)[..], &["--top-k", "2"]].concat());
    assert_eq!(best, from_set[..2]);
    let cosines = classify(&[&with_set(&clip, &path, &file)[..], &["--scores", "cosine"]].concat());
    let order =
        |scores: &[(String, f64)]| scores.iter().map(|one| one.0.clone()).collect::<Vec<_>>();
    assert_eq!(order(&cosines), order(&from_set));
    assert!(
        cosines
            .iter()
            .all(|(_, cosine)| (-1.0..=1.0).contains(cosine))
    );
    assert!(cosines.iter().map(|one| one.1).sum::<f64>() != 1.0);
    assert!(
        !scratch
            .names()
            .iter()
            .any(|name| name.ends_with(".partial"))
    );
}

#[test]
fn lines_of_text_are_labels_and_templates_can_be_given() {
    let scratch = Scratch::new("label-lines");
    let (clip, path, lines) = (
        model("clip-quick"),
        picture("alpha.png"),
        scratch.path("l.txt"),
    );
    fs::write(&lines, "a hut\na cat\n").unwrap();
    let template = ["--template", "a drawing of a {}"];
    let from_file = ["classify", &clip, &path, "--label-set", &lines];
    let given = ["classify", &clip, &path, "--labels", "a hut,a cat"];
    assert_eq!(classify(&from_file), classify(&given));
    let with_template = classify(&[&from_file[..], &template].concat());
    assert_eq!(with_template, classify(&[&given[..], &template].concat()));
    assert_ne!(with_template, classify(&given));
}

#[test]
fn unusable_labels_are_explained() {
    let scratch = Scratch::new("label-refusals");
    let (clip, path, file) = (model("clip-quick"), picture("alpha.png"), scratch.path("l"));
    let with =
        |labels: &str, more: &[&str]| obscura([&with_set(&clip, &path, labels)[..], more].concat());
    obscura(["classify", &clip, &path]).fails(2, &["--labels"]);
    obscura([
        "classify",
        &clip,
        &path,
        "--labels",
        "a",
        "--label-set",
        "b",
    ])
    .fails(2, &["--label-set"]);
    obscura(["classify", &clip, &path, "--labels", "a", "--top-k", "0"])
        .fails(1, &["--top-k", "at least 1"]);
    with("nowhere.json", &[]).fails(1, &["nowhere.json", "imagenet"]);
    fs::write(&file, "[1, 2]").unwrap();
    with(&file, &[]).fails(1, &[&file, "JSON"]);
    fs::write(&file, [8, 0, 0, 0, 0, 0, 0, 0, b'{']).unwrap();
    with(&file, &[]).fails(1, &["label file"]);
    obscura([
        "labels",
        &model("blip-retrieval"),
        &label_set(&scratch),
        &file,
        "--template",
        "{}",
    ])
    .lines();
    with(&file, &[]).fails(1, &["another model"]);
    with(&file, &["--template", "a {}"]).fails(1, &["--template"]);
    obscura(["labels", &model("blip-vqa"), "imagenet", &file]).fails(1, &["classify"]);
}

/// Pictures in a folder for each class.
fn classes(scratch: &Scratch, classes: &[(&str, &[&str])]) -> String {
    let folder = scratch.path("classes");
    for (class, pictures) in classes {
        fs::create_dir_all(format!("{folder}/{class}")).unwrap();
        for name in *pictures {
            fs::copy(picture(name), format!("{folder}/{class}/{name}")).unwrap();
        }
    }
    folder
}

#[test]
fn accuracy_over_folders_is_that_of_the_classifications() {
    let scratch = Scratch::new("zero-shot");
    let set: [(&str, &[&str]); 3] = [
        ("a_hut", &["landscape.png", "portrait.png", "grey.png"]),
        ("grey letters", &["alpha.png", "tiny.png"]),
        ("the sea", &["large.png", "palette.png"]),
    ];
    let folder = classes(&scratch, &set);
    let clip = model("clip-quick");
    let mut right = 0;
    for (class, pictures) in set {
        for name in pictures {
            let labels = "a hut,grey letters,the sea";
            let best = classify(&["classify", &clip, &picture(name), "--labels", labels]);
            right += usize::from(best[0].0 == class.replace('_', " "));
        }
    }
    let measure = || obscura(["eval", &clip, &folder, "--dtype", "f32", "--json"]);
    let scores = measure().object()["classification"].clone();
    assert_eq!(
        (&scores["count"], &scores["labels"]),
        (&json!(7), &json!(3))
    );
    assert_near(&scores["top_1"], &json!(right as f64 / 7.0), 1e-9);
    assert_near(&scores["top_5"], &json!(1.0), 0.0);

    fs::write(format!("{folder}/the sea/torn.png"), "no picture").unwrap();
    let run = measure();
    run.fails(0, &["torn.png"]);
    let again: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(again["classification"]["unreadable"], 1);
    assert_eq!(again["classification"]["top_1"], scores["top_1"]);
    let text = obscura(["eval", &clip, &folder, "--dtype", "f32"]);
    assert!(
        text.stdout.contains("top 1") && text.stdout.contains("1 more"),
        "{}",
        text.stdout
    );
}

#[test]
fn folders_are_matched_with_a_label_set_by_name_and_by_id() {
    let scratch = Scratch::new("zero-shot-set");
    let folder = classes(
        &scratch,
        &[("n1", &["alpha.png"]), ("Red_House", &["tiny.png"])],
    );
    let set = scratch.path("set.json");
    let labels = json!({ "labels": ["the sea", "red house", "a cat"], "ids": ["n1", "n2", "n3"] });
    fs::write(&set, labels.to_string()).unwrap();
    let clip = model("clip-quick");
    let measure = |labels: &str| obscura(["eval", &clip, &folder, "--label-set", labels, "--json"]);
    let scores = measure(&set).object()["classification"].clone();
    assert_eq!(
        (&scores["count"], &scores["labels"]),
        (&json!(2), &json!(3))
    );
    measure("imagenet").fails(1, &["Red_House"]);
    obscura(["eval", &clip, &scratch.path("nowhere"), "--label-set", &set])
        .fails(1, &["--label-set"]);
    obscura(["eval", &clip, &under_tests("cli")]).fails(1, &["folder of pictures for each class"]);
}
