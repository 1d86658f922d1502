//! Scaled dot-product attention (Vaswani et al., arXiv 1706.03762) over heads, and the keys and
//! values that are kept between calls.

use super::matmul;
use crate::kernels::{self, ids_tensor};
use burn::tensor::{Device, Tensor, TensorData, activation::softmax};

/// Keys and values, `[batch, heads, tokens, head width]` each.
#[derive(Debug, Clone)]
pub struct KeysValues {
    /// What queries are compared with.
    pub keys: Tensor<4>,
    /// What is averaged.
    pub values: Tensor<4>,
    /// Which of them only fill up a batch of texts of different lengths.
    pub padding: Option<Padding>,
}

/// What is added to attention scores so that padding is not seen: 0 for a text's own tokens, a
/// large negative number for others, `[batch, 1, 1, tokens]`.
#[derive(Debug, Clone)]
pub struct Padding(Tensor<4>);

/// Far below any score, and far from overflow.
const UNSEEN: f32 = -1e30;

impl Padding {
    /// For texts of these lengths, padded to the longest; `None` if there is nothing to hide.
    pub fn new(lengths: &[usize], device: &Device) -> Option<Self> {
        let longest = lengths.iter().copied().max()?;
        if lengths.iter().all(|length| *length == longest) {
            return None;
        }
        let bias = lengths.iter().flat_map(|length| {
            (0..longest).map(move |token| if token < *length { 0.0 } else { UNSEEN })
        });
        let data = TensorData::new(bias.collect(), [lengths.len(), 1, 1, longest]);
        Some(Self(Tensor::from_data(data, device)))
    }
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
                padding: None,
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
                padding: None,
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
    if queries.is_autodiff() || context.padding.is_some() {
        return attend_trainable(queries, context, causal);
    }
    kernels::attention(queries, context.keys, context.values, causal)
}

/// [`attend`] in operations that have gradients.
fn attend_trainable(queries: Tensor<4>, context: KeysValues, causal: bool) -> Tensor<4> {
    let [_, _, tokens, width] = queries.dims();
    let queries = queries * (width as f32).sqrt().recip();
    let mut scores = matmul(queries, context.keys.swap_dims(2, 3)); // [batch, heads, tokens, keys]
    if let Some(Padding(bias)) = context.padding {
        scores = scores + bias;
    }
    if causal {
        scores = scores.clone() + future(tokens, &scores.device());
    }
    matmul(softmax(scores, 3), context.values)
}

/// `softmax(Q Kᵀ / sqrt(head width))`, what [`attend`] weighs values by: `[batch, heads, tokens,
/// keys]`.
pub fn attention_probabilities(queries: Tensor<4>, keys: Tensor<4>, causal: bool) -> Tensor<4> {
    let [_, _, tokens, width] = queries.dims();
    let mut scores = matmul(
        queries * (width as f32).sqrt().recip(),
        keys.swap_dims(2, 3),
    );
    if causal && tokens > 1 {
        scores = scores.clone() + future(tokens, &scores.device());
    }
    softmax(scores, 3)
}

/// The gradient of a softmax's input, from its output and that one's gradient: `[batch, heads,
/// tokens, keys]` each.
pub fn softmax_gradient(probabilities: Tensor<4>, gradient: Tensor<4>) -> Tensor<4> {
    let along = (gradient.clone() * probabilities.clone()).sum_dim(3);
    probabilities * (gradient - along)
}

/// What hides later tokens: `[1, 1, tokens, tokens]`.
fn future(tokens: usize, device: &Device) -> Tensor<4> {
    let bias = (0..tokens * tokens).map(|place| {
        if place % tokens > place / tokens {
            UNSEEN
        } else {
            0.0
        }
    });
    Tensor::from_data(
        TensorData::new(bias.collect(), [1, 1, tokens, tokens]),
        device,
    )
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
