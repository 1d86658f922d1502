//! In place of `bytes.rs` where machines have no products of bytes, or Rust no way to them.

use super::job::Job;
use crate::kernels::PackedFormat;
use crate::kernels::simd::Output;

/// See `bytes.rs`.
pub fn levels(_format: PackedFormat) -> Option<u8> {
    None
}

/// See `bytes.rs`.
pub fn many_rows(_job: &Job, _input: &[f32], _output: &Output) -> bool {
    false
}
