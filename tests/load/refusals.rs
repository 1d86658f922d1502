//! What is no CLIP or BLIP that we can run is refused with what it is and what to do, and is called
//! damaged only if it is.

use super::memory::{Memory, load_files};
use super::refused;
use super::sources::{folder, options, safetensors_of, tensors_of};
use obscura::Result;
use obscura::nn::Dtype;
use obscura::tasks::Model;
use serde_json::json;

fn load(files: &Memory) -> Result<Model> {
    load_files(files, None, &options(Dtype::F32))
}

/// Wants a refusal with these words, which does not speak of damage.
#[track_caller]
fn refused_plainly(files: &Memory, words: &[&str]) {
    let result = load(files);
    if let Err(error) = &result {
        let text = error.to_string();
        assert!(
            !text.contains("damaged") && !text.contains("truncated"),
            "{text}"
        );
    }
    refused(result, words);
}

/// A folder of CLIP with other weights.
fn with_weights(name: &str, bytes: &[u8]) -> Memory {
    let mut files = folder("clip-quick");
    files.files.remove("model.safetensors");
    files.files.insert(name.to_string(), bytes.to_vec());
    files
}

#[test]
fn weights_of_other_frameworks_are_named() {
    for (name, framework) in [
        ("onnx/model.onnx", "ONNX"),
        ("onnx/vision_model.onnx", "ONNX"),
        ("flax_model.msgpack", "Flax"),
        ("tf_model.h5", "TensorFlow"),
    ] {
        refused_plainly(
            &with_weights(name, b"weights"),
            &[framework, name, "save_pretrained"],
        );
    }
    refused_plainly(&with_weights("README.md", b"text"), &["no weights found"]);
}

#[test]
fn files_that_only_have_a_models_name_are_told() {
    for (bytes, words) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 605247071\n"[..],
            ["git-lfs", "git lfs pull"],
        ),
        (
            b"<!DOCTYPE html>\n<html><head><title>Sign in</title>",
            ["page of a website", "/resolve/"],
        ),
        (
            br#"{"error":"Access to model x is restricted."}"#,
            ["JSON document", "restricted"],
        ),
        (b"Repository not found", ["a text", "Repository not found"]),
        (
            b"\x08\x07\x12\x07pytorch\x1a\x051.2.1",
            ["ONNX", "model.safetensors"],
        ),
        (
            b"\x89HDF\r\n\x1a\n\0\0\0\0\0\0\0\0",
            ["TensorFlow", "model.safetensors"],
        ),
    ] {
        for name in ["model.safetensors", "pytorch_model.bin"] {
            let words = [&[name][..], &words].concat();
            refused_plainly(&with_weights(name, bytes), &words);
        }
    }
}

#[test]
fn tensors_of_other_programs_are_named() {
    for (method, words) in [
        (
            json!({"quant_method": "bitsandbytes", "load_in_4bit": true}),
            "bitsandbytes",
        ),
        (json!({"quant_method": "gptq", "bits": 4}), "gptq"),
        (json!({"quant_method": "fp8"}), "fp8"),
    ] {
        let mut files = folder("clip-quick");
        let mut config: serde_json::Value =
            serde_json::from_slice(&files.files["config.json"]).unwrap();
        config["quantization_config"] = method;
        files
            .files
            .insert("config.json".into(), config.to_string().into_bytes());
        refused_plainly(&files, &["quantization_config", words, "float16"]);
    }
    let mut files = folder("clip-quick");
    let mut tensors = tensors_of(&files.files["model.safetensors"]);
    let (mut state, bytes) = tensors[0].clone();
    state.name = "text_model.encoder.layers.0.mlp.fc1.weight.absmax".to_string();
    tensors.push((state, bytes));
    files
        .files
        .insert("model.safetensors".into(), safetensors_of(&tensors));
    refused_plainly(&files, &["absmax", "bitsandbytes"]);
    let (state, _) = tensors.last_mut().expect("tensors");
    state.name = "model.diffusion_model.out.0.bias".to_string();
    let bytes = safetensors_of(&tensors);
    files.files.insert("model.safetensors".into(), bytes);
    refused_plainly(&files, &["Stable Diffusion", "text_encoder"]);
}

#[test]
fn eight_bit_floats_are_named() {
    let header = br#"{"logit_scale":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}"#;
    let file = [&(header.len() as u64).to_le_bytes(), &header[..], &[0; 4]].concat();
    let files = with_weights("model.safetensors", &file);
    refused_plainly(&files, &["logit_scale", "F8_E4M3", "float16"]);
}

#[test]
fn models_of_other_families_are_named() {
    for (model_type, name) in [
        ("siglip2", "NaFlex"),
        ("align", "ALIGN"),
        ("blip-2", "BLIP-2"),
        ("llava", "LLaVA"),
        ("altclip", "AltCLIP"),
    ] {
        let config = json!({ "model_type": model_type }).to_string();
        let files = Memory::of([("config.json", config.into_bytes())]);
        refused_plainly(&files, &["model_type", model_type, name, "clip", "blip"]);
    }
    let classifier = json!({"model_type": "clip", "architectures": ["CLIPForImageClassification"]});
    let files = Memory::of([("config.json", classifier.to_string().into_bytes())]);
    refused_plainly(&files, &["CLIPForImageClassification", "CLIPModel"]);
    let page = b"<!DOCTYPE html><html>".to_vec();
    let files = Memory::of([("config.json", page)]);
    refused_plainly(&files, &["config.json", "page of a website"]);
    let unet = json!({"_class_name": "UNet2DConditionModel", "sample_size": 64}).to_string();
    let files = Memory::of([("config.json", unet.into_bytes())]);
    refused_plainly(&files, &["UNet2DConditionModel", "diffusers"]);
}
