//! Products of matrices that are both computed, in batches: what attention maps and resized
//! positions take. Nothing that is on the way of every picture or word goes through here, so the
//! loops are plain. Burn's own product would add a third to the wasm.

pub mod cpu;
#[cfg(not(target_feature = "atomics"))]
pub mod gpu;
pub mod naive;
