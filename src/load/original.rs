//! What takes the place of config.json and preprocessor_config.json where a checkpoint comes from
//! its first authors: open_clip's own configuration, or the shapes of BLIP's tensors.

use super::source::Located;
use crate::{Error, Result};
use serde_json::{Value, json};

/// The texts of config.json and preprocessor_config.json.
pub(super) struct Texts {
    pub config: String,
    pub preprocessor: String,
}

/// From the text of an open_clip_config.json.
pub(super) fn from_open_clip(text: &str) -> Result<Texts> {
    let root: Value = serde_json::from_str(text).map_err(|error| {
        Error::BadWeights(format!("open_clip_config.json is not valid JSON: {error}"))
    })?;
    let (model, pixels) = (&root["model_cfg"], &root["preprocess_cfg"]);
    let (vision, text) = (&model["vision_cfg"], &model["text_cfg"]);
    let size =
        |section: &Value, name: &str, default: u64| section[name].as_u64().unwrap_or(default);
    let act = match model["quick_gelu"].as_bool() {
        Some(true) => "quick_gelu",
        _ => "gelu",
    };
    let (width, text_width) = (size(vision, "width", 768), size(text, "width", 512));
    let ratio = vision["mlp_ratio"].as_f64().unwrap_or(4.0);
    let image = size(vision, "image_size", 224);
    let vocabulary = size(text, "vocab_size", 49_408);
    let head_width = size(vision, "head_width", 64).max(1);
    let vision_config = match &vision["layers"] {
        Value::Number(_) => json!({
            "hidden_size": width,
            "intermediate_size": (width as f64 * ratio) as u64,
            "num_hidden_layers": vision["layers"],
            "num_attention_heads": width / head_width,
            "image_size": image,
            "patch_size": size(vision, "patch_size", 32),
            "hidden_act": act,
            "layer_norm_eps": 1e-5,
        }),
        // A ResNet, which Hugging Face has no form for: it keeps open_clip's.
        layers @ Value::Array(_) => json!({
            "layers": layers,
            "width": size(vision, "width", 64),
            "head_width": head_width,
            "image_size": image,
        }),
        found => {
            return Err(Error::BadWeights(format!(
                "open_clip_config.json: vision_cfg.layers is {found}, expected a number (a vision transformer's) or a list (a ResNet's): other image encoders are not supported"
            )));
        }
    };
    let config = json!({
        "model_type": "clip",
        "projection_dim": model["embed_dim"],
        "vision_config": vision_config,
        "text_config": {
            "hidden_size": text_width,
            "intermediate_size": 4 * text_width,
            "num_hidden_layers": size(text, "layers", 12),
            "num_attention_heads": size(text, "heads", 8),
            "max_position_embeddings": size(text, "context_length", 77),
            "vocab_size": vocabulary,
            "eos_token_id": vocabulary.saturating_sub(1),
            "hidden_act": act,
            "layer_norm_eps": 1e-5,
        },
    });
    let mut preprocessor = json!({
        "image_processor_type": "CLIPImageProcessor",
        "size": { "shortest_edge": image },
        "crop_size": { "height": image, "width": image },
    });
    for (theirs, ours) in [("mean", "image_mean"), ("std", "image_std")] {
        if !pixels[theirs].is_null() {
            preprocessor[ours] = pixels[theirs].clone();
        }
    }
    Ok(Texts {
        config: config.to_string(),
        preprocessor: preprocessor.to_string(),
    })
}

/// From the shapes of a BLIP's tensors, if that is what they are. Heads are 64 wide in all of them.
/// The epsilon of the vision encoder's norms is 1e-6 in the original, 1e-5 in Hugging Face's
/// conversion of it.
pub(super) fn from_blip_shapes(tensors: &[Located], is_original: bool) -> Option<Texts> {
    const HEAD: usize = 64;
    let shape = |name: &str| -> Option<&[usize]> {
        let mut all = tensors.iter();
        let found = all.find(|tensor| tensor.info.name == name)?;
        Some(&found.info.shape)
    };
    let last = |name: &str| shape(name)?.last().copied();
    let rows = |name: &str| shape(name)?.first().copied();
    let depth = |prefix: &str, name: &str| {
        (0..1024)
            .take_while(|layer| shape(&format!("{prefix}.{layer}.{name}")).is_some())
            .count()
    };
    let width = last("vision_model.embeddings.class_embedding")?;
    let patch = last("vision_model.embeddings.patch_embedding.weight")?;
    let positions = *shape("vision_model.embeddings.position_embedding")?
        .iter()
        .rev()
        .nth(1)?;
    let image = positions.checked_sub(1)?.isqrt() * patch;
    let decodes = shape("text_decoder.bert.embeddings.word_embeddings.weight").is_some();
    let encodes = shape("text_encoder.embeddings.word_embeddings.weight").is_some();
    let compares = shape("itm_head.weight").is_some();
    let bert = if decodes {
        "text_decoder.bert"
    } else {
        "text_encoder"
    };
    let text = |name: &str| shape(&format!("{bert}.{name}"));
    let [vocabulary, text_width] = *text("embeddings.word_embeddings.weight")? else {
        return None;
    };
    let architectures: Vec<&str> = [
        (
            decodes && (!encodes || compares),
            "BlipForConditionalGeneration",
        ),
        (decodes && encodes && !compares, "BlipForQuestionAnswering"),
        (encodes && compares, "BlipForImageTextRetrieval"),
    ]
    .into_iter()
    .filter_map(|(has, name)| has.then_some(name))
    .collect();
    let config = json!({
        "model_type": "blip",
        "architectures": architectures,
        "image_text_hidden_size": rows("vision_proj.weight").unwrap_or(256),
        "vision_config": {
            "hidden_size": width,
            "intermediate_size": rows("vision_model.encoder.layers.0.mlp.fc1.weight")?,
            "num_hidden_layers": depth("vision_model.encoder.layers", "mlp.fc1.weight"),
            "num_attention_heads": (width / HEAD).max(1),
            "image_size": image,
            "patch_size": patch,
            "layer_norm_eps": if is_original { 1e-6 } else { 1e-5 },
        },
        "text_config": {
            "hidden_size": text_width,
            "intermediate_size": *text("encoder.layer.0.intermediate.dense.weight")?.first()?,
            "num_hidden_layers": depth(&format!("{bert}.encoder.layer"), "output.dense.weight"),
            "num_attention_heads": (text_width / HEAD).max(1),
            "max_position_embeddings": *text("embeddings.position_embeddings.weight")?.first()?,
            "vocab_size": vocabulary,
        },
    });
    let preprocessor = json!({
        "image_processor_type": "BlipImageProcessor",
        "size": { "height": image, "width": image },
    });
    Some(Texts {
        config: config.to_string(),
        preprocessor: preprocessor.to_string(),
    })
}
