//! What config.json says of a CoCa. `transformers` has no such class: `load` makes the file of an
//! open_clip_config.json, with the fields of a CLIP's sections (`models::clip::config`) and these:
//!
//! | Section | Field | Meaning |
//! |---|---|---|
//! | whole | `bos_token_id`, `eos_token_id` | what a caption begins and ends with |
//! | vision | `attentional_pool` | its tokens are pooled by attention, into what the decoder looks at |
//! | vision | `attn_pooler_queries`, `attn_pooler_heads` | how |
//! | text | `max_position_embeddings` | without the class token, which has a position of its own |
//! | multimodal | (as of a text encoder) | the decoder |

use crate::Result;
use crate::models::clip::{
    ClipVisionConfig, Encoders, ImagePooling, TextProjection, block_config as block,
};
use crate::models::harmless;
use crate::models::patches::check_patches;
use crate::models::section::Section;
use crate::nn::PoolerConfig;
use crate::nn::transformer::BlockConfig;
use crate::nn::vit::VitConfig;
use serde_json::json;

/// What fills texts up, and what the mask of the text encoder takes for filling wherever it stands.
pub const PADDING: u32 = 0;

/// The parts that are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CocaParts {
    /// The encoders that make vectors.
    pub vectors: Encoders,
    /// What writes captions: both encoders and the decoder.
    pub captions: bool,
}

impl CocaParts {
    /// Whether the image encoder is loaded.
    pub fn image(self) -> bool {
        self.vectors.image || self.captions
    }

    /// Whether the text encoder is loaded.
    pub fn text(self) -> bool {
        self.vectors.text || self.captions
    }
}

/// Sizes of the text encoder.
#[derive(Debug, Clone)]
pub struct CocaTextConfig {
    /// Entries of the token table.
    pub vocabulary: usize,
    /// Longest text, in tokens; the class token comes behind it.
    pub positions: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Sizes of a block.
    pub block: BlockConfig,
    /// What brings the vector into the shared space.
    pub projection: TextProjection,
}

/// Sizes of the decoder.
#[derive(Debug, Clone)]
pub struct CocaDecoderConfig {
    /// Tokens that it reads at most.
    pub positions: usize,
    /// Number of pairs of blocks: one sees the text, one the picture.
    pub depth: usize,
    /// Sizes of a block of either kind.
    pub block: BlockConfig,
}

/// Sizes and special tokens of a CoCa.
#[derive(Debug, Clone)]
pub struct CocaConfig {
    /// The parts that are loaded.
    pub parts: CocaParts,
    /// The image encoder.
    pub vision: VitConfig,
    /// What its tokens are pooled by before anything looks at them.
    pub pooler: Option<PoolerConfig>,
    /// Which of these, or of the tokens themselves, make the vector.
    pub pooling: ImagePooling,
    /// Whether the decoder looks at normalised tokens.
    pub normalized: bool,
    /// The text encoder.
    pub text: CocaTextConfig,
    /// The decoder.
    pub decoder: CocaDecoderConfig,
    /// Width of the shared space.
    pub projection: usize,
    /// What a caption begins with.
    pub start_token: u32,
    /// What ends one.
    pub stop_token: u32,
}

impl CocaConfig {
    /// Reads the sections of config.json.
    pub fn parse(root: &Section) -> Result<Self> {
        let [vision, text, decoder] =
            ["vision_config", "text_config", "multimodal_config"].map(|name| root.section(name));
        let (vision, text, decoder) = (vision?, text?, decoder?);
        let projection = root.size("projection_dim", 512)?;
        let (vit, pooling) = match ClipVisionConfig::parse(&vision)? {
            ClipVisionConfig::Transformer(vit, pooling) => (vit, pooling),
            ClipVisionConfig::ResNet(_) => {
                let layers = vision.get("layers").cloned().unwrap_or_default();
                return Err(vision.wrong("layers", "a number: CoCa has no ResNet", &layers));
            }
        };
        check_patches(vit.image_size, vit.patch_size)?;
        let pooler = parse_pooler(&vision, projection, vit.block.width)?;
        let normalized = pooler.is_some() || !vision.switch("final_ln_after_pool")?;
        let config = Self {
            parts: CocaParts {
                vectors: Encoders {
                    image: true,
                    text: true,
                },
                captions: true,
            },
            pooling: match (pooling, &pooler) {
                (ImagePooling::Average { .. }, Some(_)) => {
                    ImagePooling::Average { norm_after: false }
                }
                (pooling, _) => pooling,
            },
            vision: vit,
            pooler,
            normalized,
            text: parse_text(&text, projection)?,
            decoder: CocaDecoderConfig {
                positions: decoder.size("max_position_embeddings", 77)?,
                depth: decoder.depth(12)?,
                block: block(&decoder, 512, 8)?,
            },
            projection,
            start_token: root.id("bos_token_id", 49_406)?,
            stop_token: root.id("eos_token_id", 49_407)?,
        };
        config.check(root, &text, &decoder)?;
        for section in [root, &vision, &text, &decoder] {
            section.finish(&[harmless::ANYWHERE, harmless::OF_CLIP])?;
        }
        Ok(config)
    }

    /// Tokens that a text of a decoder may have, the last one unread.
    pub fn room(&self) -> usize {
        1 + self.text.positions.min(self.decoder.positions)
    }

    fn check(&self, root: &Section, text: &Section, decoder: &Section) -> Result<()> {
        for (name, token) in [
            ("bos_token_id", self.start_token),
            ("eos_token_id", self.stop_token),
        ] {
            if token as usize >= self.text.vocabulary {
                let expected = format!("less than vocab_size, {}", self.text.vocabulary);
                return Err(root.wrong(name, &expected, &json!(token)));
            }
        }
        let (seen, named) = match &self.pooler {
            Some(pooler) => (pooler.width, "projection_dim"),
            None => (
                self.vision.block.width,
                "vision_config.hidden_size without attentional_pool",
            ),
        };
        let width = self.decoder.block.width;
        if width != seen {
            let expected = format!("{seen}, as wide as what it looks at ({named})");
            return Err(decoder.wrong("hidden_size", &expected, &json!(width)));
        }
        if width != self.text.block.width {
            let expected = format!("{width}, the decoder's, which reads its states");
            return Err(text.wrong("hidden_size", &expected, &json!(self.text.block.width)));
        }
        Ok(())
    }
}

fn parse_pooler(
    vision: &Section,
    width: usize,
    context_width: usize,
) -> Result<Option<PoolerConfig>> {
    let is_there = vision.switch("attentional_pool")?;
    let queries = vision.size("attn_pooler_queries", 256)?;
    let heads = vision.size("attn_pooler_heads", 8)?;
    if !is_there {
        return Ok(None);
    }
    if queries < 2 {
        let expected = "at least 2: one for the vector, the others for captions";
        return Err(vision.wrong("attn_pooler_queries", expected, &json!(queries)));
    }
    if !width.is_multiple_of(heads) {
        let expected = format!("a divisor of projection_dim, {width}");
        return Err(vision.wrong("attn_pooler_heads", &expected, &json!(heads)));
    }
    Ok(Some(PoolerConfig {
        queries,
        heads,
        width,
        context_width,
    }))
}

fn parse_text(text: &Section, projection: usize) -> Result<CocaTextConfig> {
    // States of tokens that see what comes behind them could not be kept while a caption grows.
    text.only("no_causal_mask", json!(false))?;
    let is_projected = text.choice("proj_type", &["linear", "none"])? == 0;
    let has_bias = text.switch("proj_bias")?;
    let block = block(text, 512, 8)?;
    if !is_projected && block.width != projection {
        let expected = format!("{projection} without a projection (proj_type)");
        return Err(text.wrong("hidden_size", &expected, &json!(block.width)));
    }
    Ok(CocaTextConfig {
        vocabulary: text.size("vocab_size", 49_408)?,
        positions: text.size("max_position_embeddings", 77)?,
        depth: text.depth(12)?,
        block,
        projection: match (is_projected, has_bias) {
            (true, false) => TextProjection::Matrix,
            (true, true) => TextProjection::Biased,
            (false, _) => TextProjection::None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelConfig;
    use serde_json::Value;

    fn config() -> Value {
        json!({
            "model_type": "coca", "projection_dim": 24, "bos_token_id": 8, "eos_token_id": 9,
            "vision_config": {
                "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2,
                "image_size": 24, "patch_size": 8, "hidden_act": "gelu",
                "attentional_pool": true, "attn_pooler_heads": 4,
            },
            "text_config": {
                "hidden_size": 24, "num_attention_heads": 2, "num_hidden_layers": 2,
                "vocab_size": 10, "max_position_embeddings": 12,
            },
            "multimodal_config": {
                "hidden_size": 24, "num_attention_heads": 2, "num_hidden_layers": 3,
                "max_position_embeddings": 11,
            },
        })
    }

    fn with(section: &str, field: &str, value: Value) -> Value {
        let mut config = config();
        match section {
            "" => config[field] = value,
            _ => config[section][field] = value,
        }
        config
    }

    #[test]
    fn a_coca_is_read_section_by_section() {
        let Ok(ModelConfig::Coca(coca)) = ModelConfig::from_json(&config().to_string()) else {
            panic!("a CoCa");
        };
        let pooler = coca.pooler.as_ref().expect("a pooler");
        assert_eq!((pooler.queries, pooler.heads, pooler.width), (256, 4, 24));
        assert_eq!(coca.decoder.depth, 3);
        assert_eq!(coca.room(), 12, "eleven are read, one more is written");
        let tasks = ModelConfig::Coca(coca).tasks();
        assert_eq!(tasks, ["caption", "embed", "classify", "match"]);
    }

    #[test]
    fn what_does_not_fit_or_is_not_known_is_refused_by_name() {
        for (section, field, value) in [
            ("", "eos_token_id", json!(10)),
            ("", "logit_bias", json!(-10.0)),
            ("vision_config", "attn_pooler_heads", json!(5)),
            ("vision_config", "attn_pooler_queries", json!(1)),
            ("vision_config", "attentional_pool", json!("cascade")),
            ("vision_config", "layers", json!([1, 1, 1, 1])),
            ("text_config", "no_causal_mask", json!(true)),
            ("text_config", "hidden_size", json!(32)),
            ("multimodal_config", "hidden_size", json!(48)),
            ("multimodal_config", "rope_theta", json!(1)),
        ] {
            let refused = ModelConfig::from_json(&with(section, field, value).to_string());
            let error = refused.expect_err(field).to_string();
            assert!(error.contains(field), "{error}");
        }
    }
}
