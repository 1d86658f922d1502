//! The pre-norm transformer blocks: of the vision encoders, of CLIP's text encoder, and of CoCa's decoder,
//! half of whose blocks attend to a picture.

use super::{
    Asking, KeysValues, LayerNorm, Linear, Mlp, Padding, Parameters, Projections, SelfCache,
    attend, mean_attention,
};
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
    heads: usize,
    rest: Rest,
}

/// What follows the attention in a block.
#[derive(Debug, Clone)]
struct Rest {
    output: Linear,
    mlp_norm: LayerNorm,
    mlp: Mlp,
    /// What the attention's and the perceptron's results are multiplied with, `[width]` each.
    scales: Option<[Tensor<1>; 2]>,
}

impl Rest {
    /// Takes it of the block at `prefix`; `output` is the attention's last layer there.
    fn load(
        parameters: &mut Parameters,
        prefix: &str,
        config: &BlockConfig,
        output: &str,
    ) -> Result<Self> {
        let width = config.width;
        let at = |name: &str| format!("{prefix}.{name}");
        Ok(Self {
            output: Linear::load(parameters, &at(output), [width, width])?,
            mlp_norm: LayerNorm::load(parameters, &at("layer_norm2"), width, config.epsilon)?,
            mlp: Mlp::load(
                parameters,
                [&at("mlp.fc1"), &at("mlp.fc2")],
                [width, config.hidden],
                config.activation,
            )?,
            scales: match config.layer_scale {
                false => None,
                true => Some([
                    parameters.tensor(&at("layer_scale1.gamma"), [width])?,
                    parameters.tensor(&at("layer_scale2.gamma"), [width])?,
                ]),
            },
        })
    }

    /// From what was attended to and the block's input, `[batch, tokens, width]` each.
    fn forward(&self, attended: Tensor<3>, input: Tensor<3>) -> Tensor<3> {
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
        Ok(Self {
            attention_norm: LayerNorm::load(parameters, &at("layer_norm1"), width, config.epsilon)?,
            projections,
            heads: config.heads,
            rest: Rest::load(parameters, prefix, config, output)?,
        })
    }

    /// `[batch, tokens, width]` to the same shape.
    pub fn forward(&self, input: Tensor<3>, causal: bool) -> Tensor<3> {
        let normal = self.attention_norm.forward(input.clone());
        let [queries, keys, values] = self.projections.forward(normal);
        let context = KeysValues::new(keys, values, None);
        let attended = attend(queries, context, self.heads, causal);
        self.rest.forward(attended, input)
    }

    /// The same of tokens that follow those in a cache, each of which sees itself and those before it,
    /// but for what is only padding.
    pub fn follow(
        &self,
        input: Tensor<3>,
        cache: &mut SelfCache,
        padding: Option<&Padding>,
    ) -> Tensor<3> {
        let normal = self.attention_norm.forward(input.clone());
        let [queries, keys, values] = self.projections.forward(normal);
        let context = cache.append(KeysValues::new(keys, values, None));
        let context = KeysValues {
            padding: padding.cloned(),
            ..context
        };
        let attended = attend(queries, context, self.heads, true);
        self.rest.forward(attended, input)
    }

    /// The same of texts in a tree, whose tokens see only those before them: `[1, rows, width]` to `[1,
    /// asking rows, width]`.
    pub fn forward_tree(&self, input: Tensor<3>, asking: &Asking) -> Tensor<3> {
        let normal = self.attention_norm.forward(input.clone());
        let attended = asking.attend(self.projections.forward(normal), self.heads);
        self.rest.forward(attended, asking.of(input))
    }
}

/// `x + attention(norm(x), norm(context))`, then `x + mlp(norm(x))`: a block that attends to a context of
/// its own width, with a norm for each.
#[derive(Debug, Clone)]
pub struct CrossBlock {
    attention_norm: LayerNorm,
    context_norm: LayerNorm,
    queries: Linear,
    keys_values: Projections<2>,
    heads: usize,
    rest: Rest,
}

impl CrossBlock {
    /// Takes the block at `prefix`.
    pub fn load(parameters: &mut Parameters, prefix: &str, config: &BlockConfig) -> Result<Self> {
        let width = config.width;
        let at = |name: &str| format!("{prefix}.{name}");
        let [keys, values] = ["k_proj", "v_proj"].map(|name| at(&format!("cross_attn.{name}")));
        let norm = |parameters: &mut Parameters, name: &str| {
            LayerNorm::load(parameters, &at(name), width, config.epsilon)
        };
        Ok(Self {
            attention_norm: norm(parameters, "layer_norm1")?,
            context_norm: norm(parameters, "layer_norm_context")?,
            queries: Linear::load(parameters, &at("cross_attn.q_proj"), [width, width])?,
            keys_values: Projections::load(parameters, [&keys, &values], [width, width])?,
            heads: config.heads,
            rest: Rest::load(parameters, prefix, config, "cross_attn.out_proj")?,
        })
    }

    /// Keys and values of a context, `[batch, tokens, width]`.
    pub fn keys_values(&self, context: Tensor<3>) -> KeysValues {
        let normal = self.context_norm.forward(context);
        let [keys, values] = self.keys_values.forward(normal);
        KeysValues::new(keys, values, None)
    }

    /// `[batch, tokens, width]` to the same shape.
    pub fn forward(&self, input: Tensor<3>, context: &KeysValues) -> Tensor<3> {
        let queries = self.queries(input.clone());
        let attended = attend(queries.into(), context.clone(), self.heads, false);
        self.rest.forward(attended, input)
    }

    /// What each token attends to, averaged over heads: `[batch, tokens, width]` to `[batch, tokens,
    /// context tokens]`.
    pub fn attention(&self, input: Tensor<3>, context: &KeysValues) -> Tensor<3> {
        mean_attention(self.queries(input), context, self.heads)
    }

    fn queries(&self, input: Tensor<3>) -> Tensor<3> {
        self.queries.forward(self.attention_norm.forward(input))
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
