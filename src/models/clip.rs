//! CLIP (Radford et al., arXiv 2103.00020) with a vision transformer: `CLIPModel` of the
//! `transformers` package.

use super::config::{Section, check_patches};
use crate::Result;
use crate::kernels::Activation;
use crate::nn::transformer::{Block, BlockConfig, ProjectionNames, load_blocks};
use crate::nn::vit::{VisionTransformer, VitConfig, VitNames};
use crate::nn::{Embedding, LayerNorm, Linear, Parameters};
use burn::tensor::{Device, Tensor};

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
    /// The end-of-text token, at whose place the text is pooled.
    pub end_token: u32,
}

/// Which of its two encoders are wanted: vectors of pictures take one, those of texts the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoders {
    /// The image encoder.
    pub image: bool,
    /// The text encoder.
    pub text: bool,
}

/// Sizes of a CLIP.
#[derive(Debug, Clone)]
pub struct ClipConfig {
    /// The encoders that are loaded.
    pub encoders: Encoders,
    /// The image encoder.
    pub vision: VitConfig,
    /// The text encoder.
    pub text: ClipTextConfig,
    /// Width of the shared space.
    pub projection: usize,
}

impl ClipConfig {
    /// Reads the sections of config.json, with the defaults of the reference.
    pub fn parse(root: &Section) -> Result<Self> {
        let vision = root.section("vision_config")?;
        let text = root.section("text_config")?;
        let block = |section: &Section, width: usize, heads: usize| -> Result<BlockConfig> {
            let width = section.size("hidden_size", width)?;
            Ok(BlockConfig {
                width,
                hidden: section.size("intermediate_size", 4 * width)?,
                heads: section.heads(heads, width)?,
                activation: section.activation("hidden_act", Activation::QuickGelu)?,
                epsilon: section.epsilon("layer_norm_eps", 1e-5)?,
            })
        };
        let config = Self {
            encoders: Encoders {
                image: true,
                text: true,
            },
            vision: VitConfig {
                image_size: vision.size("image_size", 224)?,
                patch_size: vision.size("patch_size", 32)?,
                depth: vision.depth(12)?,
                block: block(&vision, 768, 12)?,
            },
            text: ClipTextConfig {
                vocabulary: text.size("vocab_size", 49_408)?,
                positions: text.size("max_position_embeddings", 77)?,
                depth: text.depth(12)?,
                block: block(&text, 512, 8)?,
                end_token: text.id("eos_token_id", 49_407)?,
            },
            projection: root.size("projection_dim", 512)?,
        };
        check_patches(config.vision.image_size, config.vision.patch_size)?;
        Ok(config)
    }
}

/// Pictures to vectors.
#[derive(Debug, Clone)]
struct ImageEncoder {
    vision: VisionTransformer,
    projection: Linear,
}

impl ImageEncoder {
    fn load(parameters: &mut Parameters, config: &ClipConfig) -> Result<Self> {
        let names = VitNames {
            patch_bias: false,
            pre_norm: true,
            projections: ProjectionNames::Separate,
        };
        Ok(Self {
            vision: VisionTransformer::load(parameters, config.vision.clone(), names)?,
            projection: Linear::load_without_bias(
                parameters,
                "visual_projection.weight",
                [config.projection, config.vision.block.width],
            )?,
        })
    }
}

/// Texts to vectors.
#[derive(Debug, Clone)]
struct TextEncoder {
    token_embedding: Embedding,
    position_embedding: Tensor<2>,
    blocks: Vec<Block>,
    final_norm: LayerNorm,
    projection: Linear,
}

impl TextEncoder {
    fn load(parameters: &mut Parameters, config: &ClipConfig) -> Result<Self> {
        let text = &config.text;
        let width = text.block.width;
        Ok(Self {
            token_embedding: Embedding::load(
                parameters,
                "text_model.embeddings.token_embedding.weight",
                [text.vocabulary, width],
            )?,
            position_embedding: parameters.tensor(
                "text_model.embeddings.position_embedding.weight",
                [text.positions, width],
            )?,
            blocks: load_blocks(
                parameters,
                "text_model.encoder.layers",
                text.depth,
                &text.block,
                ProjectionNames::Separate,
            )?,
            final_norm: LayerNorm::load(
                parameters,
                "text_model.final_layer_norm",
                width,
                text.block.epsilon,
            )?,
            projection: Linear::load_without_bias(
                parameters,
                "text_projection.weight",
                [config.projection, width],
            )?,
        })
    }
}

/// Both encoders with their projections into the space they share, or one of them. To use one that
/// was not asked for ([`ClipConfig::encoders`]) is a mistake of ours and a panic; the tasks refuse
/// it before.
#[derive(Debug, Clone)]
pub struct Clip {
    config: ClipConfig,
    image: Option<ImageEncoder>,
    text: Option<TextEncoder>,
    logit_scale: Tensor<1>,
    device: Device,
}

impl Clip {
    /// Takes the model out of a checkpoint's tensors.
    pub fn load(parameters: &mut Parameters, config: ClipConfig) -> Result<Self> {
        let Encoders { image, text } = config.encoders;
        Ok(Self {
            image: image
                .then(|| ImageEncoder::load(parameters, &config))
                .transpose()?,
            text: text
                .then(|| TextEncoder::load(parameters, &config))
                .transpose()?,
            logit_scale: parameters.tensor("logit_scale", [1])?,
            device: parameters.device().clone(),
            config,
        })
    }

    fn image(&self) -> &ImageEncoder {
        self.image.as_ref().expect("the image encoder was loaded")
    }

    fn text(&self) -> &TextEncoder {
        self.text.as_ref().expect("the text encoder was loaded")
    }

    /// Sizes.
    pub fn config(&self) -> &ClipConfig {
        &self.config
    }

    /// The image encoder.
    pub fn vision(&self) -> &VisionTransformer {
        &self.image().vision
    }

    /// Every token after the last block, `[batch, 3, height, width]` to `[batch, tokens, width]`:
    /// the reference's `vision_model(...).last_hidden_state`.
    pub fn encode_image_tokens(&self, pixels: Tensor<4>) -> Tensor<3> {
        let vision = self.vision();
        vision.encode(vision.embed(pixels))
    }

    /// Vectors in the shared space: `[batch, 3, height, width]` to `[batch, projection]`.
    pub fn encode_image(&self, pixels: Tensor<4>) -> Tensor<2> {
        let tokens = self.encode_image_tokens(pixels);
        let [batch, _, width] = tokens.dims();
        let class = tokens.narrow(1, 0, 1).reshape([batch, width]);
        self.image()
            .projection
            .forward(self.vision().post_norm.forward(class))
    }

    /// Every token of texts of equal length after the final norm: `[batch, tokens, width]`. Each
    /// has at least one token and at most as many as there are positions.
    pub fn encode_text_tokens(&self, ids: &[Vec<u32>]) -> Tensor<3> {
        let text = self.text();
        let tokens = text.token_embedding.forward(ids, &self.device);
        let positions = text
            .position_embedding
            .clone()
            .narrow(0, 0, tokens.dims()[1]);
        let input = tokens + positions.unsqueeze::<3>(); // [batch, tokens, width]
        let blocks = text.blocks.iter();
        text.final_norm
            .forward(blocks.fold(input, |tokens, block| block.forward(tokens, true)))
    }

    /// Vectors in the shared space of texts of equal length: `[batch, projection]`.
    pub fn encode_text(&self, ids: &[Vec<u32>]) -> Tensor<2> {
        let hidden = self.encode_text_tokens(ids);
        let width = hidden.dims()[2];
        let pooled = ids.iter().enumerate().map(|(row, ids)| {
            hidden
                .clone()
                .narrow(0, row, 1)
                .narrow(1, self.pooled_position(ids), 1)
        });
        let pooled = Tensor::cat(pooled.collect(), 0).reshape([ids.len(), width]); // [batch, width]
        self.text().projection.forward(pooled)
    }

    /// The place of the end-of-text token. Configurations with the legacy `eos_token_id: 2` (an
    /// error of their time) mean the largest id, which is that token.
    fn pooled_position(&self, ids: &[u32]) -> usize {
        let end = match self.config.text.end_token {
            2 => ids.iter().copied().max(),
            token => Some(token),
        };
        ids.iter().position(|id| Some(*id) == end).unwrap_or(0)
    }

    /// `exp(logit_scale)`, what similarities are multiplied with before the softmax: `[1]`.
    pub fn logit_scale(&self) -> Tensor<1> {
        self.logit_scale.clone().exp()
    }
}
