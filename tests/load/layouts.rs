//! Models in the folders and forms that other tools write, against what the reference computes of
//! them. `scripts/reference/layouts.py` makes tests/golden/layouts.

use super::memory::{Memory, load_files};
use super::sources::{folder, options, safetensors_of, tensors_of};
use super::{opinions, refused, under_tests};
use obscura::load::convert::{Source, convert};
use obscura::load::{Event, NoStore, Options, Stores, load};
use obscura::nn::Dtype;
use obscura::tasks::{Filling, GuidanceOptions, Model};
use obscura::{Error, Result};
use pollster::block_on;
use serde_json::{Value, json};
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    under_tests("golden/layouts").join(name)
}

fn golden_files(name: &str) -> Memory {
    Memory::of_folder(&golden(name))
}

fn expected(name: &str) -> Value {
    let text = std::fs::read_to_string(golden(name).join("expected.json")).expect("a text");
    serde_json::from_str(&text).expect("JSON")
}

fn picture() -> image::RgbImage {
    let bytes = std::fs::read(golden("picture.png")).expect("a picture");
    obscura::image::decode(&bytes).expect("a picture")
}

/// Wants the same direction, within the reference's own rounding.
#[track_caller]
fn check_cosine(what: &str, found: &[f32], wanted: &Value) {
    let wanted: Vec<f64> = wanted
        .as_array()
        .expect(what)
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect();
    let found: Vec<f64> = found.iter().map(|x| f64::from(*x)).collect();
    assert_eq!(found.len(), wanted.len(), "{what}");
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let cosine = dot(&found, &wanted) / (dot(&found, &found) * dot(&wanted, &wanted)).sqrt();
    assert!(cosine > 1.0 - 1e-5, "{what}: {cosine}");
}

/// Wants all that is recorded of a model.
#[track_caller]
fn check(model: &Model, expected: &Value) {
    if !expected["image_vector"].is_null() {
        let vector = block_on(model.embed_image(&picture(), true)).expect("a vector");
        check_cosine("picture", &vector, &expected["image_vector"]);
    }
    if let Some(text) = expected["text"].as_str() {
        let vector = block_on(model.embed_text(text, true)).expect("a vector");
        check_cosine("text", &vector, &expected["text_vector"]);
    }
    for (name, text, pad) in [
        (
            "states",
            expected["text"].as_str().unwrap_or_default(),
            Filling::None,
        ),
        ("empty_states", "", Filling::EndToken),
    ] {
        if !expected[name].is_null() {
            let options = GuidanceOptions {
                pad,
                ..GuidanceOptions::default()
            };
            let found = block_on(model.embed_tokens(text, &options)).expect("states");
            check_cosine(name, &found.states, &expected[name]);
        }
    }
}

fn load_f32(files: &Memory, place: Option<&str>) -> Result<Model> {
    load_files(files, place, &options(Dtype::F32))
}

/// The files under a folder's name.
fn below(files: &Memory, folder: &str) -> Memory {
    let files = files.files.iter();
    Memory::of(files.map(|(name, bytes)| (format!("{folder}{name}"), bytes.clone())))
}

/// The same files under other names; those that become nothing are left out.
fn renamed(files: &Memory, rename: impl Fn(&str) -> Option<String>) -> Memory {
    let files = files.files.iter();
    Memory::of(files.filter_map(|(name, bytes)| Some((rename(name)?, bytes.clone()))))
}

/// Converts to GGUF, and wants the same of that.
fn check_converted(name: &str, place: &str) {
    let mut source = Source::open(&golden(name).join(place)).expect("a source");
    let mut file = Vec::new();
    convert(&mut source, &mut file, Dtype::F32, |_| {}).expect("a conversion");
    let files = Memory::of([("model.gguf", file)]);
    let model = load_f32(&files, Some("model.gguf")).expect("a model");
    check(&model, &expected(name));
}

#[test]
fn torch_files_of_every_form_give_the_references_vectors() {
    for name in ["legacy", "lightning"] {
        let model = load_f32(&golden_files(name), None).expect(name);
        check(&model, &expected(name));
        check_converted(name, "");
    }
}

#[test]
fn openais_torchscript_and_a_training_checkpoint_are_known_by_their_shapes() {
    let name = "torchscript";
    let model = load_f32(&golden_files(name), Some("ViT-S-8.pt")).expect("a model");
    check(&model, &expected(name));
    assert_eq!(model.info().image_size, Some(32));
    check_converted(name, "ViT-S-8.pt");
    // Nothing says that this is quick_gelu; what is beside it does.
    let mut files = golden_files(name);
    let guessed = load_f32(&files, Some("epoch_3.pt")).expect("a model");
    let vector = block_on(guessed.embed_text("a cat", false)).expect("a vector");
    let wanted = expected(name)["text_vector"][0].as_f64().unwrap() as f32;
    assert!(
        (vector[0] - wanted).abs() > 1e-4,
        "the activation is another"
    );
    let open_clip = json!({
        "model_cfg": {
            "embed_dim": 16, "quick_gelu": true,
            "vision_cfg": { "image_size": 32, "layers": 1, "width": 64, "patch_size": 8 },
            "text_cfg": { "context_length": 12, "vocab_size": 56, "width": 64, "heads": 1, "layers": 1 },
        },
        "preprocess_cfg": {},
    });
    files.files.insert(
        "open_clip_config.json".into(),
        open_clip.to_string().into_bytes(),
    );
    check(
        &load_f32(&files, Some("epoch_3.pt")).expect("a model"),
        &expected(name),
    );
}

#[test]
fn a_guess_is_told() {
    let files = golden_files("torchscript");
    let told = |file: &str| {
        let mut warnings = Vec::new();
        let no_entry: Option<Stores<NoStore>> = None;
        let listen = |event: Event| {
            if let Event::Warning(text) = event {
                warnings.push(text.to_string());
            }
        };
        let placement = obscura::device::Placement::cpu();
        let options = Options::default();
        let loading = load(
            "m",
            &files,
            Some(file),
            no_entry,
            &options,
            placement,
            listen,
        );
        block_on(loading).expect("a model");
        warnings
    };
    assert_eq!(told("ViT-S-8.pt"), [""; 0]);
    let warnings = told("epoch_3.pt");
    assert!(
        warnings.len() == 1 && warnings[0].contains("quick_gelu"),
        "{warnings:?}"
    );
}

#[test]
fn encoders_saved_alone_give_vectors_and_states() {
    for (name, tasks, is_projected) in [
        ("text", ["embed-text"], false),
        ("text-projected", ["embed-text"], true),
        ("picture", ["embed-image"], false),
        ("picture-projected", ["embed-image"], true),
    ] {
        let model = load_f32(&golden_files(name), None).expect(name);
        check(&model, &expected(name));
        let info = model.info();
        assert_eq!(
            (&info.tasks[..], info.is_projected),
            (&tasks[..], is_projected),
            "{name}"
        );
        assert_eq!(
            info.image_size.is_some(),
            tasks == ["embed-image"],
            "{name}"
        );
        check_converted(name, "");
    }
}

#[test]
fn blip_model_compares_as_clip_does() {
    let name = "blip-model";
    let model = load_f32(&golden_files(name), None).expect("a model");
    let expected = expected(name);
    check(&model, &expected);
    check_converted(name, "");
    assert_eq!(model.info().tasks, ["embed", "classify", "match"]);
    let labels: Vec<String> = serde_json::from_value(expected["labels"].clone()).unwrap();
    let scored =
        block_on(model.classify(&picture(), &labels, &["{}".to_string()])).expect("scores");
    for (label, wanted) in labels.iter().zip(expected["scores"].as_array().unwrap()) {
        let found = scored
            .iter()
            .find(|found| &found.label == label)
            .expect("a score");
        assert!(
            (f64::from(found.score) - wanted.as_f64().unwrap()).abs() < 1e-4,
            "{label}"
        );
    }
    let matches = block_on(model.match_texts(&picture(), &labels)).expect("matches");
    assert!(matches.iter().all(|found| found.probability.is_none()));
    let looks = block_on(model.match_texts_with_attention(&picture(), &labels));
    assert!(matches!(looks, Err(Error::UnsupportedTask(_))));
}

#[test]
fn an_encoder_alone_refuses_what_takes_the_other() {
    let text = load_f32(&golden_files("text"), None).expect("a model");
    let picture = self::picture();
    let no_pictures = block_on(text.embed_image(&picture, true)).expect_err("no picture");
    assert!(
        matches!(no_pictures, Error::UnsupportedTask(_)),
        "{no_pictures}"
    );
    let labels = ["a".to_string()];
    let no_labels = block_on(text.classify(&picture, &labels, &[])).expect_err("no labels");
    assert!(
        matches!(no_labels, Error::UnsupportedTask(_)),
        "{no_labels}"
    );
    let vision = load_f32(&golden_files("picture"), None).expect("a model");
    let no_texts = block_on(vision.embed_text("a", true)).expect_err("no text");
    assert!(matches!(no_texts, Error::UnsupportedTask(_)), "{no_texts}");
}

#[test]
fn older_names_with_the_prefix_mean_the_same_encoder() {
    let mut files = golden_files("text");
    let mut tensors = tensors_of(&files.files["model.safetensors"]);
    for (info, _) in &mut tensors {
        info.name.insert_str(0, "text_model.");
    }
    files
        .files
        .insert("model.safetensors".into(), safetensors_of(&tensors));
    check(&load_f32(&files, None).expect("a model"), &expected("text"));
    let comfy = renamed(&files, |name| match name {
        "config.json" => None,
        "model.safetensors" => Some("clip_l.safetensors".to_string()),
        name => Some(name.to_string()),
    });
    // Its heads are 8 wide: no text encoder that is told by its shapes has such.
    refused(
        load_f32(&comfy, Some("clip_l.safetensors")),
        &["config.json is missing"],
    );
}

#[test]
fn a_pipelines_text_encoder_finds_its_tokenizer_beside() {
    let pipeline = |number: &str| {
        renamed(&golden_files("text"), |name| match name {
            "vocab.json" | "merges.txt" => Some(format!("tokenizer{number}/{name}")),
            name => Some(format!("text_encoder{number}/{name}")),
        })
    };
    let mut first = pipeline("");
    let index = json!({
        "_class_name": "StableDiffusionPipeline",
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
    });
    first
        .files
        .insert("model_index.json".into(), index.to_string().into_bytes());
    first.files.extend(pipeline("_2").files);
    for place in [None, Some("text_encoder/"), Some("text_encoder_2/")] {
        let model = load_f32(&first, place).expect("a model");
        check(&model, &expected("text"));
    }
    first.files.remove("tokenizer_2/vocab.json");
    refused(
        load_f32(&first, Some("text_encoder_2/")),
        &["tokenizer", "tokenizer_2/"],
    );
    let other =
        json!({"_class_name": "FluxPipeline", "text_encoder": ["transformers", "T5EncoderModel"]});
    let files = Memory::of([("model_index.json", other.to_string().into_bytes())]);
    refused(load_f32(&files, None), &["FluxPipeline", "T5EncoderModel"]);
}

#[test]
fn an_image_encoder_of_a_pipeline_finds_its_settings_beside() {
    let files = renamed(&golden_files("picture-projected"), |name| match name {
        "preprocessor_config.json" => Some(format!("feature_extractor/{name}")),
        name => Some(format!("image_encoder/{name}")),
    });
    let model = load_f32(&files, Some("image_encoder/")).expect("a model");
    check(&model, &expected("picture-projected"));
}

#[test]
fn a_folder_of_sentence_transformers_is_found_by_its_modules() {
    let whole = folder("clip-quick");
    let wanted = vectors(&load_f32(&whole, None).expect("a model"));
    let mut files = below(&whole, "0_CLIPModel/");
    let modules = json!([
        {"idx": 0, "name": "0", "path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"},
    ]);
    files
        .files
        .insert("modules.json".into(), modules.to_string().into_bytes());
    assert_eq!(vectors(&load_f32(&files, None).expect("a model")), wanted);
    // In parts, whose index names files of the same folder.
    let tensors = tensors_of(&files.files["0_CLIPModel/model.safetensors"]);
    let part = "model-00001-of-00001.safetensors";
    let map: serde_json::Map<String, Value> = tensors
        .iter()
        .map(|(info, _)| (info.name.clone(), json!(part)))
        .collect();
    let weights = files.files.remove("0_CLIPModel/model.safetensors").unwrap();
    files.files.insert(format!("0_CLIPModel/{part}"), weights);
    let index = json!({ "weight_map": map }).to_string().into_bytes();
    files
        .files
        .insert("0_CLIPModel/model.safetensors.index.json".into(), index);
    assert_eq!(vectors(&load_f32(&files, None).expect("a model")), wanted);
}

/// What a CLIP says about a picture and a text.
fn vectors(model: &Model) -> [Vec<f32>; 2] {
    [
        block_on(model.embed_image(&picture(), true)).expect("a vector"),
        block_on(model.embed_text("a cat", true)).expect("a vector"),
    ]
}

#[test]
fn variants_are_taken_where_there_is_nothing_else() {
    let whole = folder("clip-quick");
    let wanted = vectors(&load_f32(&whole, None).expect("a model"));
    for name in ["model.fp16.safetensors", "model.bf16.safetensors"] {
        let files = renamed(&whole, |file| match file {
            "model.safetensors" => Some(name.to_string()),
            file => Some(file.to_string()),
        });
        assert_eq!(vectors(&load_f32(&files, None).expect(name)), wanted);
    }
    let part = "model.fp16-00001-of-00001.safetensors";
    let mut files = renamed(&whole, |file| match file {
        "model.safetensors" => Some(part.to_string()),
        file => Some(file.to_string()),
    });
    let index = json!({ "weight_map": { "logit_scale": part } })
        .to_string()
        .into_bytes();
    files
        .files
        .insert("model.safetensors.index.fp16.json".into(), index);
    assert_eq!(vectors(&load_f32(&files, None).expect("a model")), wanted);
}

#[test]
fn processor_config_of_transformers_5_holds_the_image_processor() {
    for name in ["clip-quick", "blip-all"] {
        let mut files = folder(name);
        let wanted = block_on(
            load_f32(&files, None)
                .expect(name)
                .embed_image(&picture(), true),
        );
        let settings = files
            .files
            .remove("preprocessor_config.json")
            .expect("settings");
        let settings: Value = serde_json::from_slice(&settings).expect("JSON");
        let nested = json!({ "image_processor": settings, "processor_class": "Processor" });
        files.files.insert(
            "processor_config.json".into(),
            nested.to_string().into_bytes(),
        );
        let found = block_on(
            load_f32(&files, None)
                .expect(name)
                .embed_image(&picture(), true),
        );
        assert_eq!(found, wanted);
        // Before transformers 5 it held no such thing.
        let old = json!({ "processor_class": "Processor" });
        files
            .files
            .insert("processor_config.json".into(), old.to_string().into_bytes());
        refused(
            load_f32(&files, None),
            &["preprocessor_config.json", "processor_config.json"],
        );
    }
}

#[test]
fn timms_own_config_does_not_hide_open_clips_files() {
    let mut files = Memory::of_folder(&under_tests("golden/clip-resnet/model"));
    let wanted = vectors(&load_f32(&files, None).expect("a model"));
    let timm =
        json!({"architecture": "resnet50_clip", "pretrained_cfg": {"input_size": [3, 224, 224]}});
    files
        .files
        .insert("config.json".into(), timm.to_string().into_bytes());
    // timm's image encoder alone has Hugging Face's name there.
    let tensors = tensors_of(&folder("clip-quick").files["model.safetensors"]);
    files
        .files
        .insert("model.safetensors".into(), safetensors_of(&tensors[..3]));
    assert_eq!(vectors(&load_f32(&files, None).expect("a model")), wanted);
    files.files.remove("open_clip_config.json");
    refused(
        load_f32(&files, None),
        &["timm", "resnet50_clip", "open_clip_config.json"],
    );
}

#[test]
fn wrapped_models_are_unwrapped() {
    let wanted = opinions(&load_f32(&folder("blip-all"), None).expect("a model"));
    for prefix in [
        "module.",
        "model.",
        "model.module.",
        "_orig_mod.",
        "base_model.model.",
        "net.",
    ] {
        let mut files = folder("blip-all");
        let mut tensors = tensors_of(&files.files["model.safetensors"]);
        for (info, _) in &mut tensors {
            info.name.insert_str(0, prefix);
        }
        files
            .files
            .insert("model.safetensors".into(), safetensors_of(&tensors));
        assert_eq!(
            opinions(&load_f32(&files, None).expect(prefix)),
            wanted,
            "{prefix}"
        );
    }
}

/// Only for what would count if it were there: settings of transformers 5, and an adapter.
#[test]
fn an_ordinary_folder_is_asked_for_little_that_it_lacks() {
    let of_transformers_4 = vec!["processor_config.json", "adapter_config.json"];
    for (files, missed) in [
        (folder("clip-quick"), of_transformers_4.clone()),
        (
            Memory::of_folder(&under_tests("golden/clip-resnet/model")),
            vec!["config.json", "adapter_config.json"],
        ),
        (golden_files("picture"), of_transformers_4),
    ] {
        load_f32(&files, None).expect("a model");
        assert_eq!(files.missed.take(), missed);
    }
}
