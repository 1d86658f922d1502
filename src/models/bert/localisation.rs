//! Where the text transformer looks: the cross-attention of one layer, for the words of a caption,
//! and Grad-CAM (Selvaraju et al., arXiv 1610.02391) on it, for a score of a text. The latter is how
//! ALBEF (Li et al., arXiv 2107.07651, section 6) and BLIP localise: attention times its gradient,
//! negative gradients left out, averaged over heads; `compute_gradcam` in LAVIS.
//!
//! The gradient is computed here by hand, through the few layers behind the chosen one: packed
//! weights have no autodiff, and the browser's build none at all.

use super::{Bert, Context, CrossAttention, Finish, Layer, SelfAttention};
use crate::nn::{
    KeysValues, SelfCache, attention_probabilities, matmul, mean_attention, merge_heads,
    softmax_gradient, split_heads,
};
use burn::tensor::Tensor;

/// One attention as it was computed, with all that its gradient takes.
struct Attended {
    /// `[batch, heads, tokens, head width]` each.
    queries: Tensor<4>,
    keys: Tensor<4>,
    values: Tensor<4>,
    /// `[batch, heads, tokens, keys]`.
    probabilities: Tensor<4>,
    /// What the norm was given: `[batch, tokens, width]`.
    sum: Tensor<3>,
    /// What it gave.
    output: Tensor<3>,
}

/// A layer as it was computed.
struct Traced {
    own: Attended,
    cross: Attended,
    /// What the last norm was given: `[batch, tokens, width]`.
    sum: Tensor<3>,
}

impl Finish {
    /// An attention that is followed by this, from its queries, `[batch, tokens, width]`.
    fn trace(
        &self,
        input: Tensor<3>,
        queries: Tensor<3>,
        context: &KeysValues,
        heads: usize,
    ) -> Attended {
        let queries = split_heads(queries, heads);
        let [keys, values] = context.split_heads(heads);
        let probabilities = attention_probabilities(queries.clone(), keys.clone(), false);
        let attended = merge_heads(matmul(probabilities.clone(), values.clone()));
        let sum = self.output.forward_added(attended, input);
        Attended {
            output: self.norm.forward(sum.clone()),
            queries,
            keys,
            values,
            probabilities,
            sum,
        }
    }

    /// The gradients of the residual, of each head's result and of the attention's probabilities,
    /// from that of the output: `[batch, tokens, width]`, `[batch, heads, tokens, head width]`,
    /// `[batch, heads, tokens, keys]`.
    fn gradients(
        &self,
        attended: &Attended,
        output: Tensor<3>,
    ) -> (Tensor<3>, Tensor<4>, Tensor<4>) {
        let heads = attended.queries.dims()[1];
        let sum = self.norm.gradient(attended.sum.clone(), output);
        let heads = split_heads(self.output.gradient(sum.clone()), heads);
        let values = attended.values.clone();
        let probabilities = matmul(heads.clone(), values.swap_dims(2, 3));
        (sum, heads, probabilities)
    }
}

impl Attended {
    /// The gradient of the scaled scores, from that of the probabilities that they became.
    fn scores_gradient(&self, probabilities: Tensor<4>) -> Tensor<4> {
        let width = self.queries.dims()[3] as f32;
        softmax_gradient(self.probabilities.clone(), probabilities) * width.sqrt().recip()
    }

    /// The gradient of the queries, `[batch, tokens, width]`, from that of the scores.
    fn queries_gradient(&self, scores: Tensor<4>) -> Tensor<3> {
        merge_heads(matmul(scores, self.keys.clone()))
    }
}

impl SelfAttention {
    fn trace(&self, input: Tensor<3>) -> Attended {
        let (queries, context) = self.project(input.clone(), None);
        let queries = queries.into_tensor();
        self.finish.trace(input, queries, &context, self.heads)
    }

    /// The gradient of the input, from that of the output: `[batch, tokens, width]` each.
    fn gradient(&self, attended: &Attended, output: Tensor<3>) -> Tensor<3> {
        let (sum, heads, probabilities) = self.finish.gradients(attended, output);
        let scores = attended.scores_gradient(probabilities);
        let keys = matmul(scores.clone().swap_dims(2, 3), attended.queries.clone());
        let values = matmul(attended.probabilities.clone().swap_dims(2, 3), heads);
        let queries = attended.queries_gradient(scores);
        let projected = [queries, merge_heads(keys), merge_heads(values)];
        sum + self.projections.gradient(projected)
    }
}

impl CrossAttention {
    fn trace(&self, input: Tensor<3>, context: &KeysValues) -> Attended {
        let queries = self.query.forward(input.clone());
        self.finish.trace(input, queries, context, self.heads)
    }

    /// The gradient of the queries' side, from that of the output: `[batch, tokens, width]` each.
    fn gradient(&self, attended: &Attended, output: Tensor<3>) -> Tensor<3> {
        let (sum, _, probabilities) = self.finish.gradients(attended, output);
        let scores = attended.scores_gradient(probabilities);
        sum + self.query.gradient(attended.queries_gradient(scores))
    }
}

impl Layer {
    /// [`Layer::forward`] of a whole text, each token seeing all others, with a context.
    fn trace(&self, input: Tensor<3>, context: &KeysValues) -> (Tensor<3>, Traced) {
        let own = self.self_attention.trace(input);
        let cross = self.cross().trace(own.output.clone(), context);
        let hidden = cross.output.clone();
        let sum = self.mlp.forward_added(hidden.clone(), hidden);
        let output = self.norm.forward(sum.clone());
        (output, Traced { own, cross, sum })
    }

    /// The gradient of what the attentions gave, from that of the layer's output: `[batch, tokens,
    /// width]` each.
    fn mlp_gradient(&self, traced: &Traced, output: Tensor<3>) -> Tensor<3> {
        let sum = self.norm.gradient(traced.sum.clone(), output);
        let mlp = self.mlp.gradient(traced.cross.output.clone(), sum.clone());
        sum + mlp
    }

    /// The gradient of the layer's input.
    fn gradient(&self, traced: &Traced, output: Tensor<3>) -> Tensor<3> {
        let attended = self.mlp_gradient(traced, output);
        let own = self.cross().gradient(&traced.cross, attended);
        self.self_attention.gradient(&traced.own, own)
    }
}

impl Bert {
    /// The layer that localises: two thirds of the way up, which of BLIP's twelve is the eighth, as
    /// in LAVIS's demonstrations.
    pub fn localising_layer(&self) -> usize {
        (2 * self.layers.len() / 3).saturating_sub(1)
    }

    /// What each token of a text attends to while the next one is chosen: a layer's cross-attention,
    /// averaged over heads, `[batch, tokens, context tokens]`.
    pub fn attention_of_tokens(
        &self,
        ids: &[Vec<u32>],
        context: &Context,
        layer: usize,
    ) -> Tensor<3> {
        let mut hidden = self.embed(self.token_ids(ids), 0);
        for (layer, context) in self.layers[..layer].iter().zip(&context.0) {
            let mut cache = SelfCache::default();
            hidden = layer.forward(hidden, None, Some(context), Some(&mut cache));
        }
        let (layer, context) = (&self.layers[layer], &context.0[layer]);
        let cache = &mut SelfCache::default();
        let hidden = layer.self_attention.forward(hidden, None, Some(cache));
        let attention = layer.cross();
        mean_attention(attention.query.forward(hidden), context, attention.heads)
    }

    /// Grad-CAM of a score of an image-grounded text: a layer's cross-attention times its gradient,
    /// where that is positive, averaged over heads, `[batch, tokens, context tokens]`.
    /// `gradient` is the score's with respect to what [`Self::encode`] returns, `[batch, tokens,
    /// width]`.
    pub fn gradient_of_attention(
        &self,
        ids: &[Vec<u32>],
        context: &Context,
        gradient: Tensor<3>,
        chosen: usize,
    ) -> Tensor<3> {
        let mut hidden = self.embed(self.token_ids(ids), 0);
        for (layer, context) in self.layers[..chosen].iter().zip(&context.0) {
            hidden = layer.forward(hidden, None, Some(context), None);
        }
        let mut traces = Vec::new();
        for (layer, context) in self.layers.iter().zip(&context.0).skip(chosen) {
            let (output, traced) = layer.trace(hidden, context);
            hidden = output;
            traces.push((layer, traced));
        }
        let behind = traces.split_off(1);
        let (layer, traced) = &traces[0];
        let output = behind
            .iter()
            .rev()
            .fold(gradient, |output, (layer, traced)| {
                layer.gradient(traced, output)
            });
        let attended = layer.mlp_gradient(traced, output);
        let finish = &layer.cross().finish;
        let (_, _, gradient) = finish.gradients(&traced.cross, attended);
        mean_of_heads(traced.cross.probabilities.clone() * gradient.clamp_min(0.0))
    }
}

/// `[batch, heads, tokens, keys]` to `[batch, tokens, keys]`.
fn mean_of_heads(maps: Tensor<4>) -> Tensor<3> {
    let [batch, _, tokens, keys] = maps.dims();
    maps.mean_dim(1).reshape([batch, tokens, keys])
}
