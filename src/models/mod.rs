//! The two model families. Each knows its configuration, its tensors' names and its forward
//! passes, and nothing of files, number formats or platforms.

pub mod bert;
pub mod blip;
pub mod clip;
mod config;

pub use blip::{Blip, BlipConfig};
pub use clip::{Clip, ClipConfig, ImageEncoder};
pub use config::{Family, ModelConfig};

use burn::tensor::Tensor;

/// Scales vectors (the last dimension of `[batch, width]`) to length one, as both families do
/// before comparing pictures with texts.
pub fn normalize(vectors: Tensor<2>) -> Tensor<2> {
    let length = vectors.clone().powf_scalar(2.0).sum_dim(1).sqrt();
    vectors / length
}
