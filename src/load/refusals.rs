//! What is said of a folder that holds no model we can run: what is there instead, and what to do.

use super::Files;
use super::adapter::{self, AdapterPlace};
use super::table::Located;
use super::weight_file::Promises;
use crate::models::families;
use crate::{Error, Result};
use serde_json::Value;

/// Weights of other frameworks by their files' names, and what they are.
const OTHERS: [(&str, &str); 7] = [
    ("onnx/model.onnx", "ONNX"),
    ("onnx/vision_model.onnx", "ONNX"),
    ("onnx/text_model.onnx", "ONNX"),
    ("model.onnx", "ONNX"),
    ("flax_model.msgpack", "Flax"),
    ("tf_model.h5", "TensorFlow"),
    ("rust_model.ot", "tch-rs (.ot)"),
];

/// The error of a folder in which none of the files with weights is. Where not even a configuration
/// is, few more questions are asked: it may not exist at all.
pub(super) async fn without_weights(
    files: &impl Files,
    folder: &str,
    has_config: bool,
) -> Result<Error> {
    for (name, framework) in OTHERS.iter().filter(|_| has_config) {
        if files.size(&format!("{folder}{name}")).await?.is_some() {
            return Ok(Error::BadWeights(format!(
                "its weights are {framework}'s ({folder}{name}), which are not read: save the model from PyTorch with save_pretrained, or take one that has model.safetensors or pytorch_model.bin"
            )));
        }
    }
    let adapter = AdapterPlace::beside(folder.to_string());
    if let Some(text) = adapter::configuration(files, &adapter, &Promises::new()).await? {
        return Ok(adapter::without_base(&text));
    }
    Ok(Error::BadWeights(
        "no weights found, expected model.safetensors or pytorch_model.bin, whole or in parts with an index".to_string(),
    ))
}

/// Why a config.json is none of Hugging Face's, if it is another library's: timm's, which open_clip's
/// files may lie beside, or that of a part of a diffusers pipeline.
pub(super) fn foreign_config(text: &str) -> Option<Error> {
    let config: Value = serde_json::from_str(text).ok()?;
    if config.get("model_type").is_some() || config.get("architectures").is_some() {
        return None;
    }
    if let Some(class) = config["_class_name"].as_str() {
        return Some(Error::BadWeights(format!(
            "config.json: this is a {class} of diffusers, which makes pictures: only a pipeline's CLIP text and image encoders can be used here"
        )));
    }
    let architecture = config["architecture"].as_str()?;
    Some(Error::BadWeights(format!(
        "config.json: this is timm's image encoder {architecture:?} alone, and there is no open_clip_config.json beside it: take the CLIP that it is of, with both encoders"
    )))
}

/// Refuses tensors that tell another kind of file by their names: weights that another program quantized
/// in a form of its own, a whole generator of pictures.
pub(super) fn check_names(tensors: &[Located]) -> Result<()> {
    const GENERATOR: &str = "model.diffusion_model.";
    for Located { info: tensor, .. } in tensors {
        let name = &tensor.name;
        if let Some(tool) = families::quantizer(name) {
            return Err(Error::BadWeights(format!(
                "tensor '{name}' says that the weights were quantized by {tool}, which are not read: take the checkpoint in float16, bfloat16 or float32; it is quantized on loading (dtype)"
            )));
        }
        if name.starts_with(GENERATOR) {
            return Err(Error::BadWeights(format!(
                "tensor '{name}' says that this is a whole checkpoint of Stable Diffusion: take its text encoder alone, such as the folder text_encoder of the same pipeline in the form of diffusers"
            )));
        }
    }
    Ok(())
}

/// What a GGUF file is that holds no model of ours, by the architecture in its metadata and the names
/// of its tensors.
pub(super) fn foreign_gguf(architecture: Option<&str>, tensors: &[Located]) -> Option<Error> {
    let names = tensors.iter().map(|tensor| &tensor.info.name);
    let has = |start: &str| names.clone().any(|name| name.starts_with(start));
    let architectures = r#""clip", "chinese_clip", "siglip" or "blip""#;
    let what = match architecture {
        Some("clip" | "chinese_clip" | "siglip" | "blip") if has("mm.") || (has("v.") && !has("t.")) => {
            "is an mmproj file: the image encoder and the projector of a multimodal language model, for llama.cpp".to_string()
        }
        Some("clip" | "chinese_clip" | "siglip" | "blip") if has("v.") || has("t.") => {
            "was made by clip.cpp, which names tensors in its own way and leaves the configuration out".to_string()
        }
        Some("clip" | "chinese_clip" | "siglip" | "blip") | None => return None,
        Some(other) if has("token_embd.") || has("blk.") => {
            format!("is a language model or another network of llama.cpp: general.architecture is {other:?}, expected {architectures}")
        }
        Some(other) => format!("general.architecture is {other:?}, expected {architectures}"),
    };
    Some(Error::BadWeights(format!(
        "{what}; make a GGUF file from the original model with `obscura convert`"
    )))
}
