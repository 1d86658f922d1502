//! `activation(input · weightᵀ + bias)` over a packed weight.

pub mod cpu;
pub mod gpu;
pub mod naive;
