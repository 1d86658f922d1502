//! A CoCa in open_clip's form: its parts alone, in the containers that it may come in.

use super::memory::{Kept, Memory, load_files};
use super::sources::{folder, options, safetensors_of, tensors_of};
use super::{NAME, opinions, refused, under_tests};
use obscura::load::Options;
use obscura::load::convert::{Source, convert};
use obscura::nn::Dtype;
use obscura::tasks::Model;
use pollster::block_on;
use serde_json::json;

const CONFIG: &str = "open_clip_config.json";
const WEIGHTS: &str = "open_clip_model.safetensors";

/// What it writes, how sure it is, and the vectors of the same picture and of a text.
fn says(model: &Model) -> (Vec<u32>, f32, Vec<f32>, Vec<f32>) {
    let (tokens, score, image) = opinions(model);
    let text = block_on(model.embed_text("a photo of a cat", true)).expect("a vector");
    (tokens, score, image, text)
}

fn for_tasks(tasks: &[&str]) -> Model {
    let options = Options {
        tasks: tasks.iter().map(|task| task.to_string()).collect(),
        ..options(Dtype::F32)
    };
    load_files(&folder("coca"), None, &options).expect("a part of a model")
}

#[test]
fn files_and_cache_entries_and_wrapped_names_say_the_same() {
    let files = folder("coca");
    let expected = says(&load_files(&files, None, &options(Dtype::F32)).expect("a model"));
    let mut file = Vec::new();
    let mut source = Source::open(&under_tests("golden/coca/model")).expect("a model");
    convert(&mut source, &mut file, Dtype::F32, |_| {}).expect("a conversion");
    let file = Memory::of([(NAME, file)]);
    let converted = load_files(&file, Some(NAME), &options(Dtype::F32)).expect("a file");
    assert_eq!(says(&converted), expected);
    let kept = Kept::default();
    for files in [&files, &Memory::of([("none", Vec::new())])] {
        let (model, _) = kept.load(files, None, &options(Dtype::F32));
        assert_eq!(says(&model.expect("a kept model")), expected);
    }
    let mut wrapped = files.files.clone();
    let mut tensors = tensors_of(&wrapped[WEIGHTS]);
    for (info, _) in &mut tensors {
        info.name.insert_str(0, "module.");
    }
    wrapped.insert(WEIGHTS.to_string(), safetensors_of(&tensors));
    let wrapped = load_files(&Memory::of(wrapped), None, &options(Dtype::F32));
    assert_eq!(says(&wrapped.expect("a wrapped model")), expected);
}

/// As LAION has them: the network's options alone, and no tokenizer.
#[test]
fn options_alone_with_the_words_of_another_repository_say_the_same() {
    let mut files = folder("coca").files;
    let expected = says(&load_files(&folder("coca"), None, &options(Dtype::F32)).expect("a model"));
    let config: serde_json::Value = serde_json::from_slice(&files[CONFIG]).expect("JSON");
    let alone = config["model_cfg"].to_string().into_bytes();
    files.insert(CONFIG.to_string(), alone);
    let words = files.remove("tokenizer.json").expect("a tokenizer");
    let without = load_files(&Memory::of(files.clone()), None, &options(Dtype::F32));
    refused(without, &["no tokenizer", "openai/clip-vit-base-patch32"]);
    files.insert(
        "openai/clip-vit-base-patch32/tokenizer.json".to_string(),
        words,
    );
    let model = load_files(&Memory::of(files), None, &options(Dtype::F32));
    assert_eq!(says(&model.expect("LAION's form")), expected);
}

#[test]
fn each_task_takes_its_own_parts() {
    let whole = load_files(&folder("coca"), None, &options(Dtype::F32)).expect("a model");
    let (tokens, score, image, text) = says(&whole);
    let vectors = for_tasks(&["embed"]);
    assert_eq!(vectors.info().tasks, ["embed", "classify", "match"]);
    assert!(vectors.info().parameters < whole.info().parameters);
    let only_text = for_tasks(&["embed-text"]);
    assert_eq!(only_text.info().tasks, ["embed-text"]);
    for model in [&vectors, &only_text] {
        let found = block_on(model.embed_text("a photo of a cat", true)).expect("a vector");
        assert_eq!(found, text);
    }
    let picture = super::picture();
    let only_image = for_tasks(&["embed-image"]);
    let found = block_on(only_image.embed_image(&picture, true)).expect("a vector");
    assert_eq!(found, image);
    let writer = for_tasks(&["caption"]);
    assert_eq!(writer.info().tasks, ["caption"]);
    assert_eq!(super::captioned(&writer), (tokens, score));
    let refusal = block_on(writer.embed_image(&picture, true)).expect_err("no vectors");
    assert_eq!(refusal.code(), "unsupported_task");
}

#[test]
fn what_no_released_model_has_is_refused_by_name() {
    for (path, value, word) in [
        (
            "vision_cfg/attentional_pool",
            json!("cascade"),
            "attentional_pool",
        ),
        (
            "vision_cfg/timm_model_name",
            json!("vit_base_patch16_siglip_224"),
            "CoCa",
        ),
        (
            "text_cfg/hf_model_name",
            json!("roberta-base"),
            "roberta-base",
        ),
        (
            "text_cfg/hf_tokenizer_name",
            json!("roberta-base"),
            "roberta-base",
        ),
        ("text_cfg/pad_id", json!(1), "pad_id"),
        ("text_cfg/embed_cls", json!(false), "embed_cls"),
        ("pad_id", json!(1), "pad_id"),
        ("multimodal_cfg/depth", json!(2), "multimodal_cfg.depth"),
    ] {
        let mut files = folder("coca").files;
        let mut config: serde_json::Value = serde_json::from_slice(&files[CONFIG]).expect("JSON");
        let path = format!("/model_cfg/{path}");
        let (parent, field) = path.rsplit_once('/').expect("a JSON pointer");
        config.pointer_mut(parent).expect("the parent")[field] = value;
        files.insert(CONFIG.to_string(), config.to_string().into_bytes());
        let result = load_files(&Memory::of(files), None, &options(Dtype::F32));
        refused(result, &[CONFIG, word]);
    }
}
