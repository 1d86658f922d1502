//! The pickle alone, in an archive that is always sound: mutations of a whole checkpoint rarely get
//! past its zip directory.
#![no_main]

use libfuzzer_sys::fuzz_target;
use obscura_fuzz::check_pytorch;

fuzz_target!(|pickle: &[u8]| {
    let numbers = [0x40; 96];
    check_pytorch(&stored(&[
        ("a/data.pkl", pickle),
        ("a/data/0", &numbers),
        ("a/data/1", &numbers[..48]),
    ]));
});

/// A zip archive of uncompressed entries, whose checksums (which are not looked at) are zero.
fn stored(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let offset = file.len() as u32;
        let length = (bytes.len() as u32).to_le_bytes();
        // Version, flags, method, time, date and checksum, then both sizes and both lengths.
        let mut common = [20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0, 0, 0, 0, 0].to_vec();
        common.extend(length);
        common.extend(length);
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        file.extend(b"PK\x03\x04");
        file.extend(&common);
        file.extend(name.as_bytes());
        file.extend(*bytes);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, length) = (file.len() as u32, directory.len() as u32);
    let count = (entries.len() as u16).to_le_bytes();
    file.extend(directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([count, count].concat());
    file.extend(length.to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0, 0]);
    file
}
