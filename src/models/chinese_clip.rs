//! Chinese-CLIP (Yang et al., arXiv 2211.01335): CLIP's image encoder, and a BERT whose first token makes a
//! text's vector. `ChineseCLIPModel` of the `transformers` package.

use super::bert::BertConfig;
use super::clip::{
    ClipConfig, ClipTextConfig, ClipVisionConfig, Encoders, TextPooling, TextProjection,
};
use super::family::Family;
use super::harmless;
use super::patches::check_patches;
use super::section::Section;
use crate::Result;
use crate::kernels::Activation;
use crate::nn::transformer::BlockConfig;
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
        ])?;
    }
    Ok(config)
}

fn parse_text(text: &Section, vectors: usize) -> Result<ClipTextConfig> {
    let width = text.size("hidden_size", 768)?;
    let bert = BertConfig {
        vocabulary: text.size("vocab_size", 30_522)?,
        positions: text.size("max_position_embeddings", 512)?,
        width,
        context_width: None,
        kinds: Some(text.size("type_vocab_size", 2)?),
        hidden: text.size("intermediate_size", 3_072)?,
        depth: text.depth(12)?,
        heads: text.heads(12, width)?,
        activation: text.activation("hidden_act", Activation::Gelu)?,
        epsilon: text.epsilon("layer_norm_eps", 1e-12)?,
    };
    Ok(ClipTextConfig {
        vocabulary: bert.vocabulary,
        positions: bert.positions,
        depth: bert.depth,
        block: BlockConfig {
            width,
            hidden: bert.hidden,
            heads: bert.heads,
            activation: bert.activation,
            epsilon: bert.epsilon,
            layer_scale: false,
        },
        bert: Some(bert),
        causal: false,
        pooling: TextPooling::First,
        filling: None,
        fills_left: false,
        zeroed: None,
        projection: TextProjection::Matrix,
        vectors,
    })
}
