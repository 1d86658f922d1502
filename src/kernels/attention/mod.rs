//! `softmax(Q Kᵀ / sqrt(head width)) V`, without the whole matrix of scores in memory.

pub mod cpu;
pub mod gpu;
pub mod naive;
