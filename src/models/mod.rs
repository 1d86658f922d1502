//! The model families. Each knows its configuration, its tensors' names and its forward
//! passes, and nothing of files, number formats or platforms.

pub mod bert;
pub mod blip;
mod chinese_clip;
pub mod clip;
pub mod coca;
mod config;
pub(crate) mod families;
mod family;
mod harmless;
pub(crate) mod language;
mod network;
pub(crate) mod parts;
mod patches;
pub(crate) mod section;
mod siglip;
mod writer;

pub use blip::{Blip, BlipConfig};
pub use clip::{Clip, ClipConfig, ImageEncoder};
pub use coca::{Coca, CocaConfig};
pub use config::ModelConfig;
pub use family::Family;
pub use network::{BLIP_TEXT_TOKENS, DEFAULT_TEMPERATURE, Network, Similarity};
pub use writer::{BlipWriter, Captions, Writer};

use burn::tensor::Tensor;

/// Scales vectors (the last dimension of `[batch, width]`) to length one, as all families do
/// before comparing pictures with texts.
pub fn normalize(vectors: Tensor<2>) -> Tensor<2> {
    let length = vectors.clone().powf_scalar(2.0).sum_dim(1).sqrt();
    vectors / length
}

/// The matrices that are multiplied with the same input as `name` and become one matrix with it, in
/// order.
pub fn joined_with(name: &str) -> Option<Vec<String>> {
    const GROUPS: [&[&str]; 6] = [
        &[
            ".self_attn.q_proj",
            ".self_attn.k_proj",
            ".self_attn.v_proj",
        ],
        &[
            ".attention.self.query",
            ".attention.self.key",
            ".attention.self.value",
        ],
        &[".head.attention.k_proj", ".head.attention.v_proj"],
        &[".attn_pool.attention.k_proj", ".attn_pool.attention.v_proj"],
        &[".crossattention.self.key", ".crossattention.self.value"],
        &[".cross_attn.k_proj", ".cross_attn.v_proj"],
    ];
    let name = name.strip_suffix(".weight")?;
    GROUPS.into_iter().find_map(|group| {
        let prefix = group.iter().find_map(|part| name.strip_suffix(part))?;
        let names = group.iter().map(|part| format!("{prefix}{part}.weight"));
        Some(names.collect())
    })
}
