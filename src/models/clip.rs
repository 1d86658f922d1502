//! CLIP (Radford et al., arXiv 2103.00020), with a vision transformer (`CLIPModel` of the
//! `transformers` package) or a ResNet (`CLIP` of open_clip, with its `ModifiedResNet`).

use super::config::{Section, check_patches};
use crate::kernels::Activation;
use crate::nn::resnet::{REDUCTION, ResNet, ResNetConfig};
use crate::nn::transformer::{Block, BlockConfig, ProjectionNames, load_blocks};
use crate::nn::vit::{VisionTransformer, VitConfig, VitNames};
use crate::nn::{Embedding, LayerNorm, Linear, Parameters, token_ids};
use crate::{Error, Result};
use burn::tensor::{Device, Tensor};
use std::ops::Range;

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

/// Sizes of the image encoder, of either kind.
#[derive(Debug, Clone)]
pub enum ClipVisionConfig {
    /// A vision transformer.
    Transformer(VitConfig),
    /// A ResNet.
    ResNet(ResNetConfig),
}

impl ClipVisionConfig {
    /// The ResNet that a `vision_config` describes, if it describes one: the class of the reference
    /// has none, so it is open_clip's own form, `layers` being a list there.
    fn parse_resnet(vision: &Section) -> Result<Option<ResNetConfig>> {
        let Some(layers) = vision.four_depths("layers")? else {
            return Ok(None);
        };
        let width = vision.size("width", 64)?;
        let head_width = vision.size("head_width", 64)?;
        let config = ResNetConfig {
            image_size: vision.size("image_size", 224)?,
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
            ClipVisionConfig::Transformer(config) => config.image_size,
            ClipVisionConfig::ResNet(config) => config.image_size,
        }
    }

    /// Side of the squares of pixels that one token or place stands for.
    pub fn patch_size(&self) -> usize {
        match self {
            ClipVisionConfig::Transformer(config) => config.patch_size,
            ClipVisionConfig::ResNet(_) => REDUCTION,
        }
    }
}

/// Sizes of a CLIP.
#[derive(Debug, Clone)]
pub struct ClipConfig {
    /// The encoders that are loaded.
    pub encoders: Encoders,
    /// The image encoder.
    pub vision: ClipVisionConfig,
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
            vision: match ClipVisionConfig::parse_resnet(&vision)? {
                Some(config) => ClipVisionConfig::ResNet(config),
                None => ClipVisionConfig::Transformer(VitConfig {
                    image_size: vision.size("image_size", 224)?,
                    patch_size: vision.size("patch_size", 32)?,
                    depth: vision.depth(12)?,
                    block: block(&vision, 768, 12)?,
                }),
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
        check_patches(config.vision.image_size(), config.vision.patch_size())?;
        Ok(config)
    }
}

/// Pictures to vectors.
#[derive(Debug, Clone)]
pub enum ImageEncoder {
    /// A vision transformer, and the projection of its class token.
    Transformer(Box<VisionTransformer>, Box<Linear>),
    /// A ResNet, whose pooling projects.
    ResNet(Box<ResNet>),
}

impl ImageEncoder {
    fn load(parameters: &mut Parameters, config: &ClipConfig) -> Result<Self> {
        let vision = match &config.vision {
            ClipVisionConfig::Transformer(vision) => vision,
            ClipVisionConfig::ResNet(vision) => {
                let resnet = ResNet::load(parameters, vision.clone(), config.projection)?;
                return Ok(ImageEncoder::ResNet(Box::new(resnet)));
            }
        };
        let names = VitNames {
            patch_bias: false,
            pre_norm: true,
            projections: ProjectionNames::Separate,
        };
        let transformer = VisionTransformer::load(parameters, vision.clone(), names)?;
        let projection = Linear::load_without_bias(
            parameters,
            "visual_projection.weight",
            [config.projection, vision.block.width],
        )?;
        Ok(ImageEncoder::Transformer(
            Box::new(transformer),
            Box::new(projection),
        ))
    }

    /// Every place of a picture at the end of all layers, `[batch, 3, height, width]` to `[batch,
    /// tokens, width]`. Of a transformer that is the reference's `last_hidden_state`, the class
    /// token first; a ResNet has no class token.
    fn encode(&self, pixels: Tensor<4>) -> Tensor<3> {
        match self {
            ImageEncoder::Transformer(vision, _) => vision.encode(vision.embed(pixels)),
            ImageEncoder::ResNet(vision) => vision.encode(vision.embed(pixels)).flatten(1, 2),
        }
    }

    /// Vectors in the shared space: `[batch, 3, height, width]` to `[batch, projection]`.
    fn vectors(&self, pixels: Tensor<4>) -> Tensor<2> {
        match self {
            ImageEncoder::Transformer(vision, projection) => {
                let tokens = self.encode(pixels);
                let [batch, _, width] = tokens.dims();
                let class = tokens.narrow(1, 0, 1).reshape([batch, width]);
                projection.forward(vision.post_norm.forward(class))
            }
            ImageEncoder::ResNet(vision) => vision.pool(vision.encode(vision.embed(pixels))),
        }
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

    /// Token and position vectors: `[batch, tokens, width]`.
    fn embed(&self, ids: &[Vec<u32>], device: &Device) -> Tensor<3> {
        let tokens = self.token_embedding.forward(token_ids(ids, device));
        let positions = self
            .position_embedding
            .clone()
            .narrow(0, 0, tokens.dims()[1]);
        tokens + positions.unsqueeze::<3>()
    }

    /// What some of the blocks make of what the one before them gave: `[batch, tokens, width]`.
    fn continue_from(&self, states: Tensor<3>, blocks: Range<usize>) -> Tensor<3> {
        let blocks = self.blocks[blocks].iter();
        blocks.fold(states, |tokens, block| block.forward(tokens, true))
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

    /// The image encoder.
    pub fn image(&self) -> &ImageEncoder {
        self.image.as_ref().expect("the image encoder was loaded")
    }

    fn text(&self) -> &TextEncoder {
        self.text.as_ref().expect("the text encoder was loaded")
    }

    /// Sizes.
    pub fn config(&self) -> &ClipConfig {
        &self.config
    }

    /// Every place of a picture after the last layer, `[batch, 3, height, width]` to `[batch,
    /// tokens, width]`; of a transformer the reference's `vision_model(...).last_hidden_state`.
    pub fn encode_image_tokens(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.image().encode(pixels)
    }

    /// Vectors in the shared space: `[batch, 3, height, width]` to `[batch, projection]`.
    pub fn encode_image(&self, pixels: Tensor<4>) -> Tensor<2> {
        self.image().vectors(pixels)
    }

    /// Every token of texts of equal length after the final norm: `[batch, tokens, width]`. Each
    /// has at least one token and at most as many as there are positions.
    pub fn encode_text_tokens(&self, ids: &[Vec<u32>]) -> Tensor<3> {
        let text = self.text();
        self.normalize_text(text.continue_from(text.embed(ids, &self.device), 0..text.blocks.len()))
    }

    /// Every token of texts of equal length after the first `depth` blocks, not normalised, and
    /// after all of them and the final norm: `[batch, tokens, width]` each. The first is the
    /// reference's `hidden_states[depth]`.
    pub fn encode_text_layer(&self, ids: &[Vec<u32>], depth: usize) -> [Tensor<3>; 2] {
        let text = self.text();
        let input = text.embed(ids, &self.device);
        let states = text.continue_from(input, 0..depth);
        let last = text.continue_from(states.clone(), depth..text.blocks.len());
        [states, self.normalize_text(last)]
    }

    /// The text encoder's final norm: `[batch, tokens, width]` to the same shape.
    pub fn normalize_text(&self, states: Tensor<3>) -> Tensor<3> {
        self.text().final_norm.forward(states)
    }

    /// Vectors in the shared space of texts of equal length: `[batch, projection]`.
    pub fn encode_text(&self, ids: &[Vec<u32>]) -> Tensor<2> {
        self.pool_text(ids, self.encode_text_tokens(ids))
    }

    /// The same of texts whose normalised tokens are there: `[batch, tokens, width]` to `[batch,
    /// projection]`.
    pub fn pool_text(&self, ids: &[Vec<u32>], hidden: Tensor<3>) -> Tensor<2> {
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
    pub fn pooled_position(&self, ids: &[u32]) -> usize {
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
