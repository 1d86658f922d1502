//! One head, over slices.

/// `[count, width]`, each row whole in memory.
pub struct Rows<'a> {
    /// Memory from the first row on.
    pub values: &'a [f32],
    /// From one row to the next.
    pub stride: usize,
    pub count: usize,
    pub width: usize,
}

impl<'a> Rows<'a> {
    pub fn row(&self, index: usize) -> &'a [f32] {
        &self.values[index * self.stride..][..self.width]
    }
}

/// A head, and at which row of the output and at which column of its rows it starts.
pub struct Head<'a> {
    pub queries: Rows<'a>,
    pub keys: Rows<'a>,
    pub values: Rows<'a>,
    pub causal: bool,
    pub row: usize,
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
