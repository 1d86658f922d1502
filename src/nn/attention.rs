//! Scaled dot-product attention (Vaswani et al., arXiv 1706.03762) over heads, and the keys and
//! values that are kept between calls.

use crate::kernels::{self, ids_tensor};
use burn::tensor::Tensor;

/// Keys and values, `[batch, heads, tokens, head width]` each.
#[derive(Debug, Clone)]
pub struct KeysValues {
    /// What queries are compared with.
    pub keys: Tensor<4>,
    /// What is averaged.
    pub values: Tensor<4>,
}

/// The keys and values of the tokens so far, of one self-attention layer.
#[derive(Debug, Clone, Default)]
pub struct SelfCache(Option<KeysValues>);

impl SelfCache {
    /// Tokens so far.
    pub fn tokens(&self) -> usize {
        self.0.as_ref().map_or(0, |cached| cached.keys.dims()[2])
    }

    /// Appends the keys and values of new tokens and returns those of all tokens.
    pub fn append(&mut self, new: KeysValues) -> KeysValues {
        let all = match self.0.take() {
            None => new,
            Some(cached) => KeysValues {
                keys: Tensor::cat(vec![cached.keys, new.keys], 2),
                values: Tensor::cat(vec![cached.values, new.values], 2),
            },
        };
        self.0 = Some(all.clone());
        all
    }

    /// Makes batch entry `i` continue what entry `parents[i]` was.
    pub fn reorder(&mut self, parents: &[usize]) {
        if let Some(cached) = self.0.take() {
            let device = cached.keys.device();
            let indices = ids_tensor(parents.iter().map(|parent| *parent as i32), &device);
            self.0 = Some(KeysValues {
                keys: cached.keys.select(0, indices.clone()),
                values: cached.values.select(0, indices),
            });
        }
    }
}

/// `[batch, tokens, width]` to `[batch, heads, tokens, width / heads]`.
pub fn split_heads(input: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, tokens, width] = input.dims();
    input
        .reshape([batch, tokens, heads, width / heads])
        .swap_dims(1, 2)
}

/// `[batch, heads, tokens, head width]` to `[batch, tokens, heads * head width]`.
pub fn merge_heads(input: Tensor<4>) -> Tensor<3> {
    let [batch, heads, tokens, width] = input.dims();
    input
        .swap_dims(1, 2)
        .reshape([batch, tokens, heads * width])
}

/// `softmax(Q Kᵀ / sqrt(head width)) V`, `[batch, heads, tokens, head width]` throughout. With
/// `causal`, a token sees itself and those before it; queries and keys are then the same tokens.
pub fn attend(queries: Tensor<4>, context: KeysValues, causal: bool) -> Tensor<4> {
    let causal = causal && queries.dims()[2] > 1; // a single new token sees all before it
    kernels::attention(queries, context.keys, context.values, causal)
}

/// [`attend`] to a context that all batch entries may share: a context of batch 1 is not repeated,
/// the batch's queries are laid side by side instead.
pub fn attend_shared(queries: Tensor<4>, context: KeysValues) -> Tensor<4> {
    let [batch, heads, tokens, width] = queries.dims();
    if context.keys.dims()[0] == batch {
        return attend(queries, context, false);
    }
    assert_eq!(
        context.keys.dims()[0],
        1,
        "a context is per batch entry or shared by all"
    );
    let side_by_side = queries
        .swap_dims(0, 1)
        .reshape([1, heads, batch * tokens, width]);
    attend(side_by_side, context, false)
        .reshape([heads, batch, tokens, width])
        .swap_dims(0, 1) // [batch, heads, tokens, head width]
}
