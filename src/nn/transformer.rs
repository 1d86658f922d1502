//! The pre-norm transformer block of both vision encoders and of CLIP's text encoder.

use super::{Asking, KeysValues, LayerNorm, Linear, Mlp, Parameters, Projections, attend};
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
    /// Whether what a block adds is scaled, channel by channel (CaiT's LayerScale, arXiv 2103.17239).
    pub layer_scale: bool,
}

/// How a checkpoint stores the projections to queries, keys and values.
#[derive(Debug, Clone, Copy)]
pub enum ProjectionNames {
    /// `self_attn.q_proj`, `.k_proj`, `.v_proj`, `.out_proj`: CLIP.
    Separate,
    /// `self_attn.qkv`, `.projection`: BLIP's vision encoder.
    Fused,
}

/// `x + attention(norm(x))`, then `x + mlp(norm(x))`.
#[derive(Debug, Clone)]
pub struct Block {
    attention_norm: LayerNorm,
    projections: Projections<3>,
    output: Linear,
    mlp_norm: LayerNorm,
    mlp: Mlp,
    heads: usize,
    /// What the attention's and the perceptron's results are multiplied with, `[width]` each.
    scales: Option<[Tensor<1>; 2]>,
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
        let shape = [width, width];
        let (projections, output) = match names {
            ProjectionNames::Separate => {
                let names = ["q_proj", "k_proj", "v_proj"].map(|name| format!("self_attn.{name}"));
                let names = names.map(|name| at(&name));
                let names = names.each_ref().map(String::as_str);
                let projections = Projections::load(parameters, names, shape)?;
                (projections, "self_attn.out_proj")
            }
            ProjectionNames::Fused => {
                let name = at("self_attn.qkv");
                let projections = Projections::load_fused(parameters, &name, shape)?;
                (projections, "self_attn.projection")
            }
        };
        let output = Linear::load(parameters, &at(output), shape)?;
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
            scales: match config.layer_scale {
                false => None,
                true => Some([
                    parameters.tensor(&at("layer_scale1.gamma"), [width])?,
                    parameters.tensor(&at("layer_scale2.gamma"), [width])?,
                ]),
            },
        })
    }

    /// `[batch, tokens, width]` to the same shape.
    pub fn forward(&self, input: Tensor<3>, causal: bool) -> Tensor<3> {
        let normal = self.attention_norm.forward(input.clone());
        let [queries, keys, values] = self.projections.forward(normal);
        let context = KeysValues::new(keys, values, None);
        let attended = attend(queries, context, self.heads, causal);
        self.continue_with(attended, input)
    }

    /// The same of texts in a tree, whose tokens see only those before them: `[1, rows, width]` to `[1,
    /// asking rows, width]`.
    pub fn forward_tree(&self, input: Tensor<3>, asking: &Asking) -> Tensor<3> {
        let normal = self.attention_norm.forward(input.clone());
        let attended = asking.attend(self.projections.forward(normal), self.heads);
        self.continue_with(attended, asking.of(input))
    }

    /// What follows the attention; both are `[batch, tokens, width]`.
    fn continue_with(&self, attended: Tensor<3>, input: Tensor<3>) -> Tensor<3> {
        let Some([attention_scale, mlp_scale]) = &self.scales else {
            let input = self.output.forward_added(attended, input); // [batch, tokens, width]
            let normal = self.mlp_norm.forward(input.clone());
            return self.mlp.forward_added(normal, input);
        };
        let scaled = |scale: &Tensor<1>, output: Tensor<3>| output * scale.clone().unsqueeze::<3>();
        let input = input + scaled(attention_scale, self.output.forward(attended));
        let normal = self.mlp_norm.forward(input.clone());
        input + scaled(mlp_scale, self.mlp.forward(normal))
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
