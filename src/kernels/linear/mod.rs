//! `activation(input · weightᵀ + bias)` over a packed weight.

pub mod cpu;
#[cfg(not(target_feature = "atomics"))]
pub mod gpu;
pub mod naive;
