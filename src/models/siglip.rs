//! SigLIP (Zhai et al., arXiv 2303.15343) and SigLIP 2 (Tschannen et al., arXiv 2502.14786) for
//! pictures of one shape: `SiglipModel` of the `transformers` package. It is a CLIP of other parts: no
//! class token, a pooling head that attends, texts filled up to full length and read at their last
//! place; each pair of picture and text has a score of its own. Of the fields, files have few.
//!
//! Three fields of `text_config` never stand in a file of transformers, whose tokenizers know them;
//! `load` writes them: `fill_token_id`, which texts are filled up with, and `fill_side`, `left` if
//! the text comes last; and `proj_type`, `none` of the one model of open_clip whose texts are not
//! projected.

use super::clip::{
    ClipConfig, ClipTextConfig, ClipVisionConfig, Encoders, ImagePooling, TextPooling,
    TextProjection, check_filling,
};
use super::family::Family;
use super::harmless;
use super::patches::check_image_size;
use super::section::Section;
use crate::kernels::Activation;
use crate::nn::transformer::BlockConfig;
use crate::nn::vit::VitConfig;
use crate::{Error, Result};
use serde_json::json;

/// Reads the sections of config.json, with the defaults of the reference.
pub fn parse(root: &Section) -> Result<ClipConfig> {
    let vision = root.section("vision_config")?;
    let text = root.section("text_config")?;
    vision.only("num_channels", json!(3))?;
    // Without the head there is no vector.
    vision.only("vision_use_head", json!(true))?;
    let image = VitConfig {
        image_size: vision.side("image_size", 224)?,
        patch_size: vision.side("patch_size", 16)?,
        depth: vision.depth(12)?,
        class_token: false,
        patch_bias: true,
        pre_norm: false,
        block: block(&vision)?,
    };
    check_image_size(image.image_size, image.patch_size)?;
    let config = ClipConfig {
        family: Family::Siglip,
        encoders: Encoders {
            image: true,
            text: true,
        },
        projection: image.block.width,
        vision: ClipVisionConfig::Transformer(image, ImagePooling::Attention),
        text: parse_text(&text)?,
        is_projected: true,
    };
    for section in [root, &vision, &text] {
        section.finish(&[
            harmless::ANYWHERE,
            harmless::UNUSED_WIDTHS,
            harmless::OF_CLIP,
        ])?;
    }
    Ok(config)
}

fn parse_text(text: &Section) -> Result<ClipTextConfig> {
    let block = block(text)?;
    let filling = text.id("fill_token_id", 1)?;
    let vocabulary = text.size("vocab_size", 32_000)?;
    check_filling(text, filling, vocabulary)?;
    let vectors = text.size("projection_size", block.width)?;
    let is_projected = text.choice("proj_type", &["linear", "none"])? == 0;
    if !is_projected && vectors != block.width {
        let expected = format!("{} without a projection (proj_type)", block.width);
        return Err(text.wrong("projection_size", &expected, &json!(vectors)));
    }
    Ok(ClipTextConfig {
        vocabulary,
        positions: text.size("max_position_embeddings", 64)?,
        depth: text.depth(12)?,
        bert: None,
        causal: false,
        pooling: TextPooling::Last,
        filling: Some(filling),
        fills_left: text.choice("fill_side", &["right", "left"])? == 1,
        zeroed: None,
        projection: match is_projected {
            true => TextProjection::Biased,
            false => TextProjection::None,
        },
        vectors,
        block,
    })
}

/// The sizes of an encoder's blocks; the defaults of both are the same.
fn block(section: &Section) -> Result<BlockConfig> {
    let width = section.size("hidden_size", 768)?;
    Ok(BlockConfig {
        width,
        hidden: section.size("intermediate_size", 3_072)?,
        heads: section.heads(12, width)?,
        activation: section.activation("hidden_act", Activation::GeluTanh)?,
        epsilon: section.epsilon("layer_norm_eps", 1e-6)?,
        layer_scale: false,
    })
}

/// Refuses a whole model whose pictures' and texts' vectors are not equally long: nothing compares them.
pub fn check_space(config: &ClipConfig) -> Result<()> {
    if config.text.vectors == config.projection {
        return Ok(());
    }
    Err(Error::BadWeights(format!(
        "config.json: text_config.projection_size is {}, expected {}, the vision_config.hidden_size of the vectors that it is compared with",
        config.text.vectors, config.projection
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelConfig;
    use serde_json::Value;

    fn siglip(config: Value) -> ClipConfig {
        match ModelConfig::from_json(&config.to_string()) {
            Ok(ModelConfig::Clip(config)) => config,
            other => panic!("{other:?}"),
        }
    }

    fn refusal(config: Value) -> String {
        let refused = ModelConfig::from_json(&config.to_string());
        refused.expect_err("refused").to_string()
    }

    fn vision(config: &ClipConfig) -> &VitConfig {
        match &config.vision {
            ClipVisionConfig::Transformer(vision, ImagePooling::Attention) => vision,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn absent_fields_are_those_of_the_base_model() {
        // As in google/siglip-base-patch16-224.
        let config = siglip(json!({
            "model_type": "siglip", "architectures": ["SiglipModel"], "initializer_factor": 1.0,
            "text_config": {"model_type": "siglip_text_model"},
            "vision_config": {"model_type": "siglip_vision_model"},
        }));
        assert_eq!(config.family, Family::Siglip);
        let image = vision(&config);
        assert_eq!(
            (image.image_size, image.patch_size, image.depth),
            (224, 16, 12)
        );
        assert!(!image.class_token && !image.pre_norm && image.patch_bias);
        let text = &config.text;
        assert_eq!(
            (text.vocabulary, text.positions, text.depth),
            (32_000, 64, 12)
        );
        assert_eq!((config.projection, text.vectors), (768, 768));
        for block in [&image.block, &text.block] {
            assert_eq!((block.width, block.hidden, block.heads), (768, 3072, 12));
            assert_eq!(
                (block.activation, block.epsilon),
                (Activation::GeluTanh, 1e-6)
            );
        }
        assert_eq!((text.filling, text.causal), (Some(1), false));
    }

    #[test]
    fn towers_of_different_width_meet_in_the_images_space() {
        // As in google/siglip2-giant-opt-patch16-256.
        let giant = |projection: Value| {
            json!({
                "model_type": "siglip",
                "text_config": {
                    "hidden_size": 1152, "intermediate_size": 4304, "num_attention_heads": 16,
                    "num_hidden_layers": 27, "projection_size": projection, "vocab_size": 256_000,
                },
                "vision_config": {
                    "hidden_size": 1536, "image_size": 256, "intermediate_size": 6144,
                    "num_attention_heads": 16, "num_hidden_layers": 40,
                },
            })
        };
        let config = siglip(giant(json!(1536)));
        assert_eq!((config.projection, config.text.vectors), (1536, 1536));
        let error = refusal(giant(Value::Null));
        assert!(
            error.contains("projection_size is 1152, expected 1536"),
            "{error}"
        );
    }

    #[test]
    fn pictures_need_not_be_whole_patches() {
        // As in google/siglip-so400m-patch14-384.
        let config = siglip(json!({
            "model_type": "siglip", "vision_config": {"image_size": 384, "patch_size": 14},
        }));
        assert_eq!(vision(&config).grid(), 27);
    }

    #[test]
    fn encoders_alone_have_their_own_width() {
        let text = siglip(
            json!({"model_type": "siglip_text_model", "hidden_size": 48, "num_attention_heads": 4}),
        );
        assert!(text.encoders.text && !text.encoders.image && text.is_projected);
        assert_eq!(text.projection, 48);
        let image = siglip(json!({"model_type": "siglip_vision_model", "hidden_size": 24}));
        assert!(image.encoders.image && !image.encoders.text && image.is_projected);
        assert_eq!(image.projection, 24);
    }

    #[test]
    fn what_makes_another_network_is_refused_by_name() {
        for (config, name) in [
            (
                json!({"model_type": "siglip", "vision_config": {"vision_use_head": false}}),
                "vision_use_head",
            ),
            (
                json!({"model_type": "siglip", "vision_config": {"num_channels": 1}}),
                "num_channels",
            ),
            (
                json!({"model_type": "siglip", "text_config": {"fill_token_id": 32_000}}),
                "fill_token_id",
            ),
            (
                json!({"model_type": "siglip", "text_config": {"rope_theta": 1.0}}),
                "rope_theta",
            ),
            (json!({"model_type": "siglip2"}), "NaFlex"),
            (
                json!({"model_type": "siglip", "architectures": ["SiglipForImageClassification"]}),
                "SiglipForImageClassification",
            ),
        ] {
            let error = refusal(config);
            assert!(error.contains(name), "{error}");
        }
    }
}
