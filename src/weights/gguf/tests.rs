use super::*;
use crate::Error;
use crate::weights::{Format, Parsed};

fn metadata() -> BTreeMap<String, Value> {
    let strings = Array::String(vec!["a".into(), String::new(), "b\u{e9}".into()]);
    let nested = Array::Array(vec![Array::Bool(vec![true, false]), strings.clone()]);
    let values = [
        ("u8", Value::U8(200)),
        ("i8", Value::I8(-5)),
        ("u16", Value::U16(60_000)),
        ("i16", Value::I16(-3)),
        ("u32", Value::U32(4_000_000_000)),
        ("i32", Value::I32(-2)),
        ("f32", Value::F32(0.1)),
        ("bool", Value::Bool(true)),
        ("string", Value::String("one\ntwo".into())),
        ("strings", Value::Array(strings)),
        ("nested", Value::Array(nested)),
        ("numbers", Value::Array(Array::I16(vec![1, -2, 3]))),
        ("doubles", Value::Array(Array::F64(vec![0.5]))),
        ("u64", Value::U64(1 << 60)),
        ("i64", Value::I64(-1 << 60)),
        ("f64", Value::F64(0.1)),
    ];
    values.map(|(key, value)| (key.to_owned(), value)).into()
}

fn plan(name: &str, shape: &[usize], format: Format) -> Planned {
    Planned {
        name: name.to_owned(),
        shape: shape.to_vec(),
        format,
    }
}

fn planned() -> Vec<Planned> {
    vec![
        plan("scalar", &[], Format::F32),
        plan("half", &[2, 3], Format::F16),
        plan("blocks", &[2, 64], Format::Q8_0),
        plan("nothing", &[0, 5], Format::F32),
        plan("kernel", &[2, 1, 3, 32], Format::Q4_0),
    ]
}

fn write(metadata: &BTreeMap<String, Value>, planned: &[Planned]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), metadata, planned).unwrap();
    for (index, tensor) in writer.tensors().to_vec().iter().enumerate() {
        let data = vec![index as u8 + 1; tensor.bytes as usize];
        writer.write(&tensor.name, &data).unwrap();
    }
    let expected = writer.file_length();
    let file = writer.finish().unwrap();
    assert_eq!(file.len() as u64, expected);
    file
}

fn parse(file: &[u8]) -> Result<Parsed<Header>> {
    Header::parse(file, file.len() as u64)
}

fn complete(file: &[u8]) -> Header {
    match parse(file) {
        Ok(Parsed::Complete(header)) => header,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_written_file_reads_the_same() {
    let file = write(&metadata(), &planned());
    let header = complete(&file);
    assert_eq!(header.metadata, metadata());
    assert_eq!(header.text("string"), Ok("one\ntwo"));
    assert_eq!(header.alignment, 32);
    let read: Vec<Planned> = header
        .tensors
        .iter()
        .map(|tensor| plan(&tensor.name, &tensor.shape, tensor.format))
        .collect();
    assert_eq!(read, planned());
    for (index, tensor) in header.tensors.iter().enumerate() {
        assert!(tensor.offset.is_multiple_of(32));
        let bytes = tensor.read(&file).unwrap();
        assert_eq!(
            bytes,
            vec![index as u8 + 1; tensor.bytes as usize],
            "{}",
            tensor.name
        );
    }
}

#[test]
fn the_alignment_may_be_chosen() {
    let metadata = BTreeMap::from([(ALIGNMENT_KEY.to_owned(), Value::U32(256))]);
    let header = complete(&write(&metadata, &planned()));
    assert_eq!(header.alignment, 256);
    let aligned = |tensor: &TensorInfo| tensor.offset.is_multiple_of(256);
    assert!(header.tensors.iter().all(aligned));
}

#[test]
fn a_beginning_that_is_too_short_is_incomplete_and_a_short_file_is_an_error() {
    let file = write(&metadata(), &planned());
    let header = complete(&file);
    let table_end = header.data_offset as usize - 31;
    let last = header.tensors.last().unwrap();
    let data_end = (last.offset + last.bytes) as usize;
    for length in 0..file.len() {
        let as_beginning = Header::parse(&file[..length], file.len() as u64).unwrap();
        match &as_beginning {
            Parsed::Incomplete => assert!(length < table_end + 31),
            Parsed::Complete(header) => {
                assert!(length >= table_end);
                assert_eq!(*header, complete(&file));
            }
        }
        let of_unknown_length = Header::parse(&file[..length], u64::MAX).unwrap();
        assert_eq!(of_unknown_length, as_beginning);
        let as_file = parse(&file[..length]);
        if length < data_end {
            let error = as_file.unwrap_err();
            assert!(error.to_string().contains("truncated"), "{length}: {error}");
        }
    }
}

#[test]
fn no_changed_byte_of_a_header_panics() {
    let file = write(&metadata(), &planned());
    let header_length = complete(&file).data_offset as usize;
    for index in 0..header_length {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[index] ^= 1 << bit;
            if let Ok(Parsed::Complete(header)) = parse(&changed) {
                for tensor in header.tensors {
                    tensor.read(&changed).unwrap();
                }
            }
        }
    }
}

/// A file put together by hand.
struct Raw(Vec<u8>);

impl Raw {
    fn new(tensors: u64, entries: u64) -> Self {
        Raw(b"GGUF\x03\0\0\0".to_vec()).u64(tensors).u64(entries)
    }

    fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn u64(mut self, number: u64) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn text(self, text: &str) -> Self {
        let mut raw = self.u64(text.len() as u64);
        raw.0.extend(text.as_bytes());
        raw
    }

    /// A row of the tensor table; dimensions innermost first.
    fn tensor(self, name: &str, sizes: &[u64], type_id: u32, offset: u64) -> Self {
        let raw = self.text(name).u32(sizes.len() as u32);
        let raw = sizes.iter().fold(raw, |raw, &size| raw.u64(size));
        raw.u32(type_id).u64(offset)
    }

    /// Room for tensors.
    fn data(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

#[track_caller]
fn check_refused(file: Vec<u8>, message: &str) {
    for file_length in [file.len() as u64, u64::MAX] {
        match Header::parse(&file, file_length) {
            Err(Error::BadWeights(found)) => {
                assert!(found.contains(message), "expected {message:?} in {found:?}");
                return;
            }
            // What only the file's end could tell.
            Ok(Parsed::Incomplete) if file_length == u64::MAX => {}
            other => panic!("expected {message:?}, found {other:?}"),
        }
    }
}

#[test]
fn other_kinds_and_versions_of_files_are_named() {
    check_refused(
        b"PK\x03\x04 and so on".to_vec(),
        "not a gguf file: it begins with \"PK",
    );
    check_refused(b"GG_F".to_vec(), "not a gguf file");
    check_refused(Vec::new(), "truncated");
    check_refused(b"GGUF\x01\0\0\0".to_vec(), "version 1 is not supported");
    check_refused(b"GGUF\x09\0\0\0".to_vec(), "version 9 is not supported");
    check_refused(b"GGUF\0\0\0\x03".to_vec(), "big endian");
}

#[test]
fn version_2_is_read() {
    let mut file = Raw::new(1, 0).tensor("x", &[2], 0, 0).data();
    file[4] = 2;
    assert_eq!(complete(&file).tensors.len(), 1);
}

#[test]
fn counts_that_the_file_cannot_back_are_refused_at_once() {
    check_refused(
        Raw::new(1 << 63, 0).data(),
        "tensor table of 9223372036854775808 entries",
    );
    check_refused(Raw::new(u64::MAX, 0).data(), "tensor table");
    check_refused(
        Raw::new(0, 1 << 63).data(),
        "gguf metadata of 9223372036854775808 entries",
    );
    let entry = || Raw::new(0, 1).text("key");
    check_refused(
        entry().u32(8).u64(1 << 63).data(),
        "\"key\" needs 9223372036854775808 bytes",
    );
    check_refused(entry().u32(8).u64(u64::MAX).data(), "\"key\"");
    for type_id in [0, 7, 8, 9, 12] {
        check_refused(entry().u32(9).u32(type_id).u64(1 << 61).data(), "\"key\"");
    }
    check_refused(Raw::new(0, 1).u64(1 << 40).data(), "expected at most 65535");
    check_refused(Raw::new(1, 0).u64(1 << 40).data(), "expected at most 1024");
    let large = entry().u32(9).u32(0).u64(LARGEST_HEADER).data();
    let error = Header::parse(&large, u64::MAX).unwrap_err();
    assert!(error.to_string().contains("at most 100000000"), "{error}");
}

#[test]
fn senseless_metadata_are_refused() {
    let entry = || Raw::new(0, 1).text("key");
    check_refused(entry().u32(13).data(), "\"key\" has type 13");
    check_refused(entry().u32(9).u32(99).u64(0).data(), "array of type 99");
    check_refused(entry().u32(7).u32(2).data(), "boolean of value 2");
    check_refused(
        Raw::new(0, 2)
            .text("a")
            .u32(4)
            .u32(1)
            .text("a")
            .u32(4)
            .u32(1)
            .data(),
        "\"a\" is there twice",
    );
    let nested = (0..9).fold(entry().u32(9), |raw, _| raw.u32(9).u64(1));
    check_refused(nested.data(), "nests arrays");
    let mut bad_text = entry().u32(8).u64(2);
    bad_text.0.extend([0xff, 0xfe]);
    check_refused(bad_text.data(), "not UTF-8");
    let alignment = || Raw::new(0, 1).text(ALIGNMENT_KEY);
    for wrong in [0, 33] {
        check_refused(alignment().u32(4).u32(wrong).data(), "power of two");
    }
    check_refused(alignment().u32(10).u64(32).data(), "power of two as u32");
}

#[test]
fn senseless_tensors_are_refused() {
    let one =
        |sizes: &[u64], type_id, offset| Raw::new(1, 0).tensor("t", sizes, type_id, offset).data();
    check_refused(
        one(&[4], 99, 0),
        "\"t\" has ggml type 99, which is not supported; supported are F32",
    );
    check_refused(one(&[1, 1, 1, 1, 1], 0, 0), "5 dimensions");
    check_refused(one(&[33], 8, 0), "rows should be multiples of 32");
    check_refused(one(&[128], 12, 0), "rows should be multiples of 256");
    check_refused(one(&[1 << 60], 0, 0), "truncated");
    check_refused(one(&[1 << 62], 0, 0), "too large");
    check_refused(one(&[1 << 40, 1 << 40], 0, 0), "too large");
    check_refused(one(&[0, 1 << 40, 1 << 40], 0, 0), "too large");
    check_refused(one(&[4], 0, 33), "expected a multiple of 32");
    check_refused(one(&[4], 0, 1024), "truncated");
    check_refused(one(&[4], 0, u64::MAX - 31), "truncated");
    let two = |name, offset| {
        let raw = Raw::new(2, 0).tensor("a", &[64], 0, 0);
        raw.tensor(name, &[64], 0, offset).data()
    };
    check_refused(two("a", 256), "\"a\" is there twice");
    check_refused(two("b", 128), "\"a\" and \"b\" overlap");
    assert_eq!(complete(&two("b", 256)).tensors.len(), 2);
}

#[test]
fn tensors_come_in_the_order_of_their_bytes() {
    let raw = Raw::new(2, 0).tensor("last", &[4], 0, 32);
    let header = complete(&raw.tensor("first", &[4], 0, 0).data());
    assert_eq!(header.tensors[0].name, "first");
}

#[test]
fn metadata_are_asked_for_by_name() {
    let header = complete(&write(&metadata(), &[]));
    let message = |key| header.text(key).unwrap_err().to_string();
    assert_eq!(message("other"), "gguf metadata lacks \"other\"");
    assert!(message("u8").contains("should be a string, but is u8"));
    assert_eq!(header.metadata["u32"].as_u64(), Some(4_000_000_000));
    assert_eq!(header.metadata["i32"].as_u64(), None);
    assert_eq!(header.metadata["i32"].as_i64(), Some(-2));
    assert_eq!(header.metadata["f64"].as_f64(), Some(0.1));
    assert_eq!(header.metadata["bool"].as_bool(), Some(true));
    assert_eq!(
        header.metadata["numbers"].as_array().map(Array::len),
        Some(3)
    );
}

#[test]
fn the_writer_refuses_what_was_not_planned() {
    let none = BTreeMap::new();
    let start = |planned: &[Planned]| Writer::new(Vec::new(), &none, planned);
    let a = plan("a", &[8], Format::F32);
    let check = |result: Result<()>, message: &str| {
        let found = result.unwrap_err().to_string();
        assert!(found.contains(message), "expected {message:?} in {found:?}");
    };
    let ready = || start(std::slice::from_ref(&a)).unwrap();
    check(
        ready().write("a", &[0; 31]),
        "\"a\" has 31 bytes, but [8] of F32 take 32",
    );
    check(ready().write("b", &[0; 32]), "\"a\" comes next");
    check(ready().finish().map(drop), "\"a\" was never written");
    let mut full = ready();
    full.write("a", &[0; 32]).unwrap();
    check(full.write("a", &[0; 32]), "all are written");
    check(start(&[a.clone(), a.clone()]).map(drop), "twice");
    check(
        start(&[plan("a", &[33], Format::Q8_0)]).map(drop),
        "multiples of 32",
    );
    check(
        start(&[plan("a", &[1; 5], Format::F32)]).map(drop),
        "at most 4 dimensions",
    );
    check(
        start(&[plan("a", &[usize::MAX, 2], Format::F32)]).map(drop),
        "too large",
    );
}
