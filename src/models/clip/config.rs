//! What config.json says of a CLIP: `CLIPConfig` of the `transformers` package, and what open_clip's
//! models have beside it, under open_clip's names. The latter never stand in a file of transformers;
//! `load` writes them where it makes a config.json of an open_clip_config.json:
//!
//! | Section | Field | Meaning |
//! |---|---|---|
//! | both | `layer_scale` | what each block adds is scaled by `layer_scale1.gamma`, `layer_scale2.gamma` |
//! | text | `pool_type` | `argmax`: the vector is of the largest id; `eos`: of `eos_token_id`; `first`; `last` |
//! | text | `no_causal_mask` | tokens see those behind them |
//! | text | `fill_token_id` | texts are filled up with this token, because the encoder sees the filling |
//! | text | `zeroed_token_id` | this token is replaced by token 0 |
//! | text | `proj_type`, `proj_bias` | `none`: no projection; whether it has a bias |
//! | text | `encoder` | the config.json of a language model that encodes texts instead ([`crate::models::language`]) |
//! | vision | `pool_type` | `tok`: the vector is of the class token; `avg`: the mean of the others |
//! | vision | `no_ln_pre` | no norm before the blocks |
//! | vision | `final_ln_after_pool` | the last norm comes after pooling |
//! | vision | `layers` (a list), `width`, `head_width` | a ResNet |
//!
//! With an `encoder`, `pool_type` is `mean`, `first` or `pooler` (a layer of the encoder's own over the first
//! token), `proj_type` may also be `mlp`, and `max_position_embeddings` is where texts are cut.

use crate::kernels::Activation;
use crate::models::bert::BertConfig;
use crate::models::family::Family;
use crate::models::harmless;
use crate::models::language;
use crate::models::patches::check_patches;
use crate::models::section::Section;
use crate::nn::resnet::{REDUCTION, ResNetConfig};
use crate::nn::transformer::BlockConfig;
use crate::nn::vit::VitConfig;
use crate::{Error, Result};
use serde_json::json;

/// Sizes of the text encoder.
#[derive(Debug, Clone)]
pub struct ClipTextConfig {
    /// Entries of the token table.
    pub vocabulary: usize,
    /// Longest text, in tokens.
    pub positions: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Sizes of a block.
    pub block: BlockConfig,
    /// The encoder, where it is BERT instead of CLIP's own.
    pub bert: Option<BertConfig>,
    /// Whether tokens see only those before them.
    pub causal: bool,
    /// Whose state becomes a text's vector.
    pub pooling: TextPooling,
    /// What fills texts up to full length, where the encoder sees it.
    pub filling: Option<u32>,
    /// Whether it comes before the text instead of behind it.
    pub fills_left: bool,
    /// A token that is replaced by token 0.
    pub zeroed: Option<u32>,
    /// What brings the vector into the shared space.
    pub projection: TextProjection,
    /// Width of the vectors.
    pub vectors: usize,
}

/// Whose state becomes a text's vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextPooling {
    /// The first token with the largest id, which in CLIP's vocabulary ends a text.
    Largest,
    /// The first of this token; without one, the first token.
    Token(u32),
    /// The first token.
    First,
    /// The last token.
    Last,
    /// The mean of all tokens.
    Mean,
    /// The first token, through BERT's pooler: a layer and a hyperbolic tangent.
    Pooler,
}

/// What brings a text's vector into the shared space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextProjection {
    /// A matrix.
    Matrix,
    /// A matrix and a bias.
    Biased,
    /// Two matrices, as wide between them as both ends are on average, and GELU in the middle.
    Perceptron,
    /// Nothing: the widths are equal.
    None,
}

impl ClipTextConfig {
    fn parse(text: &Section, vectors: usize) -> Result<Self> {
        if text.get("encoder").is_some() {
            return Self::parse_encoder(text, vectors);
        }
        let end_token = text.id("eos_token_id", 49_407)?;
        const POOLINGS: [&str; 5] = ["", "argmax", "eos", "first", "last"];
        let pooling = match POOLINGS[text.choice("pool_type", &POOLINGS)?] {
            "eos" => TextPooling::Token(end_token),
            "first" => TextPooling::First,
            "last" => TextPooling::Last,
            // Configurations with the legacy `eos_token_id: 2` (an error of their time) mean the
            // largest id.
            "" if end_token != 2 => TextPooling::Token(end_token),
            _ => TextPooling::Largest,
        };
        let is_projected = text.choice("proj_type", &["linear", "none"])? == 0;
        let has_bias = text.switch("proj_bias")?;
        let config = Self {
            vocabulary: text.size("vocab_size", 49_408)?,
            positions: text.size("max_position_embeddings", 77)?,
            depth: text.depth(12)?,
            block: block(text, 512, 8)?,
            bert: None,
            causal: !text.switch("no_causal_mask")?,
            pooling,
            filling: text.optional_id("fill_token_id")?,
            fills_left: false,
            zeroed: text.optional_id("zeroed_token_id")?,
            projection: match (is_projected, has_bias) {
                (true, false) => TextProjection::Matrix,
                (true, true) => TextProjection::Biased,
                (false, _) => TextProjection::None,
            },
            vectors,
        };
        if let Some(token) = config.filling {
            check_filling(text, token, config.vocabulary)?;
        }
        Ok(config)
    }

    /// Reads a `text_config` whose `encoder` is a language model.
    fn parse_encoder(text: &Section, vectors: usize) -> Result<Self> {
        const POOLINGS: [&str; 3] = ["mean", "first", "pooler"];
        let pooling = match POOLINGS[text.choice("pool_type", &POOLINGS)?] {
            "mean" => TextPooling::Mean,
            "first" => TextPooling::First,
            _ => TextPooling::Pooler,
        };
        const PROJECTIONS: [&str; 3] = ["linear", "none", "mlp"];
        let kind = PROJECTIONS[text.choice("proj_type", &PROJECTIONS)?];
        let projection = match (kind, text.switch("proj_bias")?) {
            ("linear", false) => TextProjection::Matrix,
            ("linear", true) => TextProjection::Biased,
            ("mlp", _) => TextProjection::Perceptron,
            _ => TextProjection::None,
        };
        let bert = language::parse(&text.section("encoder")?)?;
        let longest = text.size("max_position_embeddings", 77)?;
        Ok(Self {
            positions: longest.min(bert.longest()),
            ..Self::of_bert(bert, pooling, projection, vectors)
        })
    }

    /// Texts of a BERT.
    pub(in crate::models) fn of_bert(
        bert: BertConfig,
        pooling: TextPooling,
        projection: TextProjection,
        vectors: usize,
    ) -> Self {
        Self {
            vocabulary: bert.vocabulary,
            positions: bert.longest(),
            depth: bert.depth,
            block: BlockConfig {
                width: bert.width,
                hidden: bert.hidden,
                heads: bert.heads,
                activation: bert.activation,
                epsilon: bert.epsilon,
                layer_scale: false,
            },
            bert: Some(bert),
            causal: false,
            pooling,
            filling: None,
            fills_left: false,
            zeroed: None,
            projection,
            vectors,
        }
    }

    /// A text's ids as the encoder takes them: filled up to full length, where that changes what it
    /// computes.
    pub fn completed(&self, mut ids: Vec<u32>) -> Vec<u32> {
        ids.iter_mut()
            .filter(|id| Some(**id) == self.zeroed)
            .for_each(|id| *id = 0);
        if let Some(token) = self.filling {
            let missing = self.positions.saturating_sub(ids.len());
            let place = if self.fills_left { 0 } else { ids.len() };
            ids.splice(place..place, std::iter::repeat_n(token, missing));
        }
        ids
    }

    /// The place of the token whose state becomes the vector; the first where it is not one token's.
    pub fn pooled_position(&self, ids: &[u32]) -> usize {
        let token = match self.pooling {
            TextPooling::First | TextPooling::Mean | TextPooling::Pooler => return 0,
            TextPooling::Last => return ids.len().saturating_sub(1),
            TextPooling::Largest => ids.iter().copied().max(),
            TextPooling::Token(token) => Some(token),
        };
        ids.iter().position(|id| Some(*id) == token).unwrap_or(0)
    }
}

/// Refuses to fill texts up with a token that the table lacks.
pub fn check_filling(text: &Section, token: u32, vocabulary: usize) -> Result<()> {
    match (token as usize) < vocabulary {
        true => Ok(()),
        false => Err(text.wrong("fill_token_id", "less than vocab_size", &json!(token))),
    }
}

/// Which of its two encoders are wanted: vectors of pictures take one, those of texts the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoders {
    /// The image encoder.
    pub image: bool,
    /// The text encoder.
    pub text: bool,
}

/// Sizes of the image encoder, of either kind.
#[derive(Debug, Clone)]
pub enum ClipVisionConfig {
    /// A vision transformer.
    Transformer(VitConfig, ImagePooling),
    /// A ResNet.
    ResNet(ResNetConfig),
}

/// How the tokens of a vision transformer become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImagePooling {
    /// It is that of the class token.
    Class,
    /// It is the mean of all but the class token.
    Average {
        /// Whether the last norm is applied to the mean, instead of to each token.
        norm_after: bool,
    },
    /// It is what a learned query finds, and no projection comes behind it.
    Attention,
}

impl ClipVisionConfig {
    /// Reads a `vision_config`.
    pub(in crate::models) fn parse(vision: &Section) -> Result<Self> {
        vision.only("num_channels", json!(3))?;
        if let Some(config) = Self::parse_resnet(vision)? {
            return Ok(ClipVisionConfig::ResNet(config));
        }
        let config = VitConfig {
            image_size: vision.side("image_size", 224)?,
            patch_size: vision.side("patch_size", 32)?,
            depth: vision.depth(12)?,
            class_token: true,
            patch_bias: false,
            pre_norm: !vision.switch("no_ln_pre")?,
            block: block(vision, 768, 12)?,
        };
        let norm_after = vision.switch("final_ln_after_pool")?;
        let pooling = match vision.choice("pool_type", &["tok", "avg"])? {
            1 => ImagePooling::Average { norm_after },
            _ => ImagePooling::Class,
        };
        Ok(ClipVisionConfig::Transformer(config, pooling))
    }

    /// The ResNet that a `vision_config` describes, if it describes one: the class of the reference
    /// has none, so it is open_clip's own form, `layers` being a list there.
    fn parse_resnet(vision: &Section) -> Result<Option<ResNetConfig>> {
        let Some(layers) = vision.four_depths("layers")? else {
            return Ok(None);
        };
        let width = vision.size("width", 64)?;
        let head_width = vision.size("head_width", 64)?;
        let config = ResNetConfig {
            image_size: vision.side("image_size", 224)?,
            layers,
            width,
            heads: (width * 32 / head_width).max(1),
        };
        if width > 4096 || !width.is_multiple_of(2) || !config.features().is_multiple_of(head_width)
        {
            return Err(Error::BadWeights(format!(
                "config.json: vision_config.width is {width} and head_width {head_width}, expected an even width of at most 4096 and whole heads in 32 times it"
            )));
        }
        Ok(Some(config))
    }

    /// Side of the pictures that it was trained on, in pixels.
    pub fn image_size(&self) -> usize {
        match self {
            ClipVisionConfig::Transformer(config, _) => config.image_size,
            ClipVisionConfig::ResNet(config) => config.image_size,
        }
    }

    /// Side of the squares of pixels that one token or place stands for.
    pub fn patch_size(&self) -> usize {
        match self {
            ClipVisionConfig::Transformer(config, _) => config.patch_size,
            ClipVisionConfig::ResNet(_) => REDUCTION,
        }
    }
}

/// Sizes of a CLIP.
#[derive(Debug, Clone)]
pub struct ClipConfig {
    /// CLIP itself, or a family that differs in its settings.
    pub family: Family,
    /// The encoders that are loaded.
    pub encoders: Encoders,
    /// The image encoder.
    pub vision: ClipVisionConfig,
    /// The text encoder.
    pub text: ClipTextConfig,
    /// Width of the shared space, or of the vectors of an encoder without a projection into it: of an
    /// encoder alone, of its own.
    pub projection: usize,
    /// Whether pictures and texts have a space in common: an encoder that was saved alone may lack its
    /// projection into it.
    pub is_projected: bool,
}

impl ClipConfig {
    /// Reads the sections of config.json, with the defaults of the reference.
    pub fn parse(root: &Section) -> Result<Self> {
        let vision = root.section("vision_config")?;
        let text = root.section("text_config")?;
        let projection = root.size("projection_dim", 512)?;
        let config = Self {
            family: Family::Clip,
            encoders: Encoders {
                image: true,
                text: true,
            },
            vision: ClipVisionConfig::parse(&vision)?,
            text: ClipTextConfig::parse(&text, projection)?,
            projection,
            is_projected: true,
        };
        check_patches(config.vision.image_size(), config.vision.patch_size())?;
        if config.text.projection == TextProjection::None
            && config.text.block.width != config.projection
        {
            let width = json!(config.text.block.width);
            let expected = format!("{} without a projection (proj_type)", config.projection);
            return Err(text.wrong("hidden_size", &expected, &width));
        }
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
}

/// The sizes of an encoder's blocks; these are its default width and heads.
pub(in crate::models) fn block(
    section: &Section,
    width: usize,
    heads: usize,
) -> Result<BlockConfig> {
    let default_hidden = 4 * width;
    let width = section.size("hidden_size", width)?;
    Ok(BlockConfig {
        width,
        hidden: section.size("intermediate_size", default_hidden)?,
        heads: section.heads(heads, width)?,
        activation: section.activation("hidden_act", Activation::QuickGelu)?,
        epsilon: section.epsilon("layer_norm_eps", 1e-5)?,
        layer_scale: section.switch("layer_scale")?,
    })
}
