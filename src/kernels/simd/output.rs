//! A result, written column range by column range.

use std::marker::PhantomData;

/// A `[rows, columns]` matrix that tasks fill at once, each its own places.
pub struct Output<'a> {
    start: *mut f32,
    length: usize,
    columns: usize,
    values: PhantomData<&'a mut [f32]>,
}

// SAFETY: all access is by `write`, whose callers keep to places of their own.
unsafe impl Sync for Output<'_> {}
// SAFETY: as above; the pointer is to floats, which any thread may write.
unsafe impl Send for Output<'_> {}

impl<'a> Output<'a> {
    pub fn new(values: &'a mut [f32], columns: usize) -> Self {
        Self {
            start: values.as_mut_ptr(),
            length: values.len(),
            columns,
            values: PhantomData,
        }
    }

    /// Writes `values` to a row, from a column on.
    ///
    /// # Safety
    /// No two threads write to the same places.
    #[inline(always)]
    pub unsafe fn write(&self, row: usize, column: usize, values: &[f32]) {
        let place = row * self.columns + column;
        assert!(
            column + values.len() <= self.columns && place + values.len() <= self.length,
            "{} values at row {row}, column {column}",
            values.len()
        );
        // SAFETY: the range was just checked, `start` is valid for `length` floats as long as the
        // slice is borrowed, and no other thread writes there.
        unsafe {
            std::ptr::copy_nonoverlapping(values.as_ptr(), self.start.add(place), values.len());
        }
    }
}
