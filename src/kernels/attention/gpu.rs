//! Attention on the GPU: Burn's own, as separate products and softmax.

use burn::backend::ops::{AttentionModuleOptions, attention::attention_fallback};
use burn_wgpu::{CubeBackend, CubeTensor};

/// See [`crate::kernels::attention()`].
pub fn attention(
    queries: CubeTensor,
    keys: CubeTensor,
    values: CubeTensor,
    causal: bool,
) -> CubeTensor {
    let options = AttentionModuleOptions {
        is_causal: causal,
        ..Default::default()
    };
    attention_fallback::<CubeBackend>(queries, keys, values, None, None, options)
}
