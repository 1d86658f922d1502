//! Chinese-CLIP (Yang et al., arXiv 2211.01335): CLIP's image encoder, and a BERT whose first token makes a
//! text's vector. `ChineseCLIPModel` of the `transformers` package.

use super::clip::{
    ClipConfig, ClipTextConfig, ClipVisionConfig, Encoders, TextPooling, TextProjection,
};
use super::family::Family;
use super::harmless;
use super::language;
use super::patches::check_patches;
use super::section::Section;
use crate::Result;
use serde_json::json;

/// Reads the sections of config.json, with the defaults of the reference.
pub fn parse(root: &Section) -> Result<ClipConfig> {
    let vision = root.section("vision_config")?;
    let text = root.section("text_config")?;
    let projection = root.size("projection_dim", 512)?;
    let config = ClipConfig {
        family: Family::ChineseClip,
        encoders: Encoders {
            image: true,
            text: true,
        },
        vision: ClipVisionConfig::parse(&vision)?,
        text: parse_text(&text, projection)?,
        projection,
        is_projected: true,
    };
    check_patches(config.vision.image_size(), config.vision.patch_size())?;
    text.only("position_embedding_type", json!("absolute"))?;
    for section in [root, &vision, &text] {
        section.only("pruned_heads", json!({}))?;
        section.finish(&[
            harmless::ANYWHERE,
            harmless::UNUSED_WIDTHS,
            harmless::OF_CLIP,
            harmless::OF_LANGUAGE_MODELS,
        ])?;
    }
    Ok(config)
}

fn parse_text(text: &Section, vectors: usize) -> Result<ClipTextConfig> {
    let bert = language::bert(text, 30_522)?;
    let (pooling, projection) = (TextPooling::First, TextProjection::Matrix);
    Ok(ClipTextConfig::of_bert(bert, pooling, projection, vectors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelConfig;

    #[test]
    fn the_published_configuration_is_read() {
        // As in OFA-Sys/chinese-clip-vit-base-patch16.
        let config = json!({
            "model_type": "chinese_clip", "architectures": ["ChineseCLIPModel"],
            "initializer_factor": 1.0, "logit_scale_init_value": 2.6592, "projection_dim": 512,
            "text_config": {
                "architectures": ["ChineseCLIPTextModel"], "bos_token_id": 0,
                "directionality": "bidi", "eos_token_id": 2,
                "model_type": "chinese_clip_text_model", "output_past": true,
                "pooler_fc_size": 768, "pooler_num_attention_heads": 12,
                "pooler_num_fc_layers": 3, "pooler_size_per_head": 128,
                "pooler_type": "first_token_transform", "vocab_size": 21128,
            },
            "torch_dtype": "float32", "transformers_version": "4.42.3",
            "vision_config": {
                "dropout": 0.0, "model_type": "chinese_clip_vision_model", "patch_size": 16,
            },
        });
        let parsed = ModelConfig::from_json(&config.to_string()).expect("a Chinese-CLIP");
        assert_eq!(parsed.vocabulary(), Some(21_128));
        assert_eq!(parsed.patch_size(), 16);
    }
}
