//! Attentional pooling (Lee et al., arXiv 1810.00825) into several vectors, as open_clip's CoCa pools a
//! picture's tokens: `AttentionalPooler` there.

use super::{KeysValues, LayerNorm, Linear, Parameters, Projections, attend, mean_attention};
use crate::Result;
use burn::tensor::Tensor;
use std::ops::Range;

/// The norms here have the default of open_clip's, whatever the other norms of the encoder have.
const EPSILON: f64 = 1e-5;

/// Sizes of a pooler.
#[derive(Debug, Clone)]
pub struct PoolerConfig {
    /// Vectors that come out.
    pub queries: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of what comes out.
    pub width: usize,
    /// Width of what comes in.
    pub context_width: usize,
}

/// Learned queries attend to all tokens; what they find comes out.
#[derive(Debug, Clone)]
pub struct AttentionalPooler {
    probe: Tensor<2>,
    probe_norm: LayerNorm,
    context_norm: LayerNorm,
    queries: Linear,
    keys_values: Projections<2>,
    output: Linear,
    heads: usize,
}

impl AttentionalPooler {
    /// Takes the pooler at `prefix`.
    pub fn load(parameters: &mut Parameters, prefix: &str, config: &PoolerConfig) -> Result<Self> {
        let (width, context_width) = (config.width, config.context_width);
        let at = |name: &str| format!("{prefix}.{name}");
        let [keys, values] = ["k_proj", "v_proj"].map(|name| at(&format!("attention.{name}")));
        Ok(Self {
            probe: parameters.tensor(&at("probe"), [config.queries, width])?,
            probe_norm: LayerNorm::load(parameters, &at("ln_q"), width, EPSILON)?,
            context_norm: LayerNorm::load(parameters, &at("ln_k"), context_width, EPSILON)?,
            queries: Linear::load(parameters, &at("attention.q_proj"), [width, width])?,
            keys_values: Projections::load(parameters, [&keys, &values], [width, context_width])?,
            output: Linear::load(parameters, &at("attention.out_proj"), [width, width])?,
            heads: config.heads,
        })
    }

    /// Number of queries.
    pub fn count(&self) -> usize {
        self.probe.dims()[0]
    }

    /// What some of the queries find: `[batch, tokens, context width]` to `[batch, queries, width]`.
    pub fn forward(&self, tokens: Tensor<3>, which: Range<usize>) -> Tensor<3> {
        let [batch, ..] = tokens.dims();
        let queries = self.queries(which, batch);
        let found = attend(queries.into(), self.context(tokens), self.heads, false);
        self.output.forward(found)
    }

    /// Where they look, averaged over heads: `[batch, tokens, context width]` to `[batch, queries,
    /// tokens]`.
    pub fn attention(&self, tokens: Tensor<3>, which: Range<usize>) -> Tensor<3> {
        let queries = self.queries(which, tokens.dims()[0]);
        mean_attention(queries, &self.context(tokens), self.heads)
    }

    fn context(&self, tokens: Tensor<3>) -> KeysValues {
        let normal = self.context_norm.forward(tokens);
        let [keys, values] = self.keys_values.forward(normal);
        KeysValues::new(keys, values, None)
    }

    fn queries(&self, which: Range<usize>, batch: usize) -> Tensor<3> {
        let probe = self.probe.clone().narrow(0, which.start, which.len());
        let queries = self.queries.forward(self.probe_norm.forward(probe)); // [queries, width]
        queries.unsqueeze::<3>().repeat_dim(0, batch)
    }
}
