//! The weights of a panel, in quantized blocks, as many columns at a time as a vector has lanes.

use super::job::Job;
use crate::kernels::simd::LANES;
use std::hint::black_box;

/// The stored columns of a panel, in blocks of so many bytes.
pub struct StoredColumns<'a, const BYTES: usize> {
    values: &'a [[u8; BYTES]],
    scales: &'a [f32],
    first: usize,
    count: usize,
    blocks: usize,
}

/// The blocks of one of them, and their scales.
pub type Column<'a, const BYTES: usize> = (&'a [[u8; BYTES]], &'a [f32]);

impl<'a, const BYTES: usize> StoredColumns<'a, BYTES> {
    /// Those of the panel of `panel` columns that begins at column `first`.
    #[inline(always)]
    pub fn new(job: &Job<'a>, first: usize, panel: usize) -> Self {
        let blocks = job.shape.blocks_per_row();
        let (values, scales) = (job.words).split_at(job.shape.rows * job.shape.words_per_row());
        let (values, _) = bytemuck::cast_slice::<u32, u8>(values).as_chunks::<BYTES>();
        let end = (first + panel).min(job.shape.rows);
        fetch(values[first * blocks..end * blocks].as_flattened());
        Self {
            values,
            scales: bytemuck::cast_slice(scales),
            first,
            count: job.shape.rows,
            blocks,
        }
    }

    /// As many as a vector has lanes; those that are not there are the last one, again.
    #[inline(always)]
    pub fn group(&self, group: usize) -> [Column<'a, BYTES>; LANES] {
        let mut columns = [(&self.values[..0], &self.scales[..0]); LANES];
        for (lane, parts) in columns.iter_mut().enumerate() {
            let column = (self.first + group * LANES + lane).min(self.count - 1);
            let start = column * self.blocks;
            *parts = (
                &self.values[start..][..self.blocks],
                &self.scales[start..][..self.blocks],
            );
        }
        columns
    }
}

/// Reads bytes from the first to the last, as processors fetch memory ahead. Unpacking reads a little
/// of several rows in turn, which they do not.
#[inline(always)]
pub fn fetch(bytes: &[u8]) {
    const LINE: usize = 64;
    let lines = bytes.iter().step_by(LINE);
    black_box(lines.fold(0, |all, byte| all ^ byte));
}
