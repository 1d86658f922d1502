//! Scaled dot-product attention (Vaswani et al., arXiv 1706.03762) over heads.

use super::matmul;
use crate::kernels::{self, Columns};
use burn::tensor::{Device, Tensor, TensorData, activation::softmax};

/// What queries attend to.
#[derive(Debug, Clone)]
pub struct KeysValues {
    /// What queries are compared with.
    pub keys: Columns,
    /// What is averaged.
    pub values: Columns,
    /// Rows of both that count.
    pub tokens: usize,
    /// Which of them only fill up a batch of texts of different lengths.
    pub padding: Option<Padding>,
}

impl KeysValues {
    /// All rows of keys and values, `[batch, tokens, width]` each.
    pub fn new(keys: Columns, values: Columns, padding: Option<Padding>) -> Self {
        let [_, tokens, _] = keys.dims();
        Self {
            keys,
            values,
            tokens,
            padding,
        }
    }

    /// These and more of the same texts, copied.
    pub fn followed_by(self, more: Self) -> Self {
        let join = |first: Columns, second: Columns| {
            Tensor::cat(vec![first.into_tensor(), second.into_tensor()], 1).into()
        };
        let keys = join(self.keys, more.keys);
        Self::new(keys, join(self.values, more.values), None)
    }

    /// Keys and values head by head: `[batch, heads, tokens, head width]` each.
    pub fn split_heads(&self, heads: usize) -> [Tensor<4>; 2] {
        [&self.keys, &self.values].map(|columns| {
            let all = columns.clone().into_tensor();
            let capacity = all.dims()[1];
            let counting = match capacity == self.tokens {
                true => all,
                false => all.narrow(1, 0, self.tokens),
            };
            split_heads(counting, heads)
        })
    }
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

    /// Of the tokens that are 1 here, not of those that are 0: `[batch, tokens]`.
    pub fn of(hidden: Tensor<2>) -> Self {
        let [batch, tokens] = hidden.dims();
        Self((hidden * UNSEEN).reshape([batch, 1, 1, tokens]))
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

/// `softmax(Q Kᵀ / sqrt(head width)) V`, head by head: `[batch, tokens, width]` queries give as many
/// rows. A context of batch 1 is shared by all batch entries. With `causal`, the queries are the
/// context's last tokens, and a token sees itself and those before it.
pub fn attend(queries: Columns, context: KeysValues, heads: usize, causal: bool) -> Tensor<3> {
    let [batch, tokens, width] = queries.dims();
    let [shared, ..] = context.keys.dims();
    if shared != batch {
        assert_eq!(shared, 1, "a context is per batch entry or shared by all");
        // The batch's queries are laid side by side instead of repeating the context.
        let side_by_side = queries.reshape([1, batch * tokens]);
        return attend(side_by_side, context, heads, false).reshape([batch, tokens, width]);
    }
    let causal = causal && tokens > 1; // a single new token sees all before it
    if !queries.suit() || context.padding.is_some() {
        let queries = split_heads(queries.into_tensor(), heads);
        let keys_values = context.split_heads(heads);
        return merge_heads(attend_trainable(
            queries,
            keys_values,
            context.padding,
            causal,
        ));
    }
    let KeysValues { keys, values, .. } = context;
    kernels::attention(queries, keys, values, heads, context.tokens, causal)
}

/// [`attend`] in Burn's operations.
fn attend_trainable(
    queries: Tensor<4>,
    [keys, values]: [Tensor<4>; 2],
    padding: Option<Padding>,
    causal: bool,
) -> Tensor<4> {
    let [_, _, tokens, width] = queries.dims();
    let queries = queries * (width as f32).sqrt().recip();
    let mut scores = matmul(queries, keys.swap_dims(2, 3)); // [batch, heads, tokens, keys]
    if let Some(Padding(bias)) = padding {
        scores = scores + bias;
    }
    if causal {
        scores = scores.clone() + future(tokens, &scores.device());
    }
    matmul(softmax(scores, 3), values)
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

/// What [`attend`] weighs values by, averaged over heads: queries, `[batch, tokens, width]`, to `[batch,
/// tokens, context tokens]`.
pub fn mean_attention(queries: Tensor<3>, context: &KeysValues, heads: usize) -> Tensor<3> {
    let [keys, _] = context.split_heads(heads);
    let maps = attention_probabilities(split_heads(queries, heads), keys, false);
    let [batch, _, tokens, keys] = maps.dims();
    maps.mean_dim(1).reshape([batch, tokens, keys])
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
