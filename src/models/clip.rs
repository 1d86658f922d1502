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

/// Sizes of a CLIP.
#[derive(Debug, Clone)]
pub struct ClipConfig {
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

/// Both encoders and the projections into the space they share.
#[derive(Debug, Clone)]
pub struct Clip {
    config: ClipConfig,
    vision: VisionTransformer,
    visual_projection: Linear,
    token_embedding: Embedding,
    position_embedding: Tensor<2>,
    text_blocks: Vec<Block>,
    final_norm: LayerNorm,
    text_projection: Linear,
    logit_scale: Tensor<1>,
    device: Device,
}

impl Clip {
    /// Takes the model out of a checkpoint's tensors.
    pub fn load(parameters: &mut Parameters, config: ClipConfig) -> Result<Self> {
        let names = VitNames {
            patch_bias: false,
            pre_norm: true,
            projections: ProjectionNames::Separate,
        };
        let text = &config.text;
        let (width, projection) = (text.block.width, config.projection);
        let vision_width = config.vision.block.width;
        Ok(Self {
            vision: VisionTransformer::load(parameters, config.vision.clone(), names)?,
            visual_projection: Linear::load_without_bias(
                parameters,
                "visual_projection.weight",
                [projection, vision_width],
            )?,
            token_embedding: Embedding::load(
                parameters,
                "text_model.embeddings.token_embedding.weight",
                [text.vocabulary, width],
            )?,
            position_embedding: parameters.tensor(
                "text_model.embeddings.position_embedding.weight",
                [text.positions, width],
            )?,
            text_blocks: load_blocks(
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
            text_projection: Linear::load_without_bias(
                parameters,
                "text_projection.weight",
                [projection, width],
            )?,
            logit_scale: parameters.tensor("logit_scale", [1])?,
            device: parameters.device().clone(),
            config,
        })
    }

    /// Sizes.
    pub fn config(&self) -> &ClipConfig {
        &self.config
    }

    /// The image encoder.
    pub fn vision(&self) -> &VisionTransformer {
        &self.vision
    }

    /// Every token after the last block, `[batch, 3, height, width]` to `[batch, tokens, width]`:
    /// the reference's `vision_model(...).last_hidden_state`.
    pub fn encode_image_tokens(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.vision.encode(self.vision.embed(pixels))
    }

    /// Vectors in the shared space: `[batch, 3, height, width]` to `[batch, projection]`.
    pub fn encode_image(&self, pixels: Tensor<4>) -> Tensor<2> {
        let tokens = self.encode_image_tokens(pixels);
        let [batch, _, width] = tokens.dims();
        let class = tokens.narrow(1, 0, 1).reshape([batch, width]);
        self.visual_projection
            .forward(self.vision.post_norm.forward(class))
    }

    /// Every token of texts of equal length after the final norm: `[batch, tokens, width]`. Each
    /// has at least one token and at most as many as there are positions.
    pub fn encode_text_tokens(&self, ids: &[Vec<u32>]) -> Tensor<3> {
        let tokens = self.token_embedding.forward(ids, &self.device);
        let positions = self
            .position_embedding
            .clone()
            .narrow(0, 0, tokens.dims()[1]);
        let input = tokens + positions.unsqueeze::<3>(); // [batch, tokens, width]
        let blocks = self.text_blocks.iter();
        self.final_norm
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
        self.text_projection.forward(pooled)
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
