//! `top_logits` in WGSL, one workgroup a row.

use crate::kernels::wgsl::{Template, empty_like};
use burn_wgpu::CubeTensor;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct TopLogitsKernel;

impl Template for TopLogitsKernel {
    fn file(&self) -> &'static str {
        include_str!("top_logits.wgsl")
    }
}

/// See [`crate::kernels::top_logits()`].
pub fn top_logits(logits: CubeTensor, watched: CubeTensor, count: usize) -> CubeTensor {
    let logits = burn_wgpu::into_contiguous(logits);
    let watched = burn_wgpu::into_contiguous(watched);
    let [rows, vocabulary] = [logits.meta.shape()[0], logits.meta.shape()[1]];
    let watched_count = watched.meta.shape()[1];
    let output = empty_like(&logits, [rows, 2 * count + watched_count + 1]);
    // How many are watched may grow with a text.
    let sizes = [vocabulary, count, watched_count];
    TopLogitsKernel.launch(
        [rows, 1, 1],
        [256, 1],
        &[&logits, &watched, &output],
        &sizes,
    );
    output
}
