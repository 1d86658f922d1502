//! A PyTorch checkpoint: the zip archive, the pickle in it, and the tensors it announces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use obscura_fuzz::check_pytorch;

fuzz_target!(|file: &[u8]| check_pytorch(file));
