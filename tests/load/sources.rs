//! One model in every container that it may come in: always the same answers, every byte asked for
//! once, in order, and never more than a tensor at a time.

use super::memory::{Memory, Read, load_files};
use super::{NAME, gguf, opinions, refused, under_tests};
use obscura::load::Options;
use obscura::nn::Dtype;
use obscura::weights::{Format, Parsed, ReadAt, TensorInfo, blocks, safetensors};
use std::collections::BTreeMap;

pub fn folder(name: &str) -> Memory {
    Memory::of_folder(&under_tests(&format!("golden/{name}/model")))
}

pub fn options(dtype: Dtype) -> Options {
    Options {
        dtype,
        ..Options::default()
    }
}

/// The tensors of a safetensors file: name, shape, format, bytes.
pub fn tensors_of(file: &Vec<u8>) -> Vec<(TensorInfo, Vec<u8>)> {
    let Ok(Parsed::Complete(table)) = safetensors::parse(file, file.len() as u64) else {
        panic!("a safetensors file");
    };
    let bytes = |info: &TensorInfo| {
        file.read_at(info.offset, info.bytes as usize)
            .expect("bytes")
    };
    let with_bytes = table.into_iter().map(|info| {
        let bytes = bytes(&info);
        (info, bytes)
    });
    with_bytes.collect()
}

/// Writes a safetensors file.
pub fn safetensors_of(tensors: &[(TensorInfo, Vec<u8>)]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut position = 0;
    for (info, bytes) in tensors {
        let end = position + bytes.len();
        let entry = serde_json::json!({
            "dtype": info.format.name(), "shape": info.shape, "data_offsets": [position, end],
        });
        header.insert(info.name.clone(), entry);
        position = end;
    }
    let header = serde_json::Value::Object(header).to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(tensors.iter().flat_map(|(_, bytes)| bytes));
    file
}

/// The same folder with its weights in several files.
fn sharded(whole: &Memory, parts: usize) -> Memory {
    let mut files = whole.files.clone();
    let weights = files.remove("model.safetensors").expect("weights");
    let tensors = tensors_of(&weights);
    let mut map = BTreeMap::new();
    for (index, part) in tensors.chunks(tensors.len().div_ceil(parts)).enumerate() {
        let name = format!("model-{index:05}.safetensors");
        for (info, _) in part {
            map.insert(info.name.clone(), name.clone());
        }
        files.insert(name, safetensors_of(part));
    }
    let index = serde_json::json!({ "weight_map": map }).to_string();
    files.insert("model.safetensors.index.json".into(), index.into_bytes());
    Memory::of(files)
}

/// Reads of weights must go on where the last one ended, or further ahead.
#[track_caller]
fn check_order(reads: &[Read]) {
    for pair in reads.windows(2) {
        let [(file, offset, length), (next_file, next, _)] = pair else {
            unreachable!("windows of two");
        };
        assert!(file != next_file || *next >= offset + length, "{pair:?}");
    }
}

#[test]
fn a_model_says_the_same_in_every_container() {
    let expected = opinions(&load_files(&folder("blip-all"), None, &options(Dtype::F32)).unwrap());
    let from_gguf = Memory::of([(NAME, gguf("blip-all", Dtype::F32))]);
    let in_parts = sharded(&folder("blip-all"), 4);
    let mut one_file = folder("blip-all").files;
    let weights = one_file.remove("model.safetensors").unwrap();
    one_file.insert("odd name.st".to_string(), weights);
    let cases: [(Memory, Option<&str>); 4] = [
        (from_gguf, Some(NAME)),
        (in_parts, None),
        (Memory::of(one_file), Some("odd name.st")),
        (folder("blip-all"), Some("model.safetensors")),
    ];
    for (files, file) in &cases {
        let model = load_files(files, *file, &options(Dtype::F32)).expect("a model");
        assert_eq!(opinions(&model), expected, "{file:?}");
        check_order(&files.take_reads());
    }
}

#[test]
fn of_a_pytorch_file_the_end_is_read_early_and_the_rest_in_order() {
    let mut files = folder("blip-caption").files;
    let expected = load_files(&Memory::of(files.clone()), None, &options(Dtype::Q8)).unwrap();
    files.remove("model.safetensors");
    let pickled = under_tests("golden/blip-caption/pytorch/pytorch_model.bin");
    files.insert("pytorch_model.bin".into(), std::fs::read(pickled).unwrap());
    let files = Memory::of(files);
    let model = load_files(&files, None, &options(Dtype::Q8)).expect("a model");
    assert_eq!(model.info(), expected.info());
    let reads = files.take_reads();
    let weights: Vec<Read> = reads
        .into_iter()
        .filter(|(file, ..)| file == "pytorch_model.bin")
        .collect();
    let size = files.files["pytorch_model.bin"].len() as u64;
    assert_eq!(
        weights[0].1, 0,
        "what it is, and the beginning of the pickle"
    );
    assert_eq!(weights[1].1 + weights[1].2, size, "the archive's directory");
    check_order(&[&weights[..1], &weights[2..]].concat());
    let bytes: u64 = weights.iter().map(|(.., length)| length).sum();
    assert!(bytes <= size, "{bytes} of {size} bytes");
}

#[test]
fn every_float_format_gives_the_same_as_its_numbers_in_f32() {
    let whole = folder("blip-all");
    for format in [Format::F16, Format::BF16, Format::F64] {
        let mut narrow = tensors_of(&whole.files["model.safetensors"]);
        let mut wide = narrow.clone();
        for ((info, bytes), (_, same)) in narrow.iter_mut().zip(&mut wide) {
            if info.format != Format::F32 {
                continue;
            }
            let floats = blocks::dequantize(info.format, bytes, info.elements()).unwrap();
            *bytes = match format {
                Format::F16 => blocks::quantize(Format::F16, &floats).unwrap(),
                Format::BF16 => floats
                    .iter()
                    .flat_map(|x| ((x.to_bits() >> 16) as u16).to_le_bytes())
                    .collect(),
                _ => floats
                    .iter()
                    .flat_map(|x| f64::from(*x).to_le_bytes())
                    .collect(),
            };
            info.format = format;
            let rounded = blocks::dequantize(format, bytes, info.elements()).unwrap();
            *same = blocks::quantize(Format::F32, &rounded).unwrap();
        }
        let load = |tensors: &[_]| {
            let mut files = whole.files.clone();
            files.insert("model.safetensors".into(), safetensors_of(tensors));
            opinions(&load_files(&Memory::of(files), None, &options(Dtype::Q8)).expect("a model"))
        };
        assert_eq!(load(&narrow), load(&wide), "{format}");
    }
}

#[test]
fn tensors_are_read_whole_or_in_pieces_of_sixteen_megabytes() {
    let whole = folder("clip-quick");
    let mut tensors = tensors_of(&whole.files["model.safetensors"]);
    let table = "text_model.embeddings.token_embedding.weight";
    // A vocabulary of which all but the first thousand entries are never used.
    let (info, bytes) = tensors
        .iter_mut()
        .find(|(info, _)| info.name == table)
        .unwrap();
    info.shape[0] = 150_000;
    bytes.resize(info.elements() * 4, 0);
    let large = bytes.len() as u64;
    let mut files = whole.files.clone();
    let config = String::from_utf8(files["config.json"].clone()).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["text_config"]["vocab_size"] = 150_000.into();
    files.insert("config.json".into(), config.to_string().into_bytes());
    files.insert("model.safetensors".into(), safetensors_of(&tensors));
    let files = Memory::of(files);
    load_files(&files, None, &options(Dtype::Q8)).expect("a model");
    let reads = files.take_reads();
    check_order(&reads);
    assert!(large > 1 << 24, "{large}");
    let longest = reads.iter().map(|(.., length)| *length).max();
    assert!(longest.is_some_and(|longest| (15 << 20..=1 << 24).contains(&longest)));
}

pub fn sha256(files: &Memory, file: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(&files.files[file]);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_checkpoint_that_is_neither_clip_nor_blip_is_told_by_its_type() {
    let mut files = folder("clip-quick").files;
    files.insert("config.json".into(), br#"{"model_type": "align"}"#.to_vec());
    let files = Memory::of(files);
    refused(
        load_files(&files, None, &Options::default()),
        &["align", "clip", "blip"],
    );
    let config_only = files
        .take_reads()
        .iter()
        .all(|(file, ..)| file == "config.json");
    assert!(config_only, "nothing else is read");
}

#[test]
fn a_gguf_without_our_texts_takes_those_beside_it() {
    // As other programs write it: names of Hugging Face, k-quants, none of our metadata.
    let whole = folder("blip-all");
    let file = gguf("blip-all", Dtype::F32);
    let mut parts = super::Parts::of(&file);
    parts
        .metadata
        .retain(|key, _| !key.starts_with("obscura") && !key.starts_with("tokenizer"));
    let mut expected = super::Parts::of(&file);
    for (planned, bytes) in &mut parts.tensors {
        if planned.shape.len() != 2
            || planned.name.contains("embedding")
            || planned.shape[1] % 32 != 0
        {
            continue;
        }
        // A block of Q5_0: scale 2^-6, high bits of all sixteen first numbers, four low bits each.
        let elements: usize = planned.shape.iter().product();
        let block = |index: usize| {
            let mut block = vec![0x00, 0x24, 0xff, 0xff, 0, 0];
            block.extend((0..16).map(|at| (index * 7 + at * 5) as u8));
            block
        };
        *bytes = (0..elements / 32).flat_map(block).collect();
        planned.format = Format::Q5_0;
        let (wide, floats) = expected.tensor(&planned.name);
        let values = blocks::dequantize(Format::Q5_0, bytes, elements).unwrap();
        *floats = blocks::quantize(Format::Q8_0, &values).unwrap();
        wide.format = Format::Q8_0;
    }
    let mut files = whole.files.clone();
    files.remove("model.safetensors");
    files.insert("other.gguf".to_string(), parts.file());
    let files = Memory::of(files);
    let model = load_files(&files, Some("other.gguf"), &options(Dtype::Auto)).expect("a model");
    assert_eq!(
        opinions(&model),
        opinions(&super::load(&expected.file()).expect("a model"))
    );
    // Alone it is no model.
    let alone = Memory::of([("other.gguf", parts.file())]);
    refused(
        load_files(&alone, Some("other.gguf"), &options(Dtype::Auto)),
        &["other.gguf"],
    );
    parts.metadata.insert(
        "general.architecture".into(),
        super::Metadata::String("llama".into()),
    );
    parts.tensors.truncate(1);
    let llama = Memory::of([("other.gguf", parts.file())]);
    refused(
        load_files(&llama, Some("other.gguf"), &options(Dtype::Auto)),
        &["llama", "clip", "blip"],
    );
}

/// What of the golden model in PyTorch's container holds the weights.
fn pickled() -> Vec<u8> {
    let path = under_tests("golden/blip-caption/pytorch/pytorch_model.bin");
    std::fs::read(path).expect("a golden file")
}

fn load_pickled(weights: Vec<u8>) -> obscura::Result<obscura::tasks::Model> {
    let mut files = folder("blip-caption").files;
    files.remove("model.safetensors");
    files.insert("pytorch_model.bin".into(), weights);
    load_files(&Memory::of(files), None, &options(Dtype::Q8))
}

#[test]
fn a_pytorch_archive_that_another_program_packed_is_read_all_the_same() {
    use std::io::{Cursor, Read as _, Write as _};
    let mut archive = zip::ZipArchive::new(Cursor::new(pickled())).unwrap();
    let mut packed = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let plain =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        packed.start_file(entry.name().unwrap(), plain).unwrap();
        packed.write_all(&bytes).unwrap();
    }
    let packed = packed.finish().unwrap().into_inner();
    let model = load_pickled(packed).expect("a model");
    assert_eq!(model.info(), load_pickled(pickled()).unwrap().info());
}

#[test]
fn an_entry_of_a_pytorch_archive_that_is_not_where_it_should_be_is_refused() {
    let whole = pickled();
    let is_header = |at: &usize| whole[*at..].starts_with(b"PK\x03\x04");
    let headers: Vec<usize> = (0..whole.len() - 30).filter(is_header).collect();
    assert!(headers.len() > 50, "{}", headers.len());
    let mut refusals = 0;
    for header in headers.iter().skip(3).step_by(7) {
        let mut moved = whole.clone();
        moved[header + 28] ^= 1; // the length of what stands between name and data
        match load_pickled(moved) {
            Err(obscura::Error::BadWeights(message)) => {
                assert!(message.contains("pytorch_model.bin"), "{message}");
                refusals += 1;
            }
            Ok(model) => assert_eq!(model.info().family, "blip"), // an entry that no model takes
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(refusals > 5, "{refusals}");
}
