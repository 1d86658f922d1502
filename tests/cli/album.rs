//! Albums on disk: what is found has to be what the vectors of `embed` and the scores of `match` say.

use super::{Scratch, assert_near, exact, keys, model, number, numbers, obscura, picture};
use serde_json::{Value, json};
use std::fs;

const PICTURES: [&str; 5] = [
    "landscape.png",
    "portrait.png",
    "alpha.png",
    "grey.png",
    "photo.jpg",
];
const TEXT: &str = "a hut under a yellow sun";

/// An album of the pictures, which lie in a folder and a folder in it, beside something else.
fn album(scratch: &Scratch, model: &str) -> (String, String) {
    let folder = scratch.path("pictures");
    fs::create_dir_all(format!("{folder}/more")).unwrap();
    for (place, name) in PICTURES.into_iter().enumerate() {
        let inner = if place % 2 == 0 { "" } else { "more/" };
        fs::copy(picture(name), format!("{folder}/{inner}{name}")).unwrap();
    }
    fs::write(format!("{folder}/notes.txt"), "no picture").unwrap();
    let file = scratch.path("pictures.album");
    let added = exact(&["album", "add", model, &file, &folder]).object();
    let expected = json!({ "added": 5, "there": 0, "failed": 0, "size": 5 });
    assert_eq!(added, expected);
    (file, folder)
}

fn found(search: &Value) -> Vec<(String, f64)> {
    let found = search["found"].as_array().expect("a list");
    let name = |found: &Value| {
        let key = found["key"].as_str().expect("a key").to_string();
        key.rsplit('/').next().expect("a name").to_string()
    };
    found
        .iter()
        .map(|one| (name(one), number(&one["similarity"])))
        .collect()
}

fn embedding(words: &[&str]) -> Vec<f64> {
    numbers(&exact(&[&["embed"], words].concat()).object()["embedding"])
}

#[test]
fn pictures_are_found_by_a_text_and_by_a_picture_as_their_vectors_say() {
    for name in ["clip-quick", "blip-retrieval", "coca"] {
        let scratch = Scratch::new(&format!("album-{name}"));
        let model = model(name);
        let (file, _) = album(&scratch, &model);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let vectors = PICTURES.map(|name| embedding(&[&model, &picture(name)]));
        let queries = [
            (["--text", TEXT], embedding(&[&model, "--text", TEXT])),
            (["--image", &picture("alpha.png")], vectors[2].clone()),
        ];
        for (words, query) in queries {
            let search = [
                &["search", &model, &file, "--limit", "4", "--rerank", "0"],
                &words[..],
            ];
            let found = found(&exact(&search.concat()).object());
            let mut expected: Vec<(&str, f64)> = PICTURES
                .into_iter()
                .zip(vectors.iter().map(|vector| dot(vector, &query)))
                .collect();
            expected.sort_by(|a, b| b.1.total_cmp(&a.1));
            assert_eq!(found.len(), 4);
            for ((name, similarity), (expected_name, cosine)) in found.iter().zip(expected) {
                assert_eq!(name, expected_name);
                assert_near(&json!(similarity), &json!(cosine), 2e-3); // half precision, 32 numbers
            }
        }
    }
}

#[test]
fn a_least_score_leaves_out_what_belongs_to_the_text_with_less() {
    let scratch = Scratch::new("album-least-score");
    let model = model("siglip2");
    let (file, _) = album(&scratch, &model);
    let search = |least: &str| {
        let words = [
            "search",
            &model,
            &file,
            "--text",
            TEXT,
            "--min-score",
            least,
        ];
        let found = exact(&words).object()["found"].clone();
        found.as_array().expect("a list").clone()
    };
    let all = search("0");
    assert_eq!(all.len(), PICTURES.len());
    for one in &all {
        let key = one["key"].as_str().expect("a key");
        let matched = exact(&["match", &model, key, TEXT]).object();
        let probability = &matched["matches"][0]["probability"];
        assert_near(&one["probability"], probability, 2e-3);
    }
    let second = all[1]["probability"].to_string();
    assert_eq!(search(&second), all[..2]);
    assert_eq!(search("1"), Vec::<Value>::new());
}

#[test]
fn the_best_candidates_are_looked_at_again_by_a_blip_that_can_match() {
    let scratch = Scratch::new("album-rerank");
    let model = model("blip-retrieval");
    let (file, folder) = album(&scratch, &model);
    let search = |again: &str| {
        let words = ["search", &model, &file, "--text", TEXT, "--rerank", again];
        exact(&words).object()["found"]
            .as_array()
            .expect("a list")
            .clone()
    };
    let (by_vectors, again) = (search("0"), search("3"));
    assert!(
        by_vectors
            .iter()
            .all(|found| keys(found) == ["key", "similarity"])
    );
    for found in &again[..3] {
        let key = found["key"].as_str().expect("a key");
        let matched = exact(&["match", &model, key, TEXT]).object();
        assert_near(
            &found["probability"],
            &matched["matches"][0]["probability"],
            1e-5,
        );
        assert!(by_vectors[..3].iter().any(|one| one["key"] == found["key"]));
    }
    assert_eq!(again[3..], by_vectors[3..]);

    let gone = again[0]["key"].as_str().expect("a key").to_string();
    assert!(gone.starts_with(fs::canonicalize(folder).unwrap().to_str().unwrap()));
    fs::remove_file(&gone).unwrap();
    let without = search("3");
    assert_eq!(without[2]["key"], gone.as_str());
    assert_eq!(keys(&without[2]), ["key", "similarity"]);
}

#[test]
fn pictures_are_added_once_and_removed_by_name_or_when_their_files_are_gone() {
    let scratch = Scratch::new("album-remove");
    let model = model("clip-quick");
    let (file, folder) = album(&scratch, &model);
    let again = exact(&["album", "add", &model, &file, &folder]).object();
    assert_eq!(
        again,
        json!({ "added": 0, "there": 5, "failed": 0, "size": 5 })
    );
    let anew = exact(&["album", "add", &model, &file, &folder, "--again"]).object();
    assert_eq!(
        anew,
        json!({ "added": 5, "there": 0, "failed": 0, "size": 5 })
    );

    let torn = format!("{folder}/torn.png");
    fs::write(&torn, b"\x89PNG torn").unwrap();
    obscura(["album", "add", &model, &file, &folder, "--dtype", "f32"])
        .fails(1, &["torn.png", "1 of 1"]);
    obscura(["album", "remove", &file, &torn]).fails(1, &["torn.png", "nothing was removed"]);

    let alpha = format!("{folder}/alpha.png");
    let removed = obscura(["album", "remove", &file, &alpha, "--json"]).object();
    assert_eq!(removed, json!({ "removed": 1, "size": 4 }));
    fs::remove_file(format!("{folder}/photo.jpg")).unwrap();
    let removed = obscura(["album", "remove", &file, "--missing", "--json"]).object();
    assert_eq!(removed, json!({ "removed": 1, "size": 3 }));
    let list = obscura(["album", "list", &file]);
    let mut names: Vec<&str> = list
        .lines()
        .iter()
        .map(|key| key.rsplit('/').next().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["grey.png", "landscape.png", "portrait.png"]);
}

#[test]
fn an_album_answers_a_text_encoder_that_its_model_has_taught() {
    let scratch = Scratch::new("album-taught");
    let (file, folder) = album(&scratch, &model("clip-quick"));
    let student = model("multilingual");
    let wanted = exact(&[
        "search",
        &model("clip-quick"),
        &file,
        "--text",
        "grey letters",
    ])
    .object();
    let search = ["search", &student, &file, "--text", "graue Buchstaben"];
    let (wanted, answered) = (found(&wanted), found(&exact(&search).object()));
    for (wanted, answered) in wanted.iter().zip(&answered) {
        assert_eq!(wanted.0, answered.0);
        assert_near(&json!(answered.1), &json!(wanted.1), 1e-4);
    }
    exact(&["album", "add", &student, &file, &folder, "--again"]).fails(1, &["embed"]);
    exact(&[&search[..], &["--min-score", "0.5"]].concat()).fails(1, &["match", "embed-text"]);
    let other = [
        "search",
        &student,
        &scratch.path("other.album"),
        "--text",
        "x",
    ];
    let (other_album, _) = (scratch.path("other.album"), ());
    exact(&[
        "album",
        "add",
        &model("clip-gelu"),
        &other_album,
        &picture("grey.png"),
    ])
    .object();
    exact(&other).fails(1, &["another space"]);
}

#[test]
fn vectors_leave_for_numpy_and_come_back() {
    let scratch = Scratch::new("album-export");
    let model = model("clip-quick");
    let (file, _) = album(&scratch, &model);
    let (vectors, names) = (scratch.path("vectors.npy"), scratch.path("names.json"));
    obscura(["album", "export", &file, &vectors, &names]).lines();
    let bytes = fs::read(&vectors).unwrap();
    assert!(bytes.starts_with(b"\x93NUMPY\x01\x00"));
    assert!(String::from_utf8_lossy(&bytes[..128]).contains("'shape': (5, "));
    let other = scratch.path("other.album");
    let added = exact(&["album", "import", &model, &other, &vectors, &names]).object();
    assert_eq!(added, json!({ "added": 5, "size": 5 }));
    let search = |file: &str| exact(&["search", &model, file, "--text", TEXT]).object();
    assert_eq!(found(&search(&other)), found(&search(&file)));
    fs::write(&names, r#"["one"]"#).unwrap();
    let more = obscura(["album", "import", &model, &other, &vectors, &names]);
    more.fails(1, &["1 names for 5 vectors"]);
}

#[test]
fn other_models_and_other_files_are_refused() {
    let scratch = Scratch::new("album-refuses");
    let (clip, blip) = (model("clip-quick"), model("blip-retrieval"));
    let (file, folder) = album(&scratch, &clip);
    let before = fs::read(&file).unwrap();
    let exact = ["--dtype", "f32"];
    let search = |model: &str, more: &[&str]| {
        obscura([&["search", model, &file, "--text", TEXT], more].concat())
    };
    search(&blip, &exact).fails(1, &["pictures.album", "CLIP (f32", "BLIP"]);
    search(&clip, &["--dtype", "q8"]).fails(1, &["CLIP (f32", "CLIP (q8"]);
    obscura([&["album", "add", &blip, &file, &folder][..], &exact].concat())
        .fails(1, &["another album"]);
    assert_eq!(fs::read(&file).unwrap(), before);

    let photo = format!("{folder}/more/grey.png");
    let bytes = fs::read(&photo).unwrap();
    obscura(["album", "list", &photo]).fails(1, &["grey.png", "not an album"]);
    obscura([&["album", "add", &clip, &photo, &folder][..], &exact].concat())
        .fails(1, &["not an album"]);
    assert_eq!(fs::read(&photo).unwrap(), bytes);
    obscura(["album", "list", &scratch.path("nowhere")]).fails(1, &["nowhere"]);
    obscura(["search", &clip, &scratch.path("nowhere"), "--text", "a"])
        .fails(1, &["nowhere", "album add"]);
    obscura(["search", &clip, &file]).fails(2, &["--text", "--image"]);
    assert!(!std::path::Path::new(&scratch.path("nowhere")).exists());
}

#[cfg(feature = "train")]
#[test]
fn recall_is_measured_on_all_captions_of_cocos_format_before_and_after_a_second_look() {
    let scratch = Scratch::new("album-recall");
    let model = model("blip-retrieval");
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    for (id, name) in PICTURES.into_iter().enumerate() {
        fs::copy(picture(name), scratch.path(name)).unwrap();
        images.push(json!({ "id": id, "file_name": name }));
        for caption in [
            format!("a picture of the kind {id}"),
            format!("{id} things in the sun"),
        ] {
            annotations
                .push(json!({ "id": annotations.len(), "image_id": id, "caption": caption }));
        }
    }
    let file = scratch.path("captions.json");
    fs::write(
        &file,
        json!({ "images": images, "annotations": annotations }).to_string(),
    )
    .unwrap();
    let retrieval = |again: &str| {
        exact(&["eval", &model, &file, "--rerank", again]).object()["retrieval"].clone()
    };
    let (plain, again) = (retrieval("0"), retrieval("10"));
    assert_eq!((&plain["count"], &plain["texts"]), (&json!(5), &json!(10)));
    assert_eq!(plain["reranked"], Value::Null);
    assert_eq!(plain["image_to_text"][2], 1.0, "ten of ten texts");
    assert_eq!(again["text_to_image"], plain["text_to_image"]);
    assert_eq!(again["reranked"]["candidates"], 10);

    for share in ["image_to_text", "text_to_image"] {
        let recalls = numbers(&again["reranked"][share]);
        assert!(recalls.is_sorted() && recalls[2] == 1.0, "{recalls:?}");
    }
    let text = obscura(["eval", &model, &file, "--dtype", "f32", "--rerank", "4"]);
    let lines = text.lines();
    assert!(
        lines.contains(&"retrieval      among 5 pictures, 10 texts"),
        "{lines:?}"
    );
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.contains("(best 4 by matching)"))
            .count(),
        2
    );
}
