//! `softmax(Q Kᵀ / sqrt(head width)) V`, without the whole matrix of scores in memory.

pub mod cpu;
#[cfg(not(target_feature = "atomics"))]
pub mod gpu;
pub mod naive;

use burn::tensor::{Int, Tensor};

/// Some columns of rows: `[batch, tokens, width]` inside of `[batch, tokens, width of a row]`.
/// Queries, keys and values that one product made are read where they are.
#[derive(Debug, Clone)]
pub struct Columns {
    rows: Tensor<3>,
    start: usize,
    width: usize,
}

impl Columns {
    /// `width` columns of `rows`, `[batch, tokens, width of a row]`, from `start` on.
    pub fn new(rows: Tensor<3>, start: usize, width: usize) -> Self {
        let row = rows.dims()[2];
        assert!(start + width <= row, "{start} + {width} of {row} columns");
        Self { rows, start, width }
    }

    /// Batch, tokens, width.
    pub fn dims(&self) -> [usize; 3] {
        let [batch, tokens, _] = self.rows.dims();
        [batch, tokens, self.width]
    }

    /// Whether [`crate::kernels::attention()`] can take them.
    pub fn suit(&self) -> bool {
        super::suit(&self.rows)
    }

    /// Where they begin in a row.
    pub fn start(&self) -> usize {
        self.start
    }

    /// The rows that they are columns of.
    pub fn into_rows(self) -> Tensor<3> {
        self.rows
    }

    /// As a tensor of their own: `[batch, tokens, width]`.
    pub fn into_tensor(self) -> Tensor<3> {
        match self.width == self.rows.dims()[2] {
            true => self.rows,
            false => self.rows.narrow(2, self.start, self.width),
        }
    }

    /// The same in another arrangement of batch and tokens.
    pub fn reshape(self, [batch, tokens]: [usize; 2]) -> Self {
        let row = self.rows.dims()[2];
        Self {
            rows: self.rows.reshape([batch, tokens, row]),
            ..self
        }
    }

    /// The batch entries at `indices`, `[n]`.
    pub fn select(self, indices: Tensor<1, Int>) -> Self {
        Self {
            rows: self.rows.select(0, indices),
            ..self
        }
    }
}

impl From<Tensor<3>> for Columns {
    /// All columns of `[batch, tokens, width]`.
    fn from(rows: Tensor<3>) -> Self {
        let width = rows.dims()[2];
        Self::new(rows, 0, width)
    }
}

/// How [`crate::kernels::attention()`] finds its operands in `[batch, tokens, width of a row]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttentionShape {
    /// Heads, side by side.
    pub heads: usize,
    /// Width of a head.
    pub width: usize,
    /// Rows of keys and values that count.
    pub context: usize,
    /// The columns at which queries, keys and values begin.
    pub starts: [usize; 3],
    /// Whether query `i` of `n` sees only the first `context - n + i + 1` tokens.
    pub causal: bool,
}
