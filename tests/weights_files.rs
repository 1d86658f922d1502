//! Model files as other programs write them, and files that are broken on purpose. Golden files are
//! those of `scripts/reference.py`: `gguf-py`, `safetensors` and `torch` wrote them.

#![cfg(not(target_arch = "wasm32"))] // reads files

use obscura::weights::{Format, Parsed, ReadAt, TensorInfo, blocks, gguf, pytorch, safetensors};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Counts what each thread allocates, so that a test can say how much memory a parser took.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; the counters are plain cells without
// destructors, which may be used at any time.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let allocated = ALLOCATED.get().wrapping_add(layout.size());
        ALLOCATED.set(allocated);
        PEAK.set(PEAK.get().max(allocated));
        // SAFETY: the caller's promises are the system allocator's demands.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.set(ALLOCATED.get().saturating_sub(layout.size()));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What `work` returns, and the most memory it held.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    ALLOCATED.set(0);
    PEAK.set(0);
    let result = work();
    (result, PEAK.get())
}

fn golden(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn complete<T>(parsed: obscura::Result<Parsed<T>>) -> T {
    match parsed {
        Ok(Parsed::Complete(value)) => value,
        Ok(Parsed::Incomplete) => panic!("incomplete"),
        Err(error) => panic!("{error}"),
    }
}

fn gguf_header(file: &[u8]) -> gguf::Header {
    complete(gguf::Header::parse(file, file.len() as u64))
}

fn safetensors_table(file: &[u8]) -> Vec<TensorInfo> {
    complete(safetensors::parse(file, file.len() as u64))
}

fn values(file: &[u8], tensor: &TensorInfo) -> Vec<f32> {
    let bytes = tensor.read(file).unwrap();
    blocks::dequantize(tensor.format, &bytes, tensor.elements()).unwrap()
}

/// All floats of a safetensors file by name.
fn safetensors_values(file: &[u8]) -> BTreeMap<String, Vec<f32>> {
    let tensors = safetensors_table(file);
    let floats = tensors.iter().filter(|tensor| !tensor.format.is_integer());
    floats
        .map(|tensor| (tensor.name.clone(), values(file, tensor)))
        .collect()
}

#[track_caller]
fn check_same_bits(name: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(
            found.to_bits(),
            expected.to_bits(),
            "{name}[{index}]: {found} for {expected}"
        );
    }
}

#[test]
fn every_block_format_dequantizes_as_in_gguf_py() {
    let (file, expected) = (
        golden("gguf/blocks.gguf"),
        golden("gguf/expected.safetensors"),
    );
    let (header, expected) = (gguf_header(&file), safetensors_values(&expected));
    assert_eq!(header.tensors.len(), 10);
    for tensor in &header.tensors {
        assert_eq!(tensor.name, tensor.format.name());
        check_same_bits(
            &tensor.name,
            &values(&file, tensor),
            &expected[&tensor.name],
        );
    }
}

#[test]
fn blocks_are_quantized_as_in_gguf_py() {
    let (file, expected) = (
        golden("gguf/blocks.gguf"),
        golden("gguf/expected.safetensors"),
    );
    let source = &safetensors_values(&expected)["source"];
    for tensor in gguf_header(&file).tensors {
        if let Ok(bytes) = blocks::quantize(tensor.format, source) {
            assert_eq!(bytes, tensor.read(&file).unwrap(), "{}", tensor.name);
        }
    }
}

#[test]
fn metadata_written_by_gguf_py_are_read() {
    let metadata = gguf_header(&golden("gguf/blocks.gguf")).metadata;
    let value = |key: &str| &metadata[key];
    assert_eq!(value("general.architecture").as_str(), Some("blocks"));
    assert_eq!(
        value("tests.text").as_str(),
        Some("every kind of value: ä 猫")
    );
    assert_eq!(value("tests.unsigned").as_u64(), Some(4_000_000_000));
    assert_eq!(value("tests.signed").as_i64(), Some(-5));
    assert_eq!(value("tests.large").as_u64(), Some((1 << 40) + 1));
    assert_eq!(value("tests.float").as_f64(), Some(f64::from(0.1_f32)));
    assert_eq!(value("tests.double").as_f64(), Some(0.1));
    assert_eq!(value("tests.flag").as_bool(), Some(true));
    let numbers = gguf::Array::I32(vec![1, -2, 3]);
    assert_eq!(value("tests.numbers").as_array(), Some(&numbers));
    let words = gguf::Array::String(["a", "", "picture"].map(String::from).into());
    assert_eq!(value("tests.words").as_array(), Some(&words));
}

#[test]
fn a_pytorch_file_holds_the_tensors_of_the_safetensors_file() {
    let file = golden("blip-caption/pytorch/pytorch_model.bin");
    let tensors = pytorch::table(&file).unwrap();
    let find = |name: &str| tensors.iter().find(|tensor| tensor.name == name);
    for (name, expected) in safetensors_values(&golden("blip-caption/model/model.safetensors")) {
        let tensor = find(&name).unwrap_or_else(|| panic!("{name} is missing"));
        // The same numbers, if need be rounded to what the file holds.
        let bytes = blocks::quantize(tensor.format, &expected).unwrap();
        assert!(bytes == tensor.read(&file).unwrap(), "{name} differs");
    }
    let position_ids = tensors
        .iter()
        .find(|tensor| tensor.name.ends_with("position_ids"));
    assert_eq!(position_ids.map(|tensor| tensor.format.name()), Some("I64"));
}

/// Writes a GGUF file of every format that is written, and beside it the numbers as they are read
/// back, for `scripts/checks/check-gguf.py` to compare.
#[test]
fn a_gguf_file_is_written_for_python_to_check() {
    let path = written_file();
    let source = difficult_values();
    let formats = [Format::F32, Format::F16, Format::Q8_0, Format::Q4_0];
    let shape = vec![source.len() / 96, 96];
    let mut planned = vec![gguf::Planned {
        name: "scalar".into(),
        shape: vec![],
        format: Format::F32,
    }];
    planned.extend(formats.map(|format| gguf::Planned {
        name: format!("layer.0.weight.{format}"),
        shape: shape.clone(),
        format,
    }));
    let words = gguf::Array::String(vec!["a".into(), "ä\n".into()]);
    let metadata = BTreeMap::from([
        (
            "general.architecture".to_owned(),
            gguf::Value::String("blip".into()),
        ),
        ("tests.words".to_owned(), gguf::Value::Array(words)),
        (
            "tests.numbers".to_owned(),
            gguf::Value::Array(gguf::Array::U16(vec![1, 2])),
        ),
        ("tests.large".to_owned(), gguf::Value::U64(1 << 40)),
    ]);
    let mut writer = gguf::Writer::new(Vec::new(), &metadata, &planned).unwrap();
    writer.write("scalar", &4.5_f32.to_le_bytes()).unwrap();
    for tensor in &planned[1..] {
        let bytes = blocks::quantize(tensor.format, &source).unwrap();
        writer.write(&tensor.name, &bytes).unwrap();
    }
    let file = writer.finish().unwrap();
    let header = gguf_header(&file);
    assert_eq!(header.metadata, metadata);
    let numbers = header
        .tensors
        .iter()
        .flat_map(|tensor| values(&file, tensor));
    let dump: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
    std::fs::write(&path, file).unwrap();
    std::fs::write(path.with_extension("gguf.f32"), dump).unwrap();
}

fn written_file() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("written.gguf")
}

/// Blocks of many sizes: ordinary, zero, huge, tiny, subnormal, halves to be rounded, one outlier,
/// two extremes of the same size.
fn difficult_values() -> Vec<f32> {
    let mut state = 7_u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let mut values = Vec::new();
    for exponent in (-149..=126).step_by(3) {
        let scale = 2.0_f64.powi(exponent);
        values.extend((0..64).map(|_| (f64::from(random()) * scale) as f32));
    }
    values.extend((0..4096).map(|_| random() * 0.05));
    values.extend([0.0; 64]);
    values.extend([-0.0; 32]);
    values.extend((0..32).map(|index| index as f32 - 15.5));
    values.extend((0..32).map(|index| {
        if index == 5 {
            127.0
        } else {
            index as f32 / 2.0
        }
    }));
    values.extend((0..32).map(|index| if index % 9 == 4 { -3.0 } else { 3.0 }));
    values.extend((0..32).map(|index| if index == 30 { f32::MAX } else { 1e-30 }));
    values.resize(values.len().next_multiple_of(96), 0.5);
    values
}

#[test]
fn truncated_golden_files_are_errors() {
    let gguf = golden("gguf/blocks.gguf");
    for length in 0..gguf.len() - 31 {
        assert!(
            gguf::Header::parse(&gguf[..length], length as u64).is_err(),
            "gguf {length}"
        );
    }
    let shards = golden("blip-caption/model/model.safetensors");
    for length in (0..shards.len()).step_by(997) {
        assert!(
            safetensors::parse(&shards[..length], length as u64).is_err(),
            "safetensors {length}"
        );
    }
    let pickled = golden("blip-caption/pytorch/pytorch_model.bin");
    for length in (0..pickled.len()).step_by(9973) {
        assert!(
            pytorch::table(&&pickled[..length]).is_err(),
            "pytorch {length}"
        );
    }
}

/// Changes one bit of every byte of `range` in turn, and checks that parsing takes little memory.
fn check_changed_bits(file: &[u8], range: std::ops::Range<usize>, parse: impl Fn(&[u8])) {
    let allowed = 16 * file.len() + 100_000;
    let mut changed = file.to_vec();
    for index in range {
        let bit = 1 << (index % 8);
        changed[index] ^= bit;
        let ((), peak) = peak_of(|| parse(&changed));
        let length = file.len();
        assert!(
            peak <= allowed,
            "byte {index}: {peak} bytes for a file of {length}"
        );
        changed[index] ^= bit;
    }
}

#[test]
fn changed_bits_in_headers_neither_panic_nor_cost_memory() {
    let file = golden("gguf/blocks.gguf");
    let header_length = gguf_header(&file).data_offset as usize;
    check_changed_bits(&file, 0..header_length, |file| {
        drop(gguf::Header::parse(file, file.len() as u64));
    });
    let file = golden("gguf/expected.safetensors");
    let header_length = safetensors_table(&file)[0].offset as usize;
    check_changed_bits(&file, 0..header_length, |file| {
        drop(safetensors::parse(file, file.len() as u64));
    });
    let file = golden("blip-caption/pytorch/pytorch_model.bin");
    let end = file.len();
    for range in [0..1024, end - 512..end] {
        check_changed_bits(&file, range, |file| drop(pytorch::table(&file)));
    }
}

/// Says it is huge, and hands out zeros.
struct Endless;

impl ReadAt for Endless {
    fn len(&self) -> u64 {
        1 << 60
    }

    fn read_at(&self, offset: u64, length: usize) -> obscura::Result<Vec<u8>> {
        assert!(length < 1 << 20, "asked for {length} bytes at {offset}");
        Ok(vec![0; length])
    }
}

#[test]
fn what_a_header_claims_is_not_allocated() {
    assert!(pytorch::table(&Endless).is_err());
    let mut claims = b"GGUF\x03\0\0\0".to_vec();
    claims.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f].repeat(2));
    let (parsed, peak) = peak_of(|| gguf::Header::parse(&claims, u64::MAX));
    assert!(parsed.is_err() && peak < 10_000, "{peak} bytes");
    let one = "{\"w\":{\"dtype\":\"F32\",\"shape\":[1152921504606846976],\"data_offsets\":[0,4611686018427387904]}}";
    let mut claims = (one.len() as u64).to_le_bytes().to_vec();
    claims.extend(one.as_bytes());
    let (parsed, peak) = peak_of(|| safetensors::parse(&claims, claims.len() as u64));
    assert!(parsed.is_err() && peak < 10_000, "{peak} bytes");
}
