//! Attention pooling (Lee et al., arXiv 1810.00825), as SigLIP makes one vector of a picture's tokens.

use super::transformer::BlockConfig;
use super::{KeysValues, LayerNorm, Linear, Mlp, Parameters, Projections, attend};
use crate::Result;
use burn::tensor::Tensor;

/// A learned query attends to all tokens; what it finds goes through a perceptron.
#[derive(Debug, Clone)]
pub struct PoolingHead {
    probe: Tensor<2>,
    queries: Linear,
    keys_values: Projections<2>,
    output: Linear,
    norm: LayerNorm,
    mlp: Mlp,
    heads: usize,
}

impl PoolingHead {
    /// Takes the head at `prefix`, whose sizes are those of the blocks before it.
    pub fn load(parameters: &mut Parameters, prefix: &str, block: &BlockConfig) -> Result<Self> {
        let width = block.width;
        let at = |name: &str| format!("{prefix}.{name}");
        let shape = [width, width];
        let [keys, values] = ["k_proj", "v_proj"].map(|name| at(&format!("attention.{name}")));
        Ok(Self {
            probe: parameters.tensor(&at("probe"), [1, width])?,
            queries: Linear::load(parameters, &at("attention.q_proj"), shape)?,
            keys_values: Projections::load(parameters, [&keys, &values], shape)?,
            output: Linear::load(parameters, &at("attention.out_proj"), shape)?,
            norm: LayerNorm::load(parameters, &at("layernorm"), width, block.epsilon)?,
            mlp: Mlp::load(
                parameters,
                [&at("mlp.fc1"), &at("mlp.fc2")],
                [width, block.hidden],
                block.activation,
            )?,
            heads: block.heads,
        })
    }

    /// `[batch, tokens, width]` to `[batch, width]`.
    pub fn forward(&self, tokens: Tensor<3>) -> Tensor<2> {
        let [batch, _, width] = tokens.dims();
        let query = self.queries.forward(self.probe.clone()); // [1, width]
        let queries = query.repeat_dim(0, batch).reshape([batch, 1, width]);
        let [keys, values] = self.keys_values.forward(tokens);
        let context = KeysValues::new(keys, values, None);
        let found = attend(queries.into(), context, self.heads, false);
        let found = self.output.forward(found); // [batch, 1, width]
        let pooled = self
            .mlp
            .forward_added(self.norm.forward(found.clone()), found);
        pooled.reshape([batch, width])
    }
}
