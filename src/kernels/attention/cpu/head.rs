//! One head, over slices.

use super::rows::Rows;

/// A head, and where in the output's rows its columns start.
pub struct Head<'a> {
    pub queries: Rows<'a>,
    pub keys: Rows<'a>,
    pub values: Rows<'a>,
    pub causal: bool,
    pub column: usize,
}

impl Head<'_> {
    pub fn scale(&self) -> f32 {
        1.0 / (self.queries.width as f32).sqrt()
    }

    /// Tokens that a query sees.
    pub fn seen(&self, row: usize) -> usize {
        match self.causal {
            true => self.keys.count - self.queries.count + row + 1,
            false => self.keys.count,
        }
    }
}
