//! CLIP (Radford et al., arXiv 2103.00020), with a vision transformer (`CLIPModel` of the
//! `transformers` package) or a ResNet (`CLIP` of open_clip, with its `ModifiedResNet`).

mod config;

pub use config::{
    ClipConfig, ClipTextConfig, ClipVisionConfig, Encoders, ImagePooling, TextPooling,
    TextProjection,
};

use crate::Result;
use crate::nn::resnet::ResNet;
use crate::nn::transformer::{Block, ProjectionNames, load_blocks};
use crate::nn::vit::{VisionTransformer, VitNames};
use crate::nn::{Embedding, LayerNorm, Linear, Parameters, token_ids};
use burn::tensor::{Device, Tensor};
use std::ops::Range;

/// Pictures to vectors.
#[derive(Debug, Clone)]
pub enum ImageEncoder {
    /// A vision transformer, how its tokens become one vector, and that one's projection, if it has
    /// one.
    Transformer(Box<VisionTransformer>, ImagePooling, Option<Box<Linear>>),
    /// A ResNet, whose pooling projects.
    ResNet(Box<ResNet>),
}

impl ImageEncoder {
    fn load(parameters: &mut Parameters, config: &ClipConfig) -> Result<Self> {
        let (vision, pooling) = match &config.vision {
            ClipVisionConfig::Transformer(vision, pooling) => (vision, *pooling),
            ClipVisionConfig::ResNet(vision) => {
                let resnet = ResNet::load(parameters, vision.clone(), config.projection)?;
                return Ok(ImageEncoder::ResNet(Box::new(resnet)));
            }
        };
        let names = VitNames {
            patch_bias: false,
            positions: "embeddings.position_embedding.weight",
            projections: ProjectionNames::Separate,
        };
        let transformer = VisionTransformer::load(parameters, vision.clone(), names)?;
        let shape = [config.projection, vision.block.width];
        let projection = config
            .is_projected
            .then(|| Linear::load_without_bias(parameters, "visual_projection.weight", shape))
            .transpose()?;
        Ok(ImageEncoder::Transformer(
            Box::new(transformer),
            pooling,
            projection.map(Box::new),
        ))
    }

    /// Every place of a picture at the end of all layers, `[batch, 3, height, width]` to `[batch,
    /// tokens, width]`. Of a transformer that is the reference's `last_hidden_state`, the class
    /// token first; a ResNet has no class token.
    fn encode(&self, pixels: Tensor<4>) -> Tensor<3> {
        match self {
            ImageEncoder::Transformer(vision, ..) => vision.encode(vision.embed(pixels)),
            ImageEncoder::ResNet(vision) => vision.encode(vision.embed(pixels)).flatten(1, 2),
        }
    }

    /// Vectors in the shared space: `[batch, 3, height, width]` to `[batch, projection]`.
    fn vectors(&self, pixels: Tensor<4>) -> Tensor<2> {
        match self {
            ImageEncoder::Transformer(vision, pooling, projection) => {
                let pooled = pool(self.encode(pixels), &vision.post_norm, *pooling);
                match projection {
                    Some(projection) => projection.forward(pooled),
                    None => pooled,
                }
            }
            ImageEncoder::ResNet(vision) => vision.pool(vision.encode(vision.embed(pixels))),
        }
    }
}

/// A vision transformer's tokens, the class token first, to one normalised vector: `[batch, tokens,
/// width]` to `[batch, width]`.
fn pool(tokens: Tensor<3>, norm: &LayerNorm, how: ImagePooling) -> Tensor<2> {
    let [batch, count, width] = tokens.dims();
    match how.average {
        false => norm.forward(tokens.narrow(1, 0, 1).reshape([batch, width])),
        true => {
            let places = tokens.narrow(1, 1, count - 1);
            let mean = |tokens: Tensor<3>| tokens.mean_dim(1).reshape([batch, width]);
            match how.norm_after {
                true => norm.forward(mean(places)),
                false => mean(norm.forward(places)),
            }
        }
    }
}

/// Texts to vectors.
#[derive(Debug, Clone)]
struct TextEncoder {
    token_embedding: Embedding,
    position_embedding: Tensor<2>,
    blocks: Vec<Block>,
    causal: bool,
    final_norm: LayerNorm,
    projection: Option<Linear>,
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
            causal: text.causal,
            projection: Self::load_projection(parameters, config)?,
        })
    }

    fn load_projection(parameters: &mut Parameters, config: &ClipConfig) -> Result<Option<Linear>> {
        let shape = [config.projection, config.text.block.width];
        match config.text.projection {
            TextProjection::None => Ok(None),
            TextProjection::Biased => Linear::load(parameters, "text_projection", shape).map(Some),
            TextProjection::Matrix => {
                Linear::load_without_bias(parameters, "text_projection.weight", shape).map(Some)
            }
        }
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
        blocks.fold(states, |tokens, block| block.forward(tokens, self.causal))
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
    /// Missing of an encoder that was saved alone.
    logit_scale: Option<Tensor<1>>,
    device: Device,
}

impl Clip {
    /// Takes the model out of a checkpoint's tensors.
    pub fn load(parameters: &mut Parameters, config: ClipConfig) -> Result<Self> {
        const SCALE: &str = "logit_scale";
        let Encoders { image, text } = config.encoders;
        let is_scaled = image && text || parameters.contains(SCALE);
        Ok(Self {
            image: image
                .then(|| ImageEncoder::load(parameters, &config))
                .transpose()?,
            text: text
                .then(|| TextEncoder::load(parameters, &config))
                .transpose()?,
            logit_scale: is_scaled
                .then(|| parameters.tensor(SCALE, [1]))
                .transpose()?,
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
        match &self.text().projection {
            Some(projection) => projection.forward(pooled),
            None => pooled,
        }
    }

    /// The place of the token whose state becomes a text's vector.
    pub fn pooled_position(&self, ids: &[u32]) -> usize {
        self.config.text.pooled_position(ids)
    }

    /// `exp(logit_scale)`, what similarities are multiplied with before the softmax: `[1]`.
    pub fn logit_scale(&self) -> Tensor<1> {
        let scale = self.logit_scale.as_ref();
        scale.expect("both encoders were loaded").clone().exp()
    }
}
