//! CLIP (Radford et al., arXiv 2103.00020), with a vision transformer (`CLIPModel` of the
//! `transformers` package) or a ResNet (`CLIP` of open_clip, with its `ModifiedResNet`), and SigLIP,
//! which differs in its settings.

mod config;

pub(in crate::models) use config::block as block_config;
pub use config::{
    ClipConfig, ClipTextConfig, ClipVisionConfig, Encoders, ImagePooling, TextPooling,
    TextProjection, check_filling,
};

use crate::Result;
use crate::kernels::Activation;
use crate::models::Family;
use crate::models::bert::Bert;
use crate::nn::resnet::ResNet;
use crate::nn::transformer::{Block, ProjectionNames, load_blocks};
use crate::nn::vit::{VisionTransformer, VitNames};
use crate::nn::{Embedding, LayerNorm, Linear, Parameters, PoolingHead, TokenTree, token_ids};
use burn::tensor::{Device, Tensor};
use std::ops::Range;

/// Pictures to vectors.
#[derive(Debug, Clone)]
pub enum ImageEncoder {
    /// A vision transformer, how its tokens become one vector, and that one's projection, if it has
    /// one.
    Transformer(Box<VisionTransformer>, Pooling, Option<Box<Linear>>),
    /// A ResNet, whose pooling projects.
    ResNet(Box<ResNet>),
}

/// How the tokens of a vision transformer become one vector: see [`ImagePooling`].
#[derive(Debug, Clone)]
pub enum Pooling {
    /// By a rule.
    Rule(ImagePooling),
    /// By weights.
    Attention(Box<PoolingHead>),
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
            positions: "embeddings.position_embedding.weight",
            projections: ProjectionNames::Separate,
        };
        let transformer = VisionTransformer::load(parameters, vision.clone(), names)?;
        let shape = [config.projection, vision.block.width];
        let pooling = match pooling {
            ImagePooling::Attention => {
                let head = PoolingHead::load(parameters, "vision_model.head", &vision.block)?;
                Pooling::Attention(Box::new(head))
            }
            rule => Pooling::Rule(rule),
        };
        let projects = config.is_projected && matches!(pooling, Pooling::Rule(_));
        let projection = projects
            .then(|| Linear::load_without_bias(parameters, "visual_projection.weight", shape))
            .transpose()?;
        Ok(ImageEncoder::Transformer(
            Box::new(transformer),
            pooling,
            projection.map(Box::new),
        ))
    }

    /// Every place of a picture at the end of all layers, `[batch, 3, height, width]` to `[batch,
    /// tokens, width]`, the class token first, if there is one. Of a CLIP's transformer that is the
    /// reference's `last_hidden_state`; of a SigLIP's, that is after the last norm.
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
                let pooled = pool(self.encode(pixels), &vision.post_norm, pooling);
                match projection {
                    Some(projection) => projection.forward(pooled),
                    None => pooled,
                }
            }
            ImageEncoder::ResNet(vision) => vision.pool(vision.encode(vision.embed(pixels))),
        }
    }
}

/// A vision transformer's tokens, the class token first, if there is one, to one vector: `[batch,
/// tokens, width]` to `[batch, width]`.
fn pool(tokens: Tensor<3>, norm: &LayerNorm, how: &Pooling) -> Tensor<2> {
    match how {
        Pooling::Attention(head) => head.forward(norm.forward(tokens)),
        Pooling::Rule(rule) => pool_by_rule(tokens, norm, *rule),
    }
}

/// The same by a rule, which is not attention.
pub(in crate::models) fn pool_by_rule(
    tokens: Tensor<3>,
    norm: &LayerNorm,
    rule: ImagePooling,
) -> Tensor<2> {
    let [batch, count, width] = tokens.dims();
    let mean = |tokens: Tensor<3>| tokens.mean_dim(1).reshape([batch, width]);
    match rule {
        ImagePooling::Average { norm_after: true } => {
            norm.forward(mean(tokens.narrow(1, 1, count - 1)))
        }
        ImagePooling::Average { norm_after: false } => {
            mean(norm.forward(tokens.narrow(1, 1, count - 1)))
        }
        _ => norm.forward(tokens.narrow(1, 0, 1).reshape([batch, width])),
    }
}

/// Texts to states of their tokens, and what makes a vector of the shared space of those.
#[derive(Debug, Clone)]
struct TextEncoder {
    body: TextBody,
    /// BERT's layer over the first token, where that pools.
    pooler: Option<Linear>,
    /// One after the other; none where states are in the shared space.
    projection: Vec<Linear>,
}

/// What encodes texts.
#[derive(Debug, Clone)]
enum TextBody {
    /// CLIP's own transformer.
    Own(Box<TextTransformer>),
    /// BERT.
    Bert(Box<Bert>),
}

impl TextEncoder {
    fn load(parameters: &mut Parameters, config: &ClipConfig) -> Result<Self> {
        Ok(Self {
            body: match &config.text.bert {
                None => TextBody::Own(Box::new(TextTransformer::load(parameters, &config.text)?)),
                Some(bert) => TextBody::Bert(Box::new(Bert::load(parameters, "text_model", bert)?)),
            },
            pooler: (config.text.pooling == TextPooling::Pooler)
                .then(|| {
                    let width = config.text.block.width;
                    Linear::load(parameters, "text_model.pooler.dense", [width, width])
                })
                .transpose()?,
            projection: load_projection(
                parameters,
                config.text.projection,
                [config.text.block.width, config.text.vectors],
            )?,
        })
    }

    /// CLIP's own transformer. To ask for it where there is another is a mistake of ours; the tasks refuse
    /// it before.
    fn own(&self) -> &TextTransformer {
        match &self.body {
            TextBody::Own(own) => own,
            TextBody::Bert(_) => panic!("the text encoder is CLIP's own"),
        }
    }

    /// The pooled states of texts, `[batch, width]`, to the shared space.
    fn project(&self, pooled: Tensor<2>) -> Tensor<2> {
        let pooled = match &self.pooler {
            Some(pooler) => pooler.forward(pooled).tanh(),
            None => pooled,
        };
        let layers = self.projection.iter();
        layers.fold(pooled, |vectors, layer| layer.forward(vectors))
    }
}

/// The layers that bring a text's vector from its width to that of the shared space.
pub(super) fn load_projection(
    parameters: &mut Parameters,
    kind: TextProjection,
    [width, vectors]: [usize; 2],
) -> Result<Vec<Linear>> {
    let mut matrix = |name: &str, shape: [usize; 2]| {
        Linear::load_without_bias(parameters, &format!("text_projection{name}.weight"), shape)
    };
    match kind {
        TextProjection::None => Ok(Vec::new()),
        TextProjection::Matrix => Ok(vec![matrix("", [vectors, width])?]),
        TextProjection::Biased => {
            let layer = Linear::load(parameters, "text_projection", [vectors, width])?;
            Ok(vec![layer])
        }
        TextProjection::Perceptron => {
            let hidden = (width + vectors) / 2;
            let expand = matrix(".0", [hidden, width])?.with_activation(Activation::Gelu);
            Ok(vec![expand, matrix(".2", [vectors, hidden])?])
        }
    }
}

/// CLIP's own text transformer.
#[derive(Debug, Clone)]
struct TextTransformer {
    token_embedding: Embedding,
    position_embedding: Tensor<2>,
    blocks: Vec<Block>,
    causal: bool,
    final_norm: LayerNorm,
}

impl TextTransformer {
    fn load(parameters: &mut Parameters, text: &ClipTextConfig) -> Result<Self> {
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

    /// The last tokens of texts in a tree, normalised: `[texts, width]`.
    fn encode_tree(&self, tree: &TokenTree, device: &Device) -> Tensor<2> {
        let tokens = self
            .token_embedding
            .forward(token_ids(&[tree.ids().to_vec()], device));
        let positions = self.position_embedding.clone().select(0, tree.positions());
        let tokens = tokens + positions.unsqueeze::<3>(); // [1, rows, width]
        let last = match self.blocks.split_last() {
            None => tree.last().of(tokens),
            Some((last, before)) => {
                let blocks = before.iter();
                let states =
                    blocks.fold(tokens, |rows, block| block.forward_tree(rows, tree.every()));
                last.forward_tree(states, tree.last())
            }
        };
        tree.in_order(self.final_norm.forward(last))
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
    /// Of a SigLIP.
    logit_bias: Option<Tensor<1>>,
    device: Device,
}

impl Clip {
    /// Takes the model out of a checkpoint's tensors.
    pub fn load(parameters: &mut Parameters, config: ClipConfig) -> Result<Self> {
        let Encoders { image, text } = config.encoders;
        let mut scalar = |name: &str, is_needed: bool| {
            let is_taken = is_needed || parameters.contains(name);
            is_taken.then(|| parameters.tensor(name, [1])).transpose()
        };
        let is_siglip = config.family == Family::Siglip;
        let logit_scale = scalar("logit_scale", image && text)?;
        let logit_bias = match is_siglip {
            true => scalar("logit_bias", image && text)?,
            false => None,
        };
        Ok(Self {
            image: image
                .then(|| ImageEncoder::load(parameters, &config))
                .transpose()?,
            text: text
                .then(|| TextEncoder::load(parameters, &config))
                .transpose()?,
            logit_scale,
            logit_bias,
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
    /// tokens, width]`, before the last norm; of a CLIP's transformer the reference's
    /// `vision_model(...).last_hidden_state`.
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
        match &self.text().body {
            TextBody::Bert(bert) => bert.encode(ids, None),
            TextBody::Own(own) => {
                let input = own.embed(ids, &self.device);
                self.normalize_text(own.continue_from(input, 0..own.blocks.len()))
            }
        }
    }

    /// Whether the text encoder is CLIP's own, whose layers can be looked into.
    pub fn has_text_layers(&self) -> bool {
        self.config.text.bert.is_none()
    }

    /// Every token of texts of equal length after the first `depth` blocks, not normalised, and
    /// after all of them and the final norm: `[batch, tokens, width]` each. The first is the
    /// reference's `hidden_states[depth]`.
    pub fn encode_text_layer(&self, ids: &[Vec<u32>], depth: usize) -> [Tensor<3>; 2] {
        let own = self.text().own();
        let input = own.embed(ids, &self.device);
        let states = own.continue_from(input, 0..depth);
        let last = own.continue_from(states.clone(), depth..own.blocks.len());
        [states, self.normalize_text(last)]
    }

    /// The text encoder's final norm: `[batch, tokens, width]` to the same shape.
    pub fn normalize_text(&self, states: Tensor<3>) -> Tensor<3> {
        self.text().own().final_norm.forward(states)
    }

    /// Vectors in the shared space of texts of equal length: `[batch, projection]`.
    pub fn encode_text(&self, ids: &[Vec<u32>]) -> Tensor<2> {
        self.pool_text(ids, self.encode_text_tokens(ids))
    }

    /// The same of texts whose normalised tokens are there: `[batch, tokens, width]` to `[batch,
    /// projection]`.
    pub fn pool_text(&self, ids: &[Vec<u32>], hidden: Tensor<3>) -> Tensor<2> {
        let width = hidden.dims()[2];
        let pooled = match self.config.text.pooling {
            TextPooling::Mean => hidden.mean_dim(1),
            _ => {
                let rows = ids.iter().enumerate().map(|(row, ids)| {
                    hidden
                        .clone()
                        .narrow(0, row, 1)
                        .narrow(1, self.pooled_position(ids), 1)
                });
                Tensor::cat(rows.collect(), 0)
            }
        };
        self.text().project(pooled.reshape([ids.len(), width])) // [batch, width]
    }

    /// Whether texts that begin alike have states in common, as tokens see only those before them.
    pub fn texts_share(&self) -> bool {
        let text = self.text.as_ref();
        text.is_some_and(|text| matches!(&text.body, TextBody::Own(own) if own.causal))
    }

    /// What of a text its vector depends on, where [`Self::texts_share`].
    pub fn needed<'a>(&self, ids: &'a [u32]) -> &'a [u32] {
        &ids[..=self.pooled_position(ids)]
    }

    /// [`Self::encode_text`] of texts of any lengths, of which one that [`Self::texts_share`] computes
    /// nothing twice that they begin alike with, and nothing that no vector depends on.
    pub fn encode_sharing(&self, ids: &[Vec<u32>]) -> Tensor<2> {
        let texts: Vec<&[u32]> = ids.iter().map(|ids| self.needed(ids)).collect();
        let tree = TokenTree::new(&texts, &self.device);
        let text = self.text();
        text.project(text.own().encode_tree(&tree, &self.device))
    }

    /// The place of the token whose state becomes a text's vector.
    pub fn pooled_position(&self, ids: &[u32]) -> usize {
        self.config.text.pooled_position(ids)
    }

    /// Whether there is a [`Self::logit_scale`].
    pub fn has_logit_scale(&self) -> bool {
        self.logit_scale.is_some()
    }

    /// `exp(logit_scale)`, what similarities are multiplied with before the softmax: `[1]`.
    pub fn logit_scale(&self) -> Tensor<1> {
        let scale = self.logit_scale.as_ref();
        scale.expect("similarities have a scale").clone().exp()
    }

    /// What is added to scaled similarities, of which a sigmoid then makes a pair's own probability:
    /// `[1]`. Of a SigLIP alone.
    pub fn logit_bias(&self) -> Option<Tensor<1>> {
        self.logit_bias.clone()
    }
}
