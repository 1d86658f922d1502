//! CoCa (Yu et al., arXiv 2205.01917) as open_clip has it: `CoCa` there, which differs from the paper. The
//! image encoder's tokens are pooled by attention; the first of what comes out makes the picture's vector,
//! the decoder looks at the others. The text encoder makes a vector of a class token behind the text, and
//! states that the decoder reads.
//!
//! **The mask of the text encoder is one place off** in open_clip, and the weights were trained so: what is
//! hidden is not the filling but the place behind it. So a text sees the first token of its filling, and the
//! class token does not see itself, unless the text is of full length. A token 0 in a text hides the next
//! one.

mod config;
mod writer;

pub use config::{CocaConfig, CocaDecoderConfig, CocaParts, CocaTextConfig, PADDING};
pub use writer::CocaWriter;

use super::clip::{load_projection, pool_by_rule};
use super::writer::Captions;
use crate::Result;
use crate::generate::Rules;
use crate::models::clip::ImagePooling;
use crate::nn::transformer::{Block, CrossBlock, ProjectionNames, load_blocks};
use crate::nn::vit::{VisionTransformer, VitNames};
use crate::nn::{
    AttentionalPooler, Embedding, KeysValues, LayerNorm, Linear, Padding, Parameters, SelfCache,
    token_ids,
};
use burn::tensor::{Device, Int, Tensor};

/// Pictures to vectors, and to what the decoder looks at.
#[derive(Debug, Clone)]
struct ImageEncoder {
    vision: VisionTransformer,
    pooler: Option<AttentionalPooler>,
    projection: Option<Linear>,
}

/// Texts to vectors, and to what the decoder reads.
#[derive(Debug, Clone)]
struct TextEncoder {
    token_embedding: Embedding,
    /// With the class token's.
    position_embedding: Tensor<2>,
    blocks: Vec<Block>,
    /// The class token, its last norm and its projection, of an encoder that makes vectors.
    pooling: Option<TextPooling>,
}

#[derive(Debug, Clone)]
struct TextPooling {
    class_token: Tensor<1>,
    norm: LayerNorm,
    projection: Vec<Linear>,
}

/// A block that sees the text so far, and one that sees the picture.
#[derive(Debug, Clone)]
struct Pair {
    own: Block,
    cross: CrossBlock,
}

/// States of a text, and a picture, to logits.
#[derive(Debug, Clone)]
struct Decoder {
    pairs: Vec<Pair>,
    norm: LayerNorm,
    head: Linear,
}

/// A CoCa with whichever parts were asked for.
#[derive(Debug, Clone)]
pub struct Coca {
    config: CocaConfig,
    image: Option<ImageEncoder>,
    text: Option<TextEncoder>,
    decoder: Option<Decoder>,
    logit_scale: Option<Tensor<1>>,
    device: Device,
}

impl ImageEncoder {
    fn load(parameters: &mut Parameters, config: &CocaConfig) -> Result<Self> {
        let names = VitNames {
            positions: "embeddings.position_embedding.weight",
            projections: ProjectionNames::Separate,
        };
        let pooler = config.pooler.as_ref();
        let width = pooler.map_or(config.vision.block.width, |pooler| pooler.width);
        let shape = [config.projection, width];
        Ok(Self {
            vision: VisionTransformer::load_with_norm(
                parameters,
                config.vision.clone(),
                names,
                width,
            )?,
            pooler: pooler
                .map(|pooler| AttentionalPooler::load(parameters, "vision_model.attn_pool", pooler))
                .transpose()?,
            projection: (config.parts.vectors.image)
                .then(|| Linear::load_without_bias(parameters, "visual_projection.weight", shape))
                .transpose()?,
        })
    }

    /// Pictures, `[batch, 3, height, width]`, to the encoder's last states, `[batch, 1 + patches, width]`.
    fn states(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.vision.encode(self.vision.embed(pixels))
    }

    /// Of these states, vectors in the shared space: `[batch, projection]`.
    fn vectors(&self, states: Tensor<3>, pooling: ImagePooling) -> Tensor<2> {
        let pooled = match &self.pooler {
            None => states,
            Some(pooler) => {
                let needed = match pooling {
                    ImagePooling::Average { .. } => pooler.count(),
                    _ => 1,
                };
                pooler.forward(states, 0..needed)
            }
        };
        let pooled = pool_by_rule(pooled, &self.vision.post_norm, pooling);
        let projection = self.projection.as_ref();
        projection.map_or(pooled.clone(), |projection| projection.forward(pooled))
    }

    /// Of these states, what the decoder looks at: `[batch, tokens, width]`.
    fn looked_at(&self, states: Tensor<3>, normalized: bool) -> Tensor<3> {
        let tokens = match &self.pooler {
            Some(pooler) => pooler.forward(states, 1..pooler.count()),
            None => {
                let count = states.dims()[1];
                states.narrow(1, 1, count - 1)
            }
        };
        match normalized {
            true => self.vision.post_norm.forward(tokens),
            false => tokens,
        }
    }
}

impl TextEncoder {
    fn load(parameters: &mut Parameters, config: &CocaConfig) -> Result<Self> {
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
                [text.positions + 1, width],
            )?,
            blocks: load_blocks(
                parameters,
                "text_model.encoder.layers",
                text.depth,
                &text.block,
                ProjectionNames::Separate,
            )?,
            pooling: (config.parts.vectors.text)
                .then(|| TextPooling::load(parameters, config))
                .transpose()?,
        })
    }

    /// Token and position vectors of tokens that follow `first` others: `[batch, tokens, width]`.
    fn embed(&self, ids: Tensor<2, Int>, first: usize) -> Tensor<3> {
        let tokens = self.token_embedding.forward(ids);
        let count = tokens.dims()[1];
        let positions = self.position_embedding.clone().narrow(0, first, count);
        tokens + positions.unsqueeze::<3>()
    }

    /// Vectors of texts of equal length: `[batch, projection]`.
    fn vectors(&self, ids: &[Vec<u32>], device: &Device) -> Tensor<2> {
        let pooling = self.pooling.as_ref();
        let pooling = pooling.expect("the encoder that makes vectors was loaded");
        let positions = self.position_embedding.dims()[0] - 1;
        let filled: Vec<Vec<u32>> = ids.iter().map(|ids| with_filling(ids, positions)).collect();
        let ids = token_ids(&filled, device);
        let hidden = hidden_behind(&ids); // [batch, tokens + 1]
        let tokens = self.embed(ids, 0);
        let [batch, _, width] = tokens.dims();
        let class_position = self.position_embedding.clone().narrow(0, positions, 1);
        let class = pooling.class_token.clone().reshape([1, width]) + class_position;
        let class = class.unsqueeze::<3>().expand([batch, 1, width]);
        let rows = Tensor::cat(vec![tokens, class], 1); // [batch, tokens + 1, width]
        let padding = Padding::of(hidden);
        let states = self.blocks.iter().fold(rows, |rows, block| {
            block.follow(rows, &mut SelfCache::default(), Some(&padding))
        });
        let last = states.dims()[1] - 1;
        pooling.forward(states.narrow(1, last, 1).reshape([batch, width]))
    }
}

/// A text with the first token of its filling, behind which nothing is seen.
fn with_filling(ids: &[u32], positions: usize) -> Vec<u32> {
    let filling = (ids.len() < positions).then_some(PADDING);
    ids.iter().copied().chain(filling).collect()
}

/// Which places are hidden, as 1 and 0: those behind a token of filling. `[batch, tokens]` to `[batch, tokens
/// + 1]`.
fn hidden_behind(ids: &Tensor<2, Int>) -> Tensor<2> {
    let [batch, _] = ids.dims();
    let fills = fills(ids);
    let first = Tensor::zeros([batch, 1], &fills.device());
    Tensor::cat(vec![first, fills], 1)
}

/// Which tokens are filling, as 1 and 0: `[batch, tokens]`.
fn fills(ids: &Tensor<2, Int>) -> Tensor<2> {
    ids.clone().equal_elem(PADDING as i32).float()
}

impl TextPooling {
    fn load(parameters: &mut Parameters, config: &CocaConfig) -> Result<Self> {
        let width = config.text.block.width;
        Ok(Self {
            class_token: parameters.tensor("text_model.cls_emb", [width])?,
            norm: LayerNorm::load(
                parameters,
                "text_model.final_layer_norm",
                width,
                config.text.block.epsilon,
            )?,
            projection: load_projection(
                parameters,
                config.text.projection,
                [width, config.projection],
            )?,
        })
    }

    /// `[batch, width]` to `[batch, projection]`.
    fn forward(&self, class: Tensor<2>) -> Tensor<2> {
        let normal = self.norm.forward(class);
        let layers = self.projection.iter();
        layers.fold(normal, |vectors, layer| layer.forward(vectors))
    }
}

impl Decoder {
    fn load(parameters: &mut Parameters, config: &CocaConfig) -> Result<Self> {
        let CocaDecoderConfig { depth, block, .. } = &config.decoder;
        let at = |name: &str| format!("multimodal_model.{name}");
        let own = load_blocks(
            parameters,
            &at("layers"),
            *depth,
            block,
            ProjectionNames::Separate,
        )?;
        let pairs = own.into_iter().enumerate().map(|(index, own)| {
            let name = at(&format!("cross_layers.{index}"));
            let cross = CrossBlock::load(parameters, &name, block)?;
            Ok(Pair { own, cross })
        });
        let pairs = pairs.collect::<Result<_>>()?;
        let head = [config.text.vocabulary, block.width];
        Ok(Self {
            pairs,
            norm: LayerNorm::load(
                parameters,
                &at("final_layer_norm"),
                block.width,
                block.epsilon,
            )?,
            head: Linear::load_without_bias(parameters, &at("lm_head.weight"), head)?,
        })
    }

    /// Keys and values of what is looked at, of each layer.
    fn context(&self, looked_at: Tensor<3>) -> Vec<KeysValues> {
        let pairs = self.pairs.iter();
        pairs
            .map(|pair| pair.cross.keys_values(looked_at.clone()))
            .collect()
    }

    /// `[..., width]` to logits, `[..., vocabulary]`.
    fn logits<const D: usize>(&self, states: Tensor<D>) -> Tensor<D> {
        self.head.forward(self.norm.forward(states))
    }
}

impl Coca {
    /// Takes the model out of a checkpoint's tensors.
    pub fn load(parameters: &mut Parameters, config: CocaConfig) -> Result<Self> {
        let parts = config.parts;
        let compares = parts.vectors.image && parts.vectors.text;
        Ok(Self {
            image: parts
                .image()
                .then(|| ImageEncoder::load(parameters, &config))
                .transpose()?,
            text: parts
                .text()
                .then(|| TextEncoder::load(parameters, &config))
                .transpose()?,
            decoder: parts
                .captions
                .then(|| Decoder::load(parameters, &config))
                .transpose()?,
            logit_scale: compares
                .then(|| parameters.tensor("logit_scale", [1]))
                .transpose()?,
            device: parameters.device().clone(),
            config,
        })
    }

    /// Sizes and special tokens.
    pub fn config(&self) -> &CocaConfig {
        &self.config
    }

    fn image(&self) -> &ImageEncoder {
        self.image.as_ref().expect("the image encoder was loaded")
    }

    fn text(&self) -> &TextEncoder {
        self.text.as_ref().expect("the text encoder was loaded")
    }

    fn decoder(&self) -> &Decoder {
        self.decoder.as_ref().expect("the decoder was loaded")
    }

    /// The image encoder's last states, before they are pooled and normalised: `[batch, 3, height, width]`
    /// to `[batch, 1 + patches, width]`.
    pub fn image_states(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.image().states(pixels)
    }

    /// Vectors in the shared space, of [`Self::image_states`]: `[batch, projection]`.
    pub fn project_image(&self, states: Tensor<3>) -> Tensor<2> {
        self.image().vectors(states, self.config.pooling)
    }

    /// What the decoder looks at, of [`Self::image_states`]: `[batch, tokens, width]`.
    pub fn looked_at(&self, states: Tensor<3>) -> Tensor<3> {
        self.image().looked_at(states, self.config.normalized)
    }

    /// Vectors in the shared space of texts of equal length: `[batch, projection]`.
    pub fn encode_text(&self, ids: &[Vec<u32>]) -> Tensor<2> {
        self.text().vectors(ids, &self.device)
    }

    /// What cosines are multiplied with: `[1]`.
    pub fn logit_scale(&self) -> Option<Tensor<1>> {
        self.logit_scale.as_ref().map(|scale| scale.clone().exp())
    }

    /// How captions begin, end and are chosen; none without a decoder.
    pub fn captions(&self) -> Option<Captions> {
        self.decoder.as_ref().map(|_| Captions {
            start: self.config.start_token,
            stop: self.config.stop_token,
            room: self.config.room(),
            rules: Rules::OpenClip,
        })
    }

    /// What writes about a picture, of [`Self::image_states`].
    pub fn writer(&self, states: Tensor<3>) -> CocaWriter<'_> {
        CocaWriter::new(self, states)
    }
}
