//! What takes the place of config.json and preprocessor_config.json where a checkpoint comes from
//! its first authors: the shapes of BLIP's tensors. Of open_clip's see `open_clip`.

use super::table::Located;
use serde_json::json;

/// The texts of config.json and preprocessor_config.json.
pub(super) struct Texts {
    pub config: String,
    pub preprocessor: String,
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
