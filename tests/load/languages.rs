//! Text encoders of sentence-transformers, which search among the pictures of the CLIP that taught them: what
//! sentence-transformers computes, in all layouts, and refusals by name (`scripts/reference.py` made them).

use super::memory::{Kept, Memory, load_files};
use super::sources::{folder, options, safetensors_of, tensors_of};
use super::{NAME, refused, under_tests};
use obscura::load::convert::{Source, convert};
use obscura::nn::Dtype;
use obscura::search::Album;
use obscura::tasks::Model;
use obscura::{Error, Result};
use pollster::block_on;
use serde_json::{Value, json};

const FOLDER: &str = "golden/multilingual/model";

fn multilingual() -> Memory {
    Memory::of_tree(&under_tests(FOLDER))
}

fn expected() -> Value {
    let file = std::fs::read(under_tests("golden/multilingual/expected.json"));
    serde_json::from_slice(&file.expect("expectations")).expect("JSON")
}

fn load_f32(files: &Memory) -> Result<Model> {
    load_files(files, None, &options(Dtype::F32))
}

/// Ids and vectors, not scaled, are those of sentence-transformers.
#[track_caller]
fn check(model: &Model) {
    let expected = expected();
    let texts = expected["texts"].as_array().expect("texts");
    for (place, text) in texts.iter().enumerate() {
        let text = text.as_str().expect("a text");
        let ids = model.text_ids(text).expect("ids");
        assert_eq!(json!(ids), expected["ids"][place], "{text}");
        let found = block_on(model.embed_text(text, false)).expect("a vector");
        let wanted = expected["vectors"][place].as_array().expect("a vector");
        assert_eq!(found.len(), wanted.len());
        for (found, wanted) in found.iter().zip(wanted) {
            let wanted = wanted.as_f64().expect("a number") as f32;
            assert!((found - wanted).abs() < 1e-5, "{text}: {found}, {wanted}");
        }
    }
}

#[test]
fn texts_get_the_vectors_of_sentence_transformers() {
    let model = load_f32(&multilingual()).expect("a model");
    check(&model);
    let info = model.info();
    assert_eq!(
        (info.family, &info.tasks[..]),
        ("clip", &["embed-text"][..])
    );
    assert!(info.is_projected && info.image_size.is_none());
    let picture = obscura::image::from_rgba(1, 1, &[0; 4]).expect("a picture");
    let refused = block_on(model.embed_image(&picture, true));
    assert!(
        matches!(refused, Err(Error::UnsupportedTask(_))),
        "{refused:?}"
    );
}

#[test]
fn files_of_before_version_5_say_the_same() {
    let new = multilingual().files;
    let mut old = std::collections::BTreeMap::new();
    for (name, bytes) in new {
        let is_outside = name.contains('/') || name.ends_with("modules.json");
        let place = if is_outside {
            name
        } else {
            format!("0_Transformer/{name}")
        };
        old.insert(place, bytes);
    }
    let module = |place: usize, kind: &str| {
        json!({
            "idx": place, "name": place.to_string(), "path": format!("{place}_{kind}"),
            "type": format!("sentence_transformers.models.{kind}"),
        })
    };
    let kinds = ["Transformer", "Pooling", "Dense"];
    let modules: Vec<Value> = (0..)
        .zip(kinds)
        .map(|(place, kind)| module(place, kind))
        .collect();
    let mut put =
        |name: &str, value: Value| old.insert(name.to_string(), value.to_string().into_bytes());
    put("modules.json", json!(modules));
    put(
        "1_Pooling/config.json",
        json!({
            "word_embedding_dimension": 32, "pooling_mode_cls_token": false,
            "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": false,
            "pooling_mode_mean_sqrt_len_tokens": false,
        }),
    );
    put(
        "2_Dense/config.json",
        json!({
            "in_features": 32, "out_features": 24, "bias": false,
            "activation_function": "torch.nn.modules.linear.Identity",
        }),
    );
    put(
        "0_Transformer/sentence_bert_config.json",
        json!({ "max_seq_length": 20, "do_lower_case": false }),
    );
    // As the class with a head saves it.
    let file = "0_Transformer/model.safetensors";
    let mut tensors = tensors_of(&old[file]);
    for (info, _) in &mut tensors {
        info.name.insert_str(0, "distilbert.");
    }
    old.insert(file.to_string(), safetensors_of(&tensors));
    check(&load_f32(&Memory::of(old)).expect("a model"));
}

#[test]
fn gguf_files_and_cache_entries_keep_the_text_encoder() {
    let mut file = Vec::new();
    let mut source = Source::open(&under_tests(FOLDER)).expect("a model");
    convert(&mut source, &mut file, Dtype::F32, |_| {}).expect("a conversion");
    let file = Memory::of([(NAME, file)]);
    check(&load_files(&file, Some(NAME), &options(Dtype::F32)).expect("a model"));
    let kept = Kept::default();
    for files in [&multilingual(), &Memory::of([("none", Vec::new())])] {
        let (model, _) = kept.load(files, None, &options(Dtype::F32));
        check(&model.expect("a model"));
    }
}

#[test]
fn an_album_of_its_teacher_answers_in_other_languages() {
    let teacher = load_f32(&folder("clip-quick")).expect("a model");
    let student = load_f32(&multilingual()).expect("a model");
    let names = ["landscape.png", "portrait.png", "tiny.png", "grey.png"];
    let mut album = Album::open(Vec::new(), Some(block_on(teacher.identity()).unwrap())).unwrap();
    for name in names {
        let bytes = std::fs::read(under_tests(&format!("pictures/{name}"))).expect("a picture");
        let picture = obscura::image::decode(&bytes).expect("a picture");
        let vector = block_on(teacher.embed_image(&picture, true)).expect("a vector");
        album.add(&[name.to_string()], &vector).expect("added");
    }
    let file = album.close();
    let album = Album::open(file.clone(), Some(block_on(student.identity()).unwrap())).unwrap();
    let expected = expected();
    for (english, german) in expected["pairs"].as_object().expect("pairs") {
        let of = |model: &Model, text: &str| {
            let query = block_on(model.embed_text(text, true)).expect("a vector");
            album.search(&query, names.len()).expect("a search")
        };
        let (wanted, found) = (
            of(&teacher, english),
            of(&student, german.as_str().unwrap()),
        );
        for (wanted, found) in wanted.iter().zip(&found) {
            assert_eq!(found.key, wanted.key, "{german}");
            assert!(
                (found.similarity - wanted.similarity).abs() < 1e-4,
                "{german}"
            );
        }
    }
    // The teacher's own text encoder alone may search, too; another model's may not.
    let mut of_texts = options(Dtype::F32);
    of_texts.tasks = vec!["embed-text".to_string()];
    for (name, is_taken) in [
        ("clip-quick", true),
        ("clip-gelu", false),
        ("siglip", false),
    ] {
        let texts = load_files(&folder(name), None, &of_texts).expect("a model");
        let identity = block_on(texts.identity()).expect("an identity");
        let opened = Album::open(file.clone(), Some(identity)).is_ok();
        assert_eq!(opened, is_taken, "{name}");
    }
}

/// Loads the model with one field of a file replaced.
fn load_with(file: &str, field: &str, value: Value) -> Result<Model> {
    let mut files = multilingual().files;
    let mut config: Value = serde_json::from_slice(&files[file]).expect("JSON");
    config[field] = value;
    files.insert(file.to_string(), config.to_string().into_bytes());
    load_f32(&Memory::of(files))
}

#[test]
fn modules_that_compute_something_else_are_refused_by_name() {
    for (file, field, value) in [
        ("1_Pooling/config.json", "pooling_mode", json!("max")),
        (
            "1_Pooling/config.json",
            "pooling_mode",
            json!(["mean", "cls"]),
        ),
        (
            "2_Dense/config.json",
            "activation_function",
            json!("torch.nn.modules.activation.Tanh"),
        ),
        ("2_Dense/config.json", "use_residual", json!(true)),
        ("2_Dense/config.json", "in_features", json!(33)),
        (
            "2_Dense/config.json",
            "module_input_name",
            json!("token_embeddings"),
        ),
        ("sentence_bert_config.json", "do_lower_case", json!(true)),
        (
            "config_sentence_transformers.json",
            "default_prompt_name",
            json!("query"),
        ),
        ("config.json", "model_type", json!("mpnet")),
    ] {
        refused(load_with(file, field, value), &[file, field]);
    }
    let mut files = multilingual().files;
    files.remove("2_Dense/model.safetensors");
    refused(load_f32(&Memory::of(files)), &["no weights", "2_Dense/"]);
    let mut files = multilingual().files;
    files.remove("modules.json");
    refused(
        load_f32(&Memory::of(files)),
        &["distilbert", "modules.json"],
    );
}
