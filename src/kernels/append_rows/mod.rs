//! The cache of keys and values that a decoder adds a row to with each token, written in place.

pub mod cpu;
#[cfg(not(target_feature = "atomics"))]
pub mod gpu;

/// What [`crate::kernels::append_rows()`] writes where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AppendPlace {
    /// The cache's first row that is written.
    pub at: usize,
    /// Rows of each batch entry that are written.
    pub tokens: usize,
    /// Columns of the keys, and of the values behind them.
    pub width: usize,
    /// The columns at which keys and values begin in their own rows.
    pub starts: [usize; 2],
}
