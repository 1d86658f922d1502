//! Adapters that cannot be merged: each is refused by a message that names the field or the tensor.
//! What changes nothing in PEFT changes nothing here.

use super::adapters::{asking_for, with_adapters};
use super::memory::{Memory, load_files};
use super::sources::{folder, options, safetensors_of, tensors_of};
use super::{opinions, refused};
use obscura::Error;
use obscura::nn::Dtype;
use serde_json::{Value, json};

const NAME: &str = "blip-plain";
const WEIGHTS: &str = "blip-plain/adapter_model.safetensors";

fn files() -> Memory {
    with_adapters(folder("blip-caption"), &[NAME])
}

/// The golden BLIP and an adapter whose configuration is changed.
fn with_config(change: impl FnOnce(&mut Value)) -> Memory {
    let mut files = files();
    let file = files
        .files
        .get_mut("blip-plain/adapter_config.json")
        .expect("a configuration");
    let mut config = serde_json::from_slice(file).expect("JSON");
    change(&mut config);
    *file = config.to_string().into_bytes();
    files
}

fn load(files: &Memory) -> obscura::Result<obscura::tasks::Model> {
    load_files(files, None, &asking_for(&[NAME], Dtype::F32))
}

#[test]
fn a_field_that_changes_the_result_is_refused_by_its_name() {
    for (field, value) in [
        ("peft_type", json!("ADALORA")),
        ("peft_type", json!("LOHA")),
        ("peft_type", json!("PROMPT_TUNING")),
        ("peft_type", json!(null)),
        ("use_dora", json!(true)),
        ("use_qalora", json!(true)),
        ("use_bdlora", json!({"nblocks": 2})),
        ("kasa_config", json!({"beta": 0.1})),
        ("kasa_config", json!({})),
        ("velora_config", json!({"scale": 1.0})),
        ("monteclora_config", json!({"num_samples": 8})),
        ("arrow_config", json!({"top_k": 3})),
        ("alora_invocation_tokens", json!([1, 2])),
        ("trainable_token_indices", json!([5])),
        ("layer_replication", json!([[0, 1], [0, 2]])),
        ("target_parameters", json!(["qkv.weight"])),
        ("ensure_weight_tying", json!(true)),
        ("megatron_config", json!({"tensor_parallel": 2})),
        ("init_lora_weights", json!("pissa")),
        ("init_lora_weights", json!("pissa_niter_16")),
        ("init_lora_weights", json!("olora")),
        ("init_lora_weights", json!("corda")),
        ("init_lora_weights", json!("loftq")),
        ("init_lora_weights", json!("lora_ga")),
        ("bias", json!("some")),
        ("r", json!(4)),
        ("r", json!(0)),
        ("rank_pattern", json!({"query": 4})),
        ("rank_pattern", json!([2])),
        ("rank_pattern", json!({"quer(y": 2})),
        ("alpha_pattern", json!({"query": "four"})),
        ("lora_alpha", json!(null)),
        ("use_rslora", json!("yes")),
        ("target_modules", json!(["query"])),
        ("target_modules", json!("query")),
        ("target_modules", json!(".*(query")),
        ("exclude_modules", json!(["qkv"])),
        ("exclude_modules", json!(".*qkv")),
        ("layers_to_transform", json!([1])),
        ("layers_to_transform", json!("one")),
        ("modules_to_save", json!(["itm_head", "qkv"])),
        ("modules_to_save", json!(["post_layernorm"])),
        ("a_field_of_tomorrow", json!("on")),
    ] {
        let files = with_config(|config| config[field] = value.clone());
        refused(load(&files), &["adapter_config.json", field]);
    }
}

#[test]
fn a_field_that_changes_nothing_in_peft_changes_nothing_here() {
    let expected = opinions_of(&files());
    for (field, value) in [
        ("fan_in_fan_out", json!(true)),
        ("lora_dropout", json!(0.5)),
        ("inference_mode", json!(false)),
        ("task_type", json!("FEATURE_EXTRACTION")),
        ("bias", json!("lora_only")),
        ("lora_bias", json!(true)),
        ("init_lora_weights", json!("gaussian")),
        ("init_lora_weights", json!("orthogonal")),
        ("init_lora_weights", json!(false)),
        ("megatron_core", json!("another")),
        ("qalora_group_size", json!(32)),
        ("loftq_config", json!({"loftq_bits": 4})),
        ("target_modules", json!(r".*\.(query|value|qkv|fc1)")),
        ("target_modules", json!("all-linear")),
        ("rank_pattern", json!({"nothing": 7})),
        ("rank_pattern", json!(null)),
        ("layers_to_transform", json!([0, 1, 2])),
        ("peft_version", json!("0.1.0")),
        ("a_field_of_tomorrow", json!(null)),
    ] {
        let files = with_config(|config| config[field] = value.clone());
        assert_eq!(opinions_of(&files), expected, "{field}: {value}");
    }
    let without = with_config(|config| {
        let fields = config.as_object_mut().expect("an object");
        fields.retain(|name, _| {
            ["peft_type", "r", "lora_alpha", "target_modules"].contains(&name.as_str())
        });
    });
    assert_eq!(opinions_of(&without), expected, "an old configuration");
}

/// What the captioner says of a picture; equal numbers alone are equal.
fn opinions_of(files: &Memory) -> (Vec<u32>, f32) {
    let model = load(files).expect("a model");
    super::captioned(&model)
}

#[test]
fn the_first_pattern_that_fits_counts() {
    // A rank that PEFT takes from the first of two patterns is wrong in the second order alone.
    let text = |patterns: &str| {
        format!(
            r#"{{"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["query", "value", "qkv", "fc1"], "rank_pattern": {patterns}}}"#
        )
    };
    for (patterns, right) in [
        (r#"{"self.query": 2, "query": 3}"#, true),
        (r#"{"query": 3, "self.query": 2}"#, false),
    ] {
        let mut files = files();
        files.files.insert(
            "blip-plain/adapter_config.json".to_string(),
            text(patterns).into_bytes(),
        );
        match right {
            true => drop(load(&files).expect("a model")),
            false => refused(load(&files), &["rank_pattern", "rank 3"]),
        }
    }
}

/// The adapter with its tensors changed.
fn with_tensors(change: impl FnOnce(&mut Vec<(obscura::weights::TensorInfo, Vec<u8>)>)) -> Memory {
    let mut files = files();
    let mut tensors = tensors_of(&files.files[WEIGHTS]);
    change(&mut tensors);
    files
        .files
        .insert(WEIGHTS.to_string(), safetensors_of(&tensors));
    files
}

#[test]
fn every_tensor_of_an_adapter_is_of_use_or_refused_by_its_name() {
    let query =
        "base_model.model.text_decoder.bert.encoder.layer.0.attention.self.query.lora_A.weight";
    let place = |tensors: &Vec<(obscura::weights::TensorInfo, Vec<u8>)>| {
        tensors
            .iter()
            .position(|(info, _)| info.name == query)
            .expect("a matrix")
    };
    let renamed = |name: &str| {
        with_tensors(|tensors| {
            let place = place(tensors);
            tensors[place].0.name = name.to_string();
        })
    };
    for name in [
        "base_model.model.text_decoder.bert.encoder.layer.9.attention.self.query.lora_A.weight",
        "base_model.model.language_model.query.lora_A.weight",
        "base_model.model.text_decoder.bert.encoder.layer.0.attention.self.query.lora_C.weight",
        "base_model.model.text_decoder.bert.encoder.layer.0.attention.self.query.lora_magnitude_vector",
        "something.else",
    ] {
        refused(
            load(&renamed(name)),
            &["blip-plain/adapter_model.safetensors", name],
        );
    }
    let alone = with_tensors(|tensors| {
        let place = place(tensors);
        tensors.remove(place);
    });
    refused(load(&alone), &["query.lora_B.weight", "alone"]);
    let narrow = with_tensors(|tensors| {
        let place = place(tensors);
        tensors[place].0.shape = vec![2, 24];
        tensors[place].1.truncate(2 * 24 * 4);
    });
    refused(
        load(&narrow),
        &["query.lora_A.weight", "[2, 24]", "[48, 48]"],
    );
    let infinite = with_tensors(|tensors| {
        let place = place(tensors);
        tensors[place].1[..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    });
    refused(load(&infinite), &["query.lora_A.weight", "inf"]);
    refused(
        load(&with_tensors(Vec::clear)),
        &["adapter_model.safetensors", "no weights"],
    );
}

#[test]
fn an_adapter_without_its_files_or_its_base_says_so() {
    let mut files = files();
    files.files.remove(WEIGHTS);
    refused(
        load(&files),
        &["blip-plain/adapter_model.safetensors", "missing"],
    );
    files.files.remove("blip-plain/adapter_config.json");
    match load(&files) {
        Err(Error::BadInput(message)) => {
            assert!(message.contains("adapter_config.json"), "{message}")
        }
        other => panic!("{:?}", other.map(|_| ())),
    }
    let alone = Memory::of(super::adapters::adapter(NAME));
    let loaded = load_files(&alone, None, &options(Dtype::F32));
    refused(loaded, &["adapter", "owner/blip-caption", "base"]);
}

#[test]
fn an_adapter_for_another_model_is_refused() {
    let files = with_adapters(folder("clip-quick"), &[NAME]);
    refused(
        load(&files),
        &[
            "blip-plain",
            "another model",
            "BlipForConditionalGeneration",
        ],
    );
}

#[test]
fn two_adapters_that_bring_the_same_tensor_are_refused() {
    let names = ["blip-plain", "blip-words", "blip-words-again"];
    let mut files = with_adapters(folder("blip-caption"), &names[..2]);
    for (file, bytes) in super::adapters::adapter("blip-words") {
        files
            .files
            .insert(format!("blip-words-again/{file}"), bytes);
    }
    load_files(&files, None, &asking_for(&names[..2], Dtype::F32)).expect("a model");
    let both = load_files(&files, None, &asking_for(&names, Dtype::F32));
    refused(
        both,
        &["word_embeddings.weight", "blip-words", "blip-words-again"],
    );
}

#[test]
fn a_caption_differs_with_the_adapter() {
    let plain = load_files(&folder("blip-caption"), None, &options(Dtype::F32)).expect("a model");
    assert_ne!(super::captioned(&plain), opinions_of(&files()));
    let all = load_files(&folder("blip-all"), None, &options(Dtype::F32)).expect("a model");
    let adapted = with_adapters(folder("blip-all"), &[NAME]);
    assert_ne!(opinions(&all), opinions(&load(&adapted).expect("a model")));
}
