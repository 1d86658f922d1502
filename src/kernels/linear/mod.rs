//! `activation(input · weightᵀ + bias)` over a packed weight.

pub mod cpu;
#[cfg(not(target_feature = "atomics"))]
pub mod gpu;
pub mod naive;

use super::PackedFormat;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rows from which on that way is taken: with fewer, most of the time is the weights'.
pub const FAST_ROWS: usize = 8;

/// Where the CPU has a faster way for weights in this format that rounds inputs to bytes: the largest of
/// these.
pub fn fast_levels(format: PackedFormat) -> Option<u8> {
    cpu::fast_levels(format)
}

static PAIRS: AtomicBool = AtomicBool::new(false);

/// Has the CPU multiply bytes in pairs, which only weights of 4 bits allow, even if it has something better,
/// until it is called with `false`: so that tests reach every way that the machine has.
pub fn pretend_pairs(is_pretended: bool) {
    PAIRS.store(is_pretended, Ordering::Relaxed);
}

/// See [`pretend_pairs`].
pub fn pretends_pairs() -> bool {
    PAIRS.load(Ordering::Relaxed)
}
