//! LoRA adapters that PEFT has saved, merged into models of every container: the numbers are those of
//! PEFT's own merging (scripts/reference/adapters.py).

use super::memory::{Kept, Memory, load_files};
use super::sources::{folder, options, safetensors_of, tensors_of};
use super::{NAME, gguf, under_tests};
use obscura::generate::GenerationOptions;
use obscura::load::convert::convert;
use obscura::load::{AdapterPlace, Options, Source};
use obscura::models::blip::TIES;
use obscura::nn::Dtype;
use obscura::tasks::Model;
use obscura::weights::{Format, TensorInfo};
use pollster::block_on;
use serde_json::Value;

const FILES: [&str; 3] = [
    "adapter_config.json",
    "adapter_model.safetensors",
    "adapter_model.bin",
];

pub fn expected() -> Value {
    let text = std::fs::read_to_string(under_tests("golden/adapters/expected.json"));
    serde_json::from_str(&text.expect("golden data")).expect("JSON")
}

/// The files of a golden adapter.
pub fn adapter(name: &str) -> Vec<(&'static str, Vec<u8>)> {
    let path = under_tests("golden/adapters").join(name);
    let file = |file: &&'static str| Some((*file, std::fs::read(path.join(file)).ok()?));
    FILES.iter().filter_map(file).collect()
}

/// Puts adapters beside a model's files, each in the folder of its name.
pub fn with_adapters(mut model: Memory, names: &[&str]) -> Memory {
    for name in names {
        for (file, bytes) in adapter(name) {
            model.files.insert(format!("{name}/{file}"), bytes);
        }
    }
    model
}

pub fn asking_for(names: &[&str], dtype: Dtype) -> Options {
    let place = |name: &&str| AdapterPlace {
        name: name.to_string(),
        folder: name.to_string(),
    };
    Options {
        adapters: names.iter().map(place).collect(),
        ..options(dtype)
    }
}

fn names_of(load: &Value) -> Vec<&str> {
    let names = load["adapters"].as_array().expect("names").iter();
    names.map(|name| name.as_str().expect("a name")).collect()
}

fn cosine(one: &[f32], other: &Value) -> f64 {
    let other: Vec<f64> = serde_json::from_value(other.clone()).expect("numbers");
    assert_eq!(one.len(), other.len());
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let one: Vec<f64> = one.iter().map(|value| f64::from(*value)).collect();
    dot(&one, &other) / (dot(&one, &one) * dot(&other, &other)).sqrt()
}

/// Whether a model's numbers are the reference's, within `tolerance` of the cosine or the score.
#[track_caller]
fn check(model: &Model, load: &Value, tolerance: f64, what: &str) {
    let expected = expected();
    let picture = expected["picture"].as_str().expect("a picture");
    let bytes = std::fs::read(under_tests("pictures").join(picture)).expect("a picture");
    let image = obscura::image::decode(&bytes).expect("a picture");
    if load["ids"].is_null() {
        let text = expected["text"].as_str().expect("a text");
        let vector = block_on(model.embed_image(&image, true)).expect("a vector");
        let near = cosine(&vector, &load["image"]);
        assert!(near > 1.0 - tolerance, "{what}: the picture's {near}");
        let vector = block_on(model.embed_text(text, true)).expect("a vector");
        let near = cosine(&vector, &load["text"]);
        assert!(near > 1.0 - tolerance, "{what}: the text's {near}");
        return;
    }
    let settings = GenerationOptions {
        max_new_tokens: 12,
        ..Default::default()
    };
    let silent = async |_: &str, _| Ok(());
    let caption = block_on(model.caption(&image, "", &settings, silent)).expect("a caption");
    let ids: Vec<u32> = serde_json::from_value(load["ids"].clone()).expect("ids");
    assert_eq!(caption.tokens, ids, "{what}");
    let difference = f64::from(caption.score) - load["score"].as_f64().expect("a score");
    assert!(difference.abs() < tolerance, "{what}: {difference}");
}

#[test]
fn merged_adapters_give_pefts_numbers() {
    let expected = expected();
    for (name, load) in expected["loads"].as_object().expect("loads") {
        let names = names_of(load);
        let base = folder(load["base"].as_str().expect("a base"));
        let files = with_adapters(base, &names);
        let model = load_files(&files, None, &asking_for(&names, Dtype::F32)).expect(name);
        check(&model, load, 1e-5, name);
    }
}

/// The load of a golden adapter by its own name.
fn load_of(name: &str) -> Value {
    expected()["loads"][name].clone()
}

#[test]
fn an_adapter_beside_a_model_is_merged_unasked() {
    let mut files = folder("blip-caption");
    for (file, bytes) in adapter("blip-plain") {
        files.files.insert(file.to_string(), bytes);
    }
    let model = load_files(&files, None, &options(Dtype::F32)).expect("a model");
    check(&model, &load_of("blip-plain"), 1e-5, "beside");
    let files = with_adapters(files, &["blip-second"]);
    let asked = asking_for(&["blip-second"], Dtype::F32);
    let model = load_files(&files, None, &asked).expect("a model");
    check(&model, &load_of("blip-two"), 1e-5, "beside, and one more");
}

#[test]
fn adapters_find_the_tensors_of_a_gguf_file_and_of_the_first_authors_names() {
    let of_gguf = |base: &str| Memory::of([(NAME, gguf(base, Dtype::F32))]);
    for (name, base) in [
        ("blip-all-linear", "blip-caption"),
        ("clip-patterns", "clip-quick"),
    ] {
        let files = with_adapters(of_gguf(base), &[name]);
        let asked = asking_for(&[name], Dtype::F32);
        let model = load_files(&files, Some(NAME), &asked).expect("a model");
        check(&model, &load_of(name), 1e-5, "a gguf file");
    }
    for (name, base) in [
        ("blip-plain", "blip-caption"),
        ("clip-embeddings", "clip-quick"),
    ] {
        let files = with_adapters(super::originals::as_first_authors(base), &[name]);
        let model = load_files(&files, None, &asking_for(&[name], Dtype::F32)).expect("a model");
        check(&model, &load_of(name), 1e-5, "the first authors' names");
    }
}

#[test]
fn a_head_that_is_a_copy_of_its_word_table_is_the_table() {
    let (head, table) = TIES[0];
    // As transformers 4 saved it, and as PyTorch does, where both are the same bytes.
    let mut copied = folder("blip-caption");
    let mut tensors = tensors_of(&copied.files["model.safetensors"]);
    let shared = tensors.iter().find(|(info, _)| info.name == table);
    let (mut info, bytes) = shared.expect("a table").clone();
    info.name = head.to_string();
    tensors.push((info, bytes));
    let weights = safetensors_of(&tensors);
    copied
        .files
        .insert("model.safetensors".to_string(), weights);
    let mut shared = folder("blip-caption");
    shared.files.remove("model.safetensors");
    let weights = std::fs::read(under_tests("golden/blip-caption/pytorch/pytorch_model.bin"));
    shared
        .files
        .insert("pytorch_model.bin".to_string(), weights.expect("weights"));
    for base in [copied, shared] {
        for name in [
            "blip-all-linear",
            "blip-embeddings",
            "blip-words",
            "blip-head",
        ] {
            let files = with_adapters(Memory::of(base.files.clone()), &[name]);
            let model = load_files(&files, None, &asking_for(&[name], Dtype::F32)).expect(name);
            check(&model, &load_of(name), 1e-5, name);
        }
    }
}

#[test]
fn a_quantized_base_is_quantized_again_after_the_merge() {
    let name = "clip-plain";
    for (file_dtype, formats) in [(Dtype::Q8, "q8"), (Dtype::F16, "f16")] {
        let files = Memory::of([(NAME, gguf("clip-quick", file_dtype))]);
        let files = with_adapters(files, &[name]);
        let asked = asking_for(&[name], Dtype::Auto);
        let model = load_files(&files, Some(NAME), &asked).expect("a model");
        assert_eq!(model.info().dtype, formats);
        check(&model, &load_of(name), 2e-3, formats);
    }
}

/// Converts a golden model with adapters, and says what the file names.
fn converted(base: &str, names: &[&str], dtype: Dtype) -> Vec<u8> {
    let folder = under_tests("golden").join(base).join("model");
    let places: Vec<AdapterPlace> = names
        .iter()
        .map(|name| AdapterPlace {
            name: name.to_string(),
            folder: under_tests("golden/adapters")
                .join(name)
                .display()
                .to_string(),
        })
        .collect();
    let mut source = Source::open_adapted(&folder, &places).expect("a model");
    let mut file = Vec::new();
    convert(&mut source, &mut file, dtype, |_| {}).expect("a conversion");
    file
}

#[test]
fn a_converted_file_has_the_adapters_merged_and_names_them() {
    let names = ["blip-plain", "blip-second"];
    let file = converted("blip-caption", &names, Dtype::F32);
    let files = Memory::of([(NAME, file)]);
    let model = load_files(&files, Some(NAME), &options(Dtype::F32)).expect("a model");
    check(&model, &load_of("blip-two"), 1e-5, "converted");
    let source = block_on(Source::of(&files, Some(NAME), &Default::default())).expect("a source");
    let merged = source.merged();
    let found: Vec<&str> = merged.iter().map(|merged| merged.name.as_str()).collect();
    assert_eq!(found, names);
    assert_eq!((merged[0].rank, merged[0].tensors), (2, 18));
    assert!(merged[0].sha256 != merged[1].sha256 && merged[0].sha256.len() == 64);
}

#[test]
fn a_head_saved_whole_is_in_the_converted_file_beside_the_word_table() {
    for name in ["blip-head", "blip-words"] {
        let files = Memory::of([(NAME, converted("blip-caption", &[name], Dtype::F32))]);
        let model = load_files(&files, Some(NAME), &options(Dtype::F32)).expect("a model");
        check(&model, &load_of(name), 1e-5, name);
    }
}

/// The adapter with numbers of another training: files of the same sizes.
fn trained_again(name: &str) -> Vec<u8> {
    let files = adapter(name);
    let (_, weights) = &files[1];
    let mut tensors: Vec<(TensorInfo, Vec<u8>)> = tensors_of(weights);
    for (info, bytes) in &mut tensors {
        assert_eq!(info.format, Format::F32);
        bytes[2] ^= 0x40;
    }
    safetensors_of(&tensors)
}

#[test]
fn an_entry_is_kept_for_its_base_and_its_adapters_alone() {
    let base = || with_adapters(folder("clip-quick"), &["clip-plain", "clip-patterns"]);
    let files = base();
    let kept = Kept::default();
    let asked = asking_for(&["clip-plain"], Dtype::F32);
    let (model, _) = kept.load(&files, None, &asked);
    check(
        &model.expect("a model"),
        &load_of("clip-plain"),
        1e-5,
        "first",
    );
    assert!(kept.is_complete());
    // Complete, it needs neither the base nor the adapter.
    let (model, told) = kept.load(&Memory::of::<String>([]), None, &asked);
    check(
        &model.expect("a model"),
        &load_of("clip-plain"),
        1e-5,
        "again",
    );
    assert!(told.plans.is_empty());
    // It is no answer to another question.
    for (names, expected) in [
        (vec!["clip-patterns"], Some("clip-patterns")),
        (vec![], None),
        (vec!["clip-plain"], Some("clip-plain")),
    ] {
        let (model, told) = kept.load(&files, None, &asking_for(&names, Dtype::F32));
        let model = model.expect("a model");
        assert_eq!(told.plans[0].1, 0, "nothing of the other's is used");
        if let Some(expected) = expected {
            check(&model, &load_of(expected), 1e-5, "another adapter");
        }
    }
    // One that broke off is not gone on with when the adapter has changed.
    let kept = Kept::default();
    files.patience.set(40);
    assert!(kept.load(&files, None, &asked).0.is_err());
    let mut changed = base();
    let weights = "clip-plain/adapter_model.safetensors".to_string();
    changed.files.insert(weights, trained_again("clip-plain"));
    let (model, told) = kept.load(&changed, None, &asked);
    model.expect("a model");
    assert_eq!(told.plans[0].1, 0, "nothing of the first training is used");
}
