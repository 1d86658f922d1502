//! Models that are of no family here, by the names that config.json gives them: what they are, so
//! that a refusal can say so.

use crate::{Error, Result};
use serde_json::Value;

/// Of language models that encode texts, which may be parts of models here.
const LANGUAGE: &str = "a text encoder without pictures; with a modules.json of sentence-transformers (Transformer, Pooling, Dense) it makes vectors of a CLIP's space, with an open_clip_config.json it is a part of a CLIP";

/// `model_type`s of models that people take for a CLIP or a BLIP, and what they are.
const OTHERS: [(&str, &str); 28] = [
    (
        "siglip2",
        "a SigLIP 2 for pictures of any shape (NaFlex); those of one shape have the model_type \"siglip\"",
    ),
    (
        "siglip2_vision_model",
        "the image encoder of a SigLIP 2 for pictures of any shape (NaFlex)",
    ),
    ("align", "ALIGN"),
    ("altclip", "AltCLIP"),
    (
        "chinese_clip_text_model",
        "the text encoder of a Chinese-CLIP alone",
    ),
    (
        "chinese_clip_vision_model",
        "the image encoder of a Chinese-CLIP alone",
    ),
    ("clipseg", "CLIPSeg, which cuts pictures into parts"),
    ("clap", "CLAP, which is for sounds"),
    ("metaclip_2", "MetaCLIP 2 in the form of transformers"),
    ("xclip", "X-CLIP, which is for videos"),
    ("owlvit", "OWL-ViT, which finds objects"),
    ("owlv2", "OWLv2, which finds objects"),
    ("groupvit", "GroupViT"),
    ("flava", "FLAVA"),
    ("vision-text-dual-encoder", "a pair of any two encoders"),
    ("blip-2", "BLIP-2"),
    ("instructblip", "InstructBLIP"),
    ("git", "GIT"),
    ("vilt", "ViLT"),
    ("llava", "LLaVA, a multimodal language model"),
    ("qwen2_vl", "Qwen2-VL, a multimodal language model"),
    ("florence2", "Florence-2"),
    ("vit", "ViT, an image encoder without texts"),
    ("dinov2", "DINOv2, an image encoder without texts"),
    ("bert", LANGUAGE),
    ("distilbert", LANGUAGE),
    ("roberta", LANGUAGE),
    ("xlm-roberta", LANGUAGE),
];

/// The error of a config.json of another family.
pub fn refused(model_type: Option<&str>) -> Error {
    let known = OTHERS.iter().find(|(name, _)| Some(*name) == model_type);
    let found = match (model_type, known) {
        (None, _) => "missing".to_string(),
        (Some(name), None) => format!("{name:?}"),
        (Some(name), Some((_, what))) => format!("{name:?}, this is {what}"),
    };
    Error::BadWeights(format!(
        "config.json: model_type is {found}; expected \"clip\", \"chinese_clip\", \"siglip\", \"blip\" or \"coca\", or an encoder alone (\"clip_text_model\", \"clip_vision_model\", \"siglip_text_model\", \"siglip_vision_model\")"
    ))
}

/// Refuses classes that neither vectors nor states come of.
pub fn check_class(config: &Value) -> Result<()> {
    const CLASSIFIERS: [(&str, &str); 2] = [
        ("CLIPForImageClassification", "CLIPModel"),
        ("SiglipForImageClassification", "SiglipModel"),
    ];
    let classes = config["architectures"].as_array();
    let has = |name: &str| classes.is_some_and(|classes| classes.iter().any(|one| one == name));
    match CLASSIFIERS.iter().find(|(name, _)| has(name)) {
        None => Ok(()),
        Some((found, whole)) => Err(Error::BadWeights(format!(
            "config.json: architectures names {found}, an image encoder with labels of its own, which is not supported: take a {whole}, which classifies by any labels"
        ))),
    }
}

/// Refuses a config.json by which the weights were quantized in another program's form.
pub fn check_numbers(config: &Value) -> Result<()> {
    match quantization(config) {
        None => Ok(()),
        Some(method) => Err(Error::BadWeights(format!(
            "config.json: quantization_config says that the weights were quantized by {method}, which are not read: take the checkpoint in float16, bfloat16 or float32; it is quantized on loading (dtype)"
        ))),
    }
}

/// The method by which a configuration says that the weights were quantized.
fn quantization(config: &Value) -> Option<String> {
    let settings = config.get("quantization_config")?.as_object()?;
    let method = settings.get("quant_method").and_then(Value::as_str);
    let is_bitsandbytes = settings
        .keys()
        .any(|key| key.starts_with("bnb_") || key.starts_with("load_in_"));
    Some(match method {
        Some(method) => method.to_string(),
        None if is_bitsandbytes => "bitsandbytes".to_string(),
        None => "an unnamed method".to_string(),
    })
}

/// The tool that gives a tensor such a name when it quantizes.
pub fn quantizer(tensor: &str) -> Option<&'static str> {
    const MARKS: [(&str, &str); 9] = [
        (".absmax", "bitsandbytes"),
        (".quant_map", "bitsandbytes"),
        (".SCB", "bitsandbytes"),
        (".qweight", "GPTQ or AWQ"),
        (".qzeros", "GPTQ or AWQ"),
        (".weight_packed", "compressed-tensors"),
        (".weight_scale_inv", "fp8"),
        (".weight_scale", "fp8"),
        (".scale_weight", "fp8"),
    ];
    if tensor.contains(".quant_state.") {
        return Some("bitsandbytes");
    }
    let mut marks = MARKS.iter();
    marks
        .find(|(end, _)| tensor.ends_with(end))
        .map(|(_, tool)| *tool)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quantized_checkpoints_are_told_by_their_configuration_and_their_tensors() {
        let bits =
            json!({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true}});
        assert_eq!(quantization(&bits).as_deref(), Some("bitsandbytes"));
        let old = json!({"quantization_config": {"load_in_8bit": true}});
        assert_eq!(quantization(&old).as_deref(), Some("bitsandbytes"));
        assert_eq!(quantization(&json!({"model_type": "clip"})), None);
        let layer = "text_model.encoder.layers.0.mlp.fc1";
        let of = |end: &str| quantizer(&format!("{layer}{end}"));
        assert_eq!(of(".weight.absmax"), Some("bitsandbytes"));
        assert_eq!(
            of(".weight.quant_state.bitsandbytes__nf4"),
            Some("bitsandbytes")
        );
        assert_eq!(of(".qweight"), Some("GPTQ or AWQ"));
        assert_eq!(of(".weight"), None);
        assert_eq!(of(".bias"), None);
    }
}
