//! The pre-norm transformer block of both vision encoders and of CLIP's text encoder.

use super::{KeysValues, LayerNorm, Linear, Mlp, Parameters, attend, merge_heads, split_heads};
use crate::Result;
use crate::kernels::Activation;
use burn::tensor::Tensor;

/// Sizes of a stack of blocks.
#[derive(Debug, Clone)]
pub struct BlockConfig {
    /// Width of the token vectors.
    pub width: usize,
    /// Width inside the perceptron.
    pub hidden: usize,
    /// Attention heads; they divide the width.
    pub heads: usize,
    /// The perceptron's activation.
    pub activation: Activation,
    /// Epsilon of the layer norms.
    pub epsilon: f64,
}

/// How a checkpoint stores the projections to queries, keys and values.
#[derive(Debug, Clone, Copy)]
pub enum ProjectionNames {
    /// `self_attn.q_proj`, `.k_proj`, `.v_proj`, `.out_proj`: CLIP.
    Separate,
    /// `self_attn.qkv`, `.projection`: BLIP's vision encoder.
    Fused,
}

#[derive(Debug, Clone)]
enum Projections {
    Separate(Box<[Linear; 3]>),
    Fused(Box<Linear>),
}

/// `x + attention(norm(x))`, then `x + mlp(norm(x))`.
#[derive(Debug, Clone)]
pub struct Block {
    attention_norm: LayerNorm,
    projections: Projections,
    output: Linear,
    mlp_norm: LayerNorm,
    mlp: Mlp,
    heads: usize,
}

impl Block {
    /// Takes the block at `prefix`.
    pub fn load(
        parameters: &mut Parameters,
        prefix: &str,
        config: &BlockConfig,
        names: ProjectionNames,
    ) -> Result<Self> {
        let width = config.width;
        let at = |name: &str| format!("{prefix}.{name}");
        let mut linear =
            |name: &str, outputs| Linear::load(parameters, &at(name), [outputs, width]);
        let (projections, output) = match names {
            ProjectionNames::Separate => (
                Projections::Separate(Box::new([
                    linear("self_attn.q_proj", width)?,
                    linear("self_attn.k_proj", width)?,
                    linear("self_attn.v_proj", width)?,
                ])),
                linear("self_attn.out_proj", width)?,
            ),
            ProjectionNames::Fused => (
                Projections::Fused(Box::new(linear("self_attn.qkv", 3 * width)?)),
                linear("self_attn.projection", width)?,
            ),
        };
        Ok(Self {
            attention_norm: LayerNorm::load(parameters, &at("layer_norm1"), width, config.epsilon)?,
            projections,
            output,
            mlp_norm: LayerNorm::load(parameters, &at("layer_norm2"), width, config.epsilon)?,
            mlp: Mlp::load(
                parameters,
                [&at("mlp.fc1"), &at("mlp.fc2")],
                [width, config.hidden],
                config.activation,
            )?,
            heads: config.heads,
        })
    }

    /// `[batch, tokens, width]` to the same shape.
    pub fn forward(&self, input: Tensor<3>, causal: bool) -> Tensor<3> {
        let [queries, keys, values] = self
            .project(self.attention_norm.forward(input.clone()))
            .map(|projected| split_heads(projected, self.heads)); // [batch, heads, tokens, head width]
        let context = KeysValues {
            keys,
            values,
            padding: None,
        };
        let attended = merge_heads(attend(queries, context, causal));
        let input = input + self.output.forward(attended); // [batch, tokens, width]
        input.clone() + self.mlp.forward(self.mlp_norm.forward(input))
    }

    /// Queries, keys and values, `[batch, tokens, width]` each.
    fn project(&self, input: Tensor<3>) -> [Tensor<3>; 3] {
        match &self.projections {
            Projections::Separate(projections) => projections
                .each_ref()
                .map(|projection| projection.forward(input.clone())),
            Projections::Fused(projection) => {
                let width = input.dims()[2];
                let all = projection.forward(input); // [batch, tokens, 3 * width]
                [0, 1, 2].map(|part| all.clone().narrow(2, part * width, width))
            }
        }
    }
}

/// The blocks at `{prefix}.0`, `{prefix}.1`, ...
pub fn load_blocks(
    parameters: &mut Parameters,
    prefix: &str,
    depth: usize,
    config: &BlockConfig,
    names: ProjectionNames,
) -> Result<Vec<Block>> {
    (0..depth)
        .map(|index| Block::load(parameters, &format!("{prefix}.{index}"), config, names))
        .collect()
}
