//! A GGUF file: its header, and the tensors it announces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use obscura_fuzz::weights::{Parsed, gguf::Header};
use obscura_fuzz::{assert_modest, check_beginnings, check_tensors};

fuzz_target!(|file: &[u8]| {
    let length = file.len() as u64;
    let modest = 16 * file.len() + 100_000;
    let header = assert_modest(modest, || Header::parse(file, length));
    // NaN among the metadata is not equal to itself, so only the tables are compared.
    let table = |file: &[u8]| {
        Header::parse(file, length).map(|parsed| match parsed {
            Parsed::Complete(header) => Parsed::Complete(header.tensors),
            Parsed::Incomplete => Parsed::Incomplete,
        })
    };
    check_beginnings(file, &table(file), table);
    if let Ok(Parsed::Complete(header)) = header {
        check_tensors(file, &header.tensors);
    }
    drop(assert_modest(modest, || Header::parse(file, u64::MAX)));
});
