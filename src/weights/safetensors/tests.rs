use super::*;

fn file(header: &str, data: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.resize(file.len() + data, 7);
    file
}

fn parse_file(file: &[u8]) -> Result<Parsed<Vec<TensorInfo>>> {
    parse(file, file.len() as u64)
}

const GOOD: &str = r#"{"__metadata__": {"format": "pt"},
    "b": {"dtype": "F16", "shape": [2, 3], "data_offsets": [8, 20]},
    "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
    "position_ids": {"dtype": "I64", "shape": [1, 2], "data_offsets": [20, 36]},
    "scalar": {"dtype": "F64", "shape": [], "data_offsets": [36, 44]},
    "empty": {"dtype": "BF16", "shape": [0, 4], "data_offsets": [44, 44]}}   "#;

#[test]
fn the_table_is_read_in_the_order_of_the_bytes() {
    let file = file(GOOD, 44);
    let Ok(Parsed::Complete(tensors)) = parse_file(&file) else {
        panic!("{:?}", parse_file(&file));
    };
    let rows: Vec<_> = tensors
        .iter()
        .map(|tensor| {
            (
                tensor.name.as_str(),
                tensor.format.name(),
                tensor.shape.as_slice(),
            )
        })
        .collect();
    let expected: [(&str, &str, &[usize]); 5] = [
        ("a", "F32", &[2]),
        ("b", "F16", &[2, 3]),
        ("position_ids", "I64", &[1, 2]),
        ("scalar", "F64", &[]),
        ("empty", "BF16", &[0, 4]),
    ];
    assert_eq!(rows, expected);
    assert_eq!(tensors[0].offset, 8 + GOOD.len() as u64);
    for tensor in tensors {
        assert_eq!(tensor.read(&file).unwrap().len() as u64, tensor.bytes);
    }
}

#[test]
fn a_beginning_that_is_too_short_is_incomplete_and_a_short_file_is_an_error() {
    let file = file(GOOD, 44);
    for length in 0..file.len() {
        let complete = length >= 8 + GOOD.len();
        for file_length in [file.len() as u64, u64::MAX] {
            let parsed = parse(&file[..length], file_length).unwrap();
            assert_eq!(parsed != Parsed::Incomplete, complete, "{length}");
        }
        let error = parse_file(&file[..length]).unwrap_err();
        assert!(error.to_string().contains("safetensors file"), "{error}");
    }
}

#[test]
fn no_changed_byte_of_a_header_panics() {
    let file = file(GOOD, 44);
    for index in 0..8 + GOOD.len() {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[index] ^= 1 << bit;
            if let Ok(Parsed::Complete(tensors)) = parse_file(&changed) {
                for tensor in tensors {
                    tensor.read(&changed).unwrap();
                }
            }
        }
    }
}

#[track_caller]
fn check_refused(header: &str, data: usize, message: &str) {
    let error = parse_file(&file(header, data)).unwrap_err();
    assert_eq!(error.code(), "bad_weights");
    assert!(
        error.to_string().contains(message),
        "expected {message:?} in {error}"
    );
}

/// A header of one F32 tensor, `w`.
fn one(shape: &str, offsets: &str) -> String {
    format!(r#"{{"w": {{"dtype": "F32", "shape": {shape}, "data_offsets": {offsets}}}}}"#)
}

#[test]
fn headers_that_make_no_sense_are_refused() {
    check_refused("[]", 0, "unusable");
    check_refused("{\"w\": 3}", 0, "\"w\"");
    check_refused(
        "{\"w\": {\"dtype\": \"F32\"}}",
        0,
        "tensor \"w\": missing field `shape`",
    );
    check_refused(
        &one("[2]", "[0, 4]"),
        4,
        "\"w\" of shape [2] and type F32 takes 8 bytes, but lies from 0 to 4",
    );
    check_refused(&one("[1]", "[4, 0]"), 4, "\"w\"");
    check_refused(
        &one("[1]", "[4, 8]"),
        8,
        "\"w\" begins at 4, but 0 was expected",
    );
    check_refused(&one("[1]", "[0, 4]"), 5, "should have");
    check_refused(&one("[1]", "[0, 4]"), 3, "is it truncated?");
    check_refused(&one("[-1]", "[0, 4]"), 4, "\"w\"");
    check_refused(&one("[1.5]", "[0, 4]"), 4, "\"w\"");
    check_refused(
        &one("[1,1,1,1,1,1,1,1,1]", "[0, 4]"),
        4,
        "at most 8 dimensions",
    );
    check_refused(&one("[9223372036854775808, 2]", "[0, 4]"), 4, "too large");
    check_refused(
        &one("[0, 9223372036854775808, 2]", "[0, 0]"),
        0,
        "too large",
    );
    check_refused(
        &one("[4611686018427387903]", "[0, 18446744073709551612]"),
        0,
        "too",
    );
    check_refused(
        &one("[1]", "[0, 4]").replace("F32", "F8_E4M3"),
        4,
        "\"w\" has the type \"F8_E4M3\"",
    );
    let entry = |from, to| {
        format!(r#""w": {{"dtype": "F32", "shape": [1], "data_offsets": [{from}, {to}]}}"#)
    };
    check_refused(
        &format!("{{{}, {}}}", entry(0, 4), entry(4, 8)),
        8,
        "\"w\" is there twice",
    );
    let overlapping = format!(
        "{{{}, {}}}",
        entry(0, 4),
        entry(0, 4).replace("\"w\"", "\"v\"")
    );
    check_refused(&overlapping, 8, "begins at 0, but 4 was expected");
    let deep = "[".repeat(100_000);
    check_refused(&format!("{{\"__metadata__\": {deep}"), 0, "unusable");
}

#[test]
fn sizes_that_the_file_cannot_back_are_refused_at_once() {
    for length in [100_u64, 100_000_001, 1 << 63, u64::MAX] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend([b' '; 50]);
        assert!(parse_file(&bytes).is_err());
        assert_eq!(parse(&bytes, u64::MAX).is_err(), length > 100);
    }
}

#[test]
fn the_index_of_a_sharded_checkpoint_is_read() {
    let json = r#"{"metadata": {"total_size": 8}, "weight_map": {
        "b": "model-00002-of-00002.safetensors", "a": "model-00001-of-00002.safetensors",
        "c": "model-00001-of-00002.safetensors"}}"#;
    let index = parse_index(json).unwrap();
    let files = [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ];
    assert_eq!(index.files, files);
    assert_eq!(index.tensors["c"], files[0]);
}

#[test]
fn an_index_may_not_lead_elsewhere() {
    for name in ["../x", "/etc/passwd", "a\\b", "https://x", "", ".hidden"] {
        let json = serde_json::json!({"weight_map": {"a": name}}).to_string();
        let error = parse_index(&json).unwrap_err();
        assert!(error.to_string().contains("plain file name"), "{error}");
    }
    assert!(parse_index("{\"weight_map\": {}}").is_err());
    assert!(parse_index("{}").is_err());
}
