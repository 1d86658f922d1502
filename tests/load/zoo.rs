//! open_clip's own folders: what they say survives a GGUF file and a cache entry, and what is not
//! supported is refused by its name.

use super::memory::{Kept, Memory, load_files};
use super::sources::options;
use super::{NAME, refused, under_tests};
use obscura::load::convert::{Source, convert};
use obscura::nn::Dtype;
use obscura::tasks::Model;
use pollster::block_on;
use serde_json::{Value, json};

const MODELS: [&str; 9] = [
    "vit",
    "layer-scale",
    "clipa",
    "metaclip-2",
    "options",
    "no-projection",
    "roberta",
    "xlm-roberta",
    "bert",
];

fn zoo(name: &str) -> Memory {
    Memory::of_folder(&under_tests(&format!("golden/zoo/{name}")))
}

/// A picture's vector, and a text's.
fn vectors(model: &Model) -> [Vec<f32>; 2] {
    let bytes = std::fs::read(under_tests("pictures/landscape.png")).expect("a picture");
    let image = obscura::image::decode(&bytes).expect("a picture");
    [
        block_on(model.embed_image(&image, true)).expect("a vector"),
        block_on(model.embed_text("the red house", true)).expect("a vector"),
    ]
}

#[test]
fn gguf_files_and_cache_entries_keep_open_clips_options() {
    for name in MODELS {
        let files = zoo(name);
        let expected = vectors(&load_files(&files, None, &options(Dtype::F32)).expect(name));
        let folder = under_tests(&format!("golden/zoo/{name}"));
        let mut file = Vec::new();
        let mut source = Source::open(&folder).expect("a model");
        convert(&mut source, &mut file, Dtype::F32, |_| {}).expect("a conversion");
        let file = Memory::of([(NAME, file)]);
        let converted = load_files(&file, Some(NAME), &options(Dtype::F32)).expect(name);
        assert_eq!(vectors(&converted), expected, "{name}");
        let kept = Kept::default();
        for files in [&files, &Memory::of([("none", Vec::new())])] {
            let (model, _) = kept.load(files, None, &options(Dtype::F32));
            assert_eq!(vectors(&model.expect(name)), expected, "{name}");
        }
    }
}

/// Loads `vit` with one field of its open_clip_config.json replaced; `path` is a JSON pointer.
fn load_with(path: &str, value: Value) -> obscura::Result<Model> {
    let mut files = zoo("vit").files;
    let file = "open_clip_config.json";
    let mut config: Value = serde_json::from_slice(&files[file]).expect("JSON");
    let (parent, field) = path.rsplit_once('/').expect("a JSON pointer");
    config.pointer_mut(parent).expect("the parent")[field] = value;
    files.insert(file.to_string(), config.to_string().into_bytes());
    load_files(&Memory::of(files), None, &options(Dtype::F32))
}

#[test]
fn other_encoders_and_unknown_options_are_refused_by_name() {
    for (path, value, word) in [
        ("multimodal_cfg", json!({ "width": 8 }), "CoCa"),
        ("init_logit_bias", json!(-10), "SigLIP"),
        (
            "vision_cfg/timm_model_name",
            json!("convnext_base"),
            "convnext_base",
        ),
        (
            "text_cfg/hf_model_name",
            json!("google/mt5-base"),
            "google/mt5-base",
        ),
        (
            "vision_cfg/attentional_pool",
            json!(true),
            "attentional_pool",
        ),
        ("vision_cfg/pool_type", json!("none"), "pool_type"),
        ("vision_cfg/qk_norm", json!(true), "qk_norm"),
        (
            "vision_cfg/act_kwargs",
            json!({ "approximate": "other" }),
            "act_kwargs",
        ),
        (
            "vision_cfg/norm_kwargs",
            json!({ "bias": false }),
            "norm_kwargs.bias",
        ),
        ("vision_cfg/image_size", json!([48, 32]), "image_size"),
        ("vision_cfg/output_tokens", json!(true), "output_tokens"),
        ("vision_cfg/depth", json!(3), "depth"),
        ("text_cfg/embed_cls", json!(true), "embed_cls"),
        ("text_cfg/scale_fc", json!(true), "scale_fc"),
        ("text_cfg/proj_type", json!("mlp"), "proj_type"),
        ("text_cfg/tokenizer_mode", json!("clips"), "tokenizer_mode"),
        (
            "text_cfg/tokenizer_kwargs",
            json!({ "clean": "canonicalize" }),
            "clean",
        ),
        ("text_cfg/depth", json!(3), "depth"),
        ("width", json!(3), "width"),
    ] {
        let result = load_with(&format!("/model_cfg/{path}"), value);
        refused(result, &["open_clip_config.json", "model_cfg", word]);
    }
    for (field, value) in [
        ("mode", json!("L")),
        ("resize_mode", json!("crop")),
        ("interpolation", json!("lanczos")),
    ] {
        let result = load_with(&format!("/preprocess_cfg/{field}"), value);
        refused(result, &["open_clip_config.json", "preprocess_cfg", field]);
    }
    let result = load_with("/preprocess_cfg/fill_color", json!("red"));
    result.expect("a colour that is not asked for");
}

#[test]
fn a_language_model_needs_its_own_words_and_its_own_configuration() {
    let mut files = zoo("roberta").files;
    let config = files.remove("config.json").expect("a configuration");
    let without = load_files(&Memory::of(files.clone()), None, &options(Dtype::F32));
    refused(without, &["hf_model_name", "config.json beside"]);
    let named = String::from_utf8_lossy(&files["open_clip_config.json"]).into_owned();
    let named = named.replace(
        r#""hf_model_name": ".""#,
        r#""hf_model_name": "roberta-base""#,
    );
    let mut large = files.clone();
    large.insert("open_clip_config.json".into(), named.into_bytes());
    let large = load_files(&Memory::of(large), None, &options(Dtype::F32));
    refused(large, &["tensor '", "50265", "768"]);
    files.insert("config.json".into(), config);
    files.remove("tokenizer.json");
    for name in ["vocab.json", "merges.txt"] {
        files.insert(name.into(), b"{}".to_vec()); // read as CLIP's they would be other words
    }
    let without = load_files(&Memory::of(files), None, &options(Dtype::F32));
    refused(without, &["tokenizer.json"]);
}

#[test]
fn options_that_change_nothing_are_taken() {
    let expected = vectors(&load_files(&zoo("vit"), None, &options(Dtype::F32)).expect("a model"));
    for (path, value) in [
        ("model_cfg/custom_text", json!(true)),
        ("model_cfg/init_logit_scale", json!(2.0)),
        ("model_cfg/init_logit_bias", Value::Null),
        ("model_cfg/vision_cfg/patch_dropout", json!(0.5)),
        ("model_cfg/vision_cfg/timm_model_name", Value::Null),
        ("model_cfg/vision_cfg/timm_proj", json!("mlp")),
        ("model_cfg/vision_cfg/patch_size", json!([16, 16])),
        ("model_cfg/vision_cfg/block_type", json!("custom")),
        ("model_cfg/text_cfg/final_ln_after_pool", json!(true)),
        ("model_cfg/text_cfg/pad_id", json!(5)),
        ("preprocess_cfg/size", json!(99)), // open_clip takes the encoder's
        ("preprocess_cfg/interpolation", json!("random")), // for training
        ("preprocess_cfg/unheard_of", json!(1)), // open_clip drops it
    ] {
        let model = load_with(&format!("/{path}"), value);
        assert_eq!(vectors(&model.expect(path)), expected, "{path}");
    }
}
