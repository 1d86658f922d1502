//! Layers that the models share. A model is written once over these; the number format of its
//! weights is known to [`Linear`] and [`Embedding`] alone.

mod attention;
mod attentional_pooler;
mod bicubic;
mod cache;
mod convolution;
mod layer_norm;
mod linear;
mod matmul;
mod mlp;
mod parameters;
mod pooling_head;
mod projections;
pub mod resnet;
pub mod transformer;
mod tree;
pub mod vit;

pub use attention::{
    KeysValues, Padding, attend, attention_probabilities, mean_attention, merge_heads,
    softmax_gradient, split_heads,
};
pub use attentional_pooler::{AttentionalPooler, PoolerConfig};
pub use bicubic::resize_positions;
pub use cache::SelfCache;
pub use layer_norm::LayerNorm;
pub use linear::{Embedding, Linear, Weight, token_ids};
pub use matmul::matmul;
pub use mlp::Mlp;
pub use parameters::{Dtype, Parameters, Target, Trainable, is_embedding};
pub use pooling_head::PoolingHead;
pub use projections::Projections;
pub use tree::{Asking, TokenTree, common};
