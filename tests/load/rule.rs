//! The rule that no field and no tensor is passed over in silence: each field of a good folder is
//! renamed and changed, each tensor renamed. What comes of it is a refusal that names the field or the
//! tensor, or the result of before, of a field that is known to change nothing, or another result, of
//! a field that counts.

use super::memory::{Memory, load_files};
use super::sources::{options, safetensors_of, tensors_of};
use super::{opinions, under_tests};
use obscura::nn::Dtype;
use obscura::{Error, Result};
use pollster::block_on;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The files of a golden model: of `name/model`, or of `name` where that is all of it.
fn files_of(name: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = under_tests(&format!("golden/{name}"));
    let inside = folder.join("model");
    Memory::of_tree(if inside.is_dir() { &inside } else { &folder }).files
}

/// What a model says: a picture's vector, and a text's or a caption.
fn says(files: &Memory) -> Result<Vec<f32>> {
    let model = load_files(files, None, &options(Dtype::F32))?;
    if model.info().tasks.contains(&"caption") {
        let (tokens, score, vector) = opinions(&model);
        let tokens = tokens.into_iter().map(|token| token as f32);
        let mut said: Vec<f32> = tokens.chain([score]).chain(vector).collect();
        said.extend(block_on(model.embed_text("a cat", true))?);
        return Ok(said);
    }
    let mut said = block_on(model.embed_text("a cat", true))?;
    if !model.info().tasks.contains(&"embed-text") {
        let bytes = std::fs::read(under_tests("pictures/landscape.png")).expect("a picture");
        let image = obscura::image::decode(&bytes)?;
        said.extend(block_on(model.embed_image(&image, true))?);
        said.extend(block_on(model.gauge()).map(|gauge| [gauge.scale, gauge.bias])?);
    }
    Ok(said)
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Refused,
    Unchanged,
    Counts,
}

/// What a changed folder comes to. A refusal must have one of `words` in it.
#[track_caller]
fn outcome(files: &Memory, before: &[f32], words: &[&str]) -> Outcome {
    match says(files) {
        Ok(said) if said == before => Outcome::Unchanged,
        Ok(_) => Outcome::Counts,
        Err(Error::BadWeights(message) | Error::BadInput(message)) => {
            let names = words.iter().any(|word| message.contains(word));
            assert!(names, "none of {words:?} in: {message}");
            Outcome::Refused
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// The JSON pointers of all fields of objects, which are no objects themselves.
fn fields(value: &Value, path: &str, found: &mut Vec<String>) {
    let Value::Object(inside) = value else {
        found.push(path.to_string());
        return;
    };
    for (name, value) in inside {
        fields(value, &format!("{path}/{name}"), found);
    }
}

/// Other values of the same type, and one of another.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => vec![json!("other"), json!(1)],
        Value::Bool(value) => vec![json!(!value), json!("other")],
        Value::Number(number) if number.is_u64() => {
            let number = number.as_u64().unwrap_or_default();
            vec![json!(number + 1), json!(2 * number + 2), json!("other")]
        }
        Value::Number(number) => vec![
            json!(number.as_f64().unwrap_or_default() + 0.5),
            json!("other"),
        ],
        Value::String(_) => vec![json!("other"), json!(7)],
        _ => vec![json!(["other"]), json!(7)],
    }
}

/// What may stand in a refusal of a field: its name, or what it is called in the configuration that is
/// made of it; a tensor whose size it contradicts; of a picture's size, that of a patch.
fn words(path: &str) -> Vec<&str> {
    let (_, field) = path.rsplit_once('/').expect("a pointer");
    let made = match field {
        "width" if path.contains("_cfg") => "hidden_size",
        "heads" => "num_attention_heads",
        "embed_dim" => "projection",
        // A number in place of a list makes a vision transformer of a ResNet.
        "layers" => "head_width",
        "height" | "width" | "crop_size" | "size" | "image_size" => "patches",
        _ => field,
    };
    vec![field, made, "tensor '"]
}

/// Changes every field of `file` and checks what comes of it: fields named in `harmless` change
/// nothing in all their values, others are refused or count in all theirs.
fn check_fields(name: &str, file: &str, harmless: &[&str]) {
    let whole = files_of(name);
    let before = says(&Memory::of(whole.clone())).expect("a model");
    let config: Value = serde_json::from_slice(&whole[file]).expect("JSON");
    let mut paths = Vec::new();
    fields(&config, "", &mut paths);
    let mut unaffected = BTreeSet::new();
    for path in &paths {
        let words = words(path);
        for other in others(config.pointer(path).expect("a value")) {
            let mut changed = config.clone();
            *changed.pointer_mut(path).expect("a value") = other.clone();
            let mut files = whole.clone();
            files.insert(file.to_string(), changed.to_string().into_bytes());
            eprintln!("{name}/{file}{path} = {other}"); // shown if it fails
            let found = outcome(&Memory::of(files), &before, &words);
            if found == Outcome::Unchanged {
                unaffected.insert(&path[1..]);
            }
        }
    }
    let harmless: BTreeSet<&str> = harmless.iter().copied().collect();
    assert_eq!(unaffected, harmless, "{name}/{file}");
}

/// Gives every field of `file` another name: it is refused by that name.
fn check_names(name: &str, file: &str) {
    let whole = files_of(name);
    let before = says(&Memory::of(whole.clone())).expect("a model");
    let config: Value = serde_json::from_slice(&whole[file]).expect("JSON");
    let mut paths = Vec::new();
    fields(&config, "", &mut paths);
    for path in &paths {
        let (parent, field) = path.rsplit_once('/').expect("a pointer");
        let mut changed = config.clone();
        let object = changed.pointer_mut(parent).and_then(Value::as_object_mut);
        let object = object.expect("an object");
        let value = object.remove(field).expect("a value");
        let is_off = value.is_null();
        let other = format!("{field}_of_old");
        object.insert(other.clone(), value);
        let mut files = whole.clone();
        files.insert(file.to_string(), changed.to_string().into_bytes());
        eprintln!("{name}/{file}{path}"); // shown if it fails
        let found = outcome(&Memory::of(files), &before, &[&other, field]);
        assert!(is_off || found == Outcome::Refused, "{found:?}");
    }
}

/// Gives every tensor another name: it is refused by one of both.
fn check_tensors(name: &str, file: &str, harmless: &[&str]) {
    let whole = files_of(name);
    let before = says(&Memory::of(whole.clone())).expect("a model");
    let tensors = tensors_of(&whole[file]);
    for place in 0..tensors.len() {
        let mut tensors = tensors.clone();
        let own = tensors[place].0.name.clone();
        let other = own.replacen('.', ".another_", 1);
        let other = if other == own {
            format!("another_{own}")
        } else {
            other
        };
        tensors[place].0.name = other.clone();
        let mut files = whole.clone();
        files.insert(file.to_string(), safetensors_of(&tensors));
        eprintln!("{name}: {own}"); // shown if it fails
        // What is missing is named as Hugging Face names it.
        let found = outcome(&Memory::of(files), &before, &[&other, &own, "is missing"]);
        let is_harmless = harmless.iter().any(|end| own.ends_with(end));
        assert!(found == Outcome::Refused || is_harmless, "{own}: {found:?}");
    }
}

/// Those of both families.
const HARMLESS: [&str; 7] = [
    "initializer_factor",
    "logit_scale_init_value",
    "text_config/model_type",
    "text_config/pad_token_id",
    "torch_dtype",
    "vision_config/attention_dropout",
    "vision_config/model_type",
];

#[test]
fn every_field_of_a_clip_counts_or_is_refused_or_is_known_to_change_nothing() {
    let own = [
        "architectures",
        "text_config/attention_dropout",
        "text_config/bos_token_id",
        "text_config/dropout",
    ];
    check_fields("clip-quick", "config.json", &[&HARMLESS[..], &own].concat());
    check_names("clip-quick", "config.json");
}

#[test]
fn every_field_of_a_blip_counts_or_is_refused_or_is_known_to_change_nothing() {
    let own = [
        "projection_dim",
        "text_config/attention_probs_dropout_prob",
        "text_config/eos_token_id",
        "text_config/hidden_dropout_prob",
        "text_config/initializer_factor",
        "text_config/projection_dim",
        "text_config/use_cache",
        "vision_config/dropout",
        "vision_config/initializer_factor",
        "vision_config/projection_dim",
        // It counts where a caption ends, which this one does not.
        "text_config/sep_token_id",
    ];
    check_fields("blip-all", "config.json", &[&HARMLESS[..], &own].concat());
    check_names("blip-all", "config.json");
}

#[test]
fn every_field_of_a_siglip_counts_or_is_refused_or_is_known_to_change_nothing() {
    let harmless = [
        "architectures",
        "initializer_factor",
        "text_config/model_type",
        "vision_config/model_type",
    ];
    // One pixel more is no whole patch.
    let whole_patches = [&harmless[..], &["vision_config/image_size"]].concat();
    for (name, harmless) in [
        ("siglip", &harmless[..]),
        ("siglip-timm", &harmless),
        ("siglip2", &whole_patches),
    ] {
        check_fields(name, "config.json", harmless);
        check_names(name, "config.json");
        let harmless = ["do_convert_rgb", "processor_class"]; // pictures are RGB here
        check_fields(name, "preprocessor_config.json", &harmless);
    }
}

#[test]
fn every_field_of_a_chinese_clip_counts_or_is_refused_or_is_known_to_change_nothing() {
    let harmless = [
        "architectures",
        "initializer_factor",
        "logit_scale_init_value",
        "text_config/model_type",
        "text_config/pad_token_id",
        "vision_config/model_type",
    ];
    check_fields("chinese-clip", "config.json", &harmless);
    check_names("chinese-clip", "config.json");
}

#[test]
fn every_field_of_a_text_encoder_of_sentence_transformers_counts_or_is_refused() {
    let name = "multilingual";
    let harmless = [
        "architectures",
        "attention_dropout",
        "bos_token_id",
        "dropout",
        "dtype",
        "eos_token_id",
        "initializer_range",
        "pad_token_id",
        "qa_dropout",
        "seq_classif_dropout",
        "sinusoidal_pos_embds",
        "tie_word_embeddings",
        "transformers_version",
    ];
    check_fields(name, "config.json", &harmless);
    check_fields(name, "1_Pooling/config.json", &["include_prompt"]);
    check_fields(name, "2_Dense/config.json", &[]);
    check_fields(name, "sentence_bert_config.json", &[]);
    for file in [
        "config.json",
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "sentence_bert_config.json",
    ] {
        check_names(name, file);
    }
}

#[test]
fn every_field_of_a_language_model_in_open_clips_form_counts_or_is_refused() {
    let harmless = [
        "attention_probs_dropout_prob",
        "bos_token_id",
        "classifier_dropout",
        "eos_token_id",
        "hidden_dropout_prob",
        "initializer_range",
        "tie_word_embeddings",
        "transformers_version",
        "use_cache",
    ];
    // The encoder is the one that lies beside, whatever it is called.
    let mut names = vec![
        "model_cfg/custom_text",
        "model_cfg/text_cfg/hf_model_name",
        "model_cfg/text_cfg/hf_tokenizer_name",
    ];
    for name in ["zoo/roberta", "zoo/bert", "zoo/xlm-roberta"] {
        if name == "zoo/xlm-roberta" {
            names.push("model_cfg/text_cfg/context_length"); // longer than the text that is asked for
        }
        check_fields(name, "config.json", &harmless);
        check_fields(name, "open_clip_config.json", &names);
        check_names(name, "config.json");
    }
}

#[test]
fn every_field_of_a_preprocessor_counts_or_is_refused() {
    check_fields("clip-quick", "preprocessor_config.json", &[]);
    check_fields("blip-all", "preprocessor_config.json", &["processor_class"]);
    for name in ["clip-quick", "blip-all"] {
        check_names(name, "preprocessor_config.json");
    }
}

#[test]
fn every_field_of_open_clips_configuration_counts_or_is_refused() {
    // A patch size is a vision transformer's.
    let harmless = ["model_cfg/vision_cfg/patch_size"];
    check_fields("clip-resnet", "open_clip_config.json", &harmless);
}

#[test]
fn every_field_of_a_cocas_configuration_counts_or_is_refused_or_is_known_to_change_nothing() {
    // open_clip looks at none of the decoder's.
    let harmless = [
        "model_cfg/custom_text",
        "model_cfg/multimodal_cfg/attn_pooler_heads",
        "model_cfg/multimodal_cfg/context_length",
        "model_cfg/multimodal_cfg/vocab_size",
    ];
    check_fields("coca", "open_clip_config.json", &harmless);
}

#[test]
fn every_tensor_is_taken_or_known() {
    check_tensors("coca", "open_clip_model.safetensors", &[]);
    check_tensors("clip-quick", "model.safetensors", &["position_ids"]);
    check_tensors(
        "clip-resnet",
        "open_clip_model.safetensors",
        &["num_batches_tracked"],
    );
    check_tensors("blip-all", "model.safetensors", &[]);
    for name in ["siglip", "siglip2", "chinese-clip", "multilingual"] {
        check_tensors(name, "model.safetensors", &[]);
    }
    check_tensors("multilingual", "2_Dense/model.safetensors", &[]);
    for name in ["siglip-timm", "zoo/roberta", "zoo/bert"] {
        check_tensors(name, "open_clip_model.safetensors", &[]);
    }
}
