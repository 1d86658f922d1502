//! `next_tokens` in WGSL: one workgroup, which scores all candidates before it chooses.

use super::Choice;
use crate::kernels::wgsl::{Template, empty_ids_like, empty_like};
use burn_wgpu::{CubeTensor, into_contiguous};

/// Invocations of the workgroup.
const LANES: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct NextTokensKernel;

impl Template for NextTokensKernel {
    fn file(&self) -> &'static str {
        include_str!("next_tokens.wgsl")
    }
}

/// See [`crate::kernels::next_tokens()`].
pub fn next_tokens(
    best: CubeTensor,
    watched: CubeTensor,
    sums: CubeTensor,
    choice: Choice,
) -> (CubeTensor, CubeTensor, CubeTensor, CubeTensor) {
    let [best, watched, sums] = [best, watched, sums].map(into_contiguous);
    let [texts, row] = [best.meta.shape()[0], best.meta.shape()[1]];
    let watched_count = watched.meta.shape()[1];
    let Choice { beams, .. } = choice;
    let next_watched_count = match choice.minds_text() {
        true => watched_count + 1,
        false => 1,
    };
    let state = empty_like(&best, [beams + 3 * choice.kept()]);
    let parents = empty_ids_like(&best, [beams]);
    let ids = empty_ids_like(&best, [beams]);
    let next_watched = empty_ids_like(&best, [beams, next_watched_count]);
    let top = (row - watched_count - 1) / 2;
    let scores = empty_like(&best, [texts, top + watched_count]);
    let sizes = [
        texts,
        top,
        watched_count,
        next_watched_count,
        beams,
        choice.kept(),
        choice.stop as usize,
        usize::from(choice.may_stop),
        choice.repetition_penalty.to_bits() as usize,
        choice.no_repeat_ngram_size,
    ];
    NextTokensKernel.launch(
        [1, 1, 1],
        [LANES, 1],
        &[
            &best,
            &watched,
            &sums,
            &state,
            &parents,
            &ids,
            &next_watched,
            &scores,
        ],
        &sizes,
    );
    (state, parents, ids, next_watched)
}
