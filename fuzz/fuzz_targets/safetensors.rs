//! A safetensors file: its table, the tensors in it, and the same bytes as a shard index.
#![no_main]

use libfuzzer_sys::fuzz_target;
use obscura_fuzz::weights::{Parsed, safetensors};
use obscura_fuzz::{assert_modest, check_beginnings, check_tensors};

fuzz_target!(|file: &[u8]| {
    let length = file.len() as u64;
    let modest = 16 * file.len() + 100_000;
    let table = assert_modest(modest, || safetensors::parse(file, length));
    check_beginnings(file, &table, |beginning| {
        safetensors::parse(beginning, length)
    });
    if let Ok(Parsed::Complete(tensors)) = table {
        check_tensors(file, &tensors);
    }
    drop(safetensors::parse(file, u64::MAX));
    if let Ok(text) = std::str::from_utf8(file)
        && let Ok(index) = assert_modest(modest, || safetensors::parse_index(text))
    {
        assert!(index.files.iter().all(|file| !file.contains(['/', '\\'])));
    }
});
