//! Model files that arrive in odd pieces, and files made to do harm: the same model, or an error
//! that names the file, the tensor or the field, what was expected and what was found. Never a panic.

#![cfg(not(target_arch = "wasm32"))] // reads files

#[path = "load/adapter_refusals.rs"]
mod adapter_refusals;
#[path = "load/adapters.rs"]
mod adapters;
#[path = "load/coca.rs"]
mod coca;
#[path = "load/entry.rs"]
mod entry;
#[path = "load/languages.rs"]
mod languages;
#[path = "load/layouts.rs"]
mod layouts;
#[path = "load/memory.rs"]
mod memory;
#[path = "load/needed.rs"]
mod needed;
#[path = "load/originals.rs"]
mod originals;
#[path = "load/refusals.rs"]
mod refusals;
#[path = "load/rule.rs"]
mod rule;
#[path = "load/sources.rs"]
mod sources;
#[path = "load/tensors.rs"]
mod tensors;
#[path = "load/texts.rs"]
mod texts;
#[path = "load/zoo.rs"]
mod zoo;

use memory::{Memory, load_files};
use obscura::device::Placement;
use obscura::image::RgbImage;
use obscura::load::convert::{Source, convert};
use obscura::load::{CONFIG_KEY, Options, PREPROCESSOR_KEY, TOKENIZER_KEY, open};
use obscura::nn::Dtype;
use obscura::tasks::Model;
use obscura::weights::gguf::{Header, Planned, Value as Metadata, Writer};
use obscura::weights::{Parsed, ReadAt};
use obscura::{Error, Result};
use pollster::block_on;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const NAME: &str = "hostile.gguf";

fn under_tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(path)
}

/// A golden checkpoint as the bytes of a GGUF file.
fn gguf(name: &str, dtype: Dtype) -> Vec<u8> {
    let folder = under_tests(&format!("golden/{name}/model"));
    let mut source = Source::open(&folder).expect("golden model");
    let mut file = Vec::new();
    convert(&mut source, &mut file, dtype, |_| {}).expect("a conversion");
    file
}

/// Loads a GGUF file as it is.
fn load(file: &[u8]) -> Result<Model> {
    let files = Memory::of([(NAME, file.to_vec())]);
    load_files(&files, Some(NAME), &Options::default())
}

/// Wants `BadWeights` with each of `words` in its message.
#[track_caller]
fn refused(result: Result<Model>, words: &[&str]) {
    match result {
        Ok(_) => panic!("loaded, but should be refused for {words:?}"),
        Err(Error::BadWeights(message)) => {
            let missing: Vec<_> = words
                .iter()
                .filter(|word| !message.contains(*word))
                .collect();
            assert!(missing.is_empty(), "no {missing:?} in: {message}");
        }
        Err(other) => panic!("{other:?}, expected BadWeights"),
    }
}

/// A file taken apart, to be changed and put together again.
struct Parts {
    metadata: BTreeMap<String, Metadata>,
    tensors: Vec<(Planned, Vec<u8>)>,
}

impl Parts {
    fn of(file: &[u8]) -> Self {
        let parsed = Header::parse(file, file.len() as u64);
        let Ok(Parsed::Complete(header)) = parsed else {
            panic!("{parsed:?}");
        };
        let tensors = header.tensors.iter().map(|tensor| {
            let planned = Planned {
                name: tensor.name.clone(),
                shape: tensor.shape.clone(),
                format: tensor.format,
            };
            let bytes = file.read_at(tensor.offset, tensor.bytes as usize);
            (planned, bytes.expect("a tensor's bytes"))
        });
        Self {
            tensors: tensors.collect(),
            metadata: header.metadata,
        }
    }

    fn file(&self) -> Vec<u8> {
        let planned: Vec<Planned> = self
            .tensors
            .iter()
            .map(|(planned, _)| planned.clone())
            .collect();
        let mut writer = Writer::new(Vec::new(), &self.metadata, &planned).expect("a header");
        for (planned, bytes) in &self.tensors {
            writer.write(&planned.name, bytes).expect("a tensor");
        }
        writer.finish().expect("a file")
    }

    fn tensor(&mut self, name: &str) -> &mut (Planned, Vec<u8>) {
        let mut tensors = self.tensors.iter_mut();
        tensors
            .find(|(planned, _)| planned.name == name)
            .unwrap_or_else(|| panic!("{name}"))
    }

    /// Changes one of the three JSON texts.
    fn edit(&mut self, key: &str, change: impl FnOnce(&mut Value)) {
        let Some(Metadata::String(text)) = self.metadata.get_mut(key) else {
            panic!("{key} is no text");
        };
        let mut value = serde_json::from_str(text).expect("JSON");
        change(&mut value);
        *text = value.to_string();
    }
}

/// Loads `name` with one value of a JSON text replaced; `path` is a JSON pointer.
fn load_with(name: &str, key: &str, path: &str, value: Value) -> Result<Model> {
    let mut parts = Parts::of(&gguf(name, Dtype::F32));
    parts.edit(key, |text| {
        let (parent, field) = path.rsplit_once('/').expect("a JSON pointer");
        text.pointer_mut(parent).expect("the parent")[field] = value;
    });
    load(&parts.file())
}

fn picture() -> RgbImage {
    let bytes = std::fs::read(under_tests("pictures/landscape.png")).expect("a picture");
    obscura::image::decode(&bytes).expect("a picture")
}

/// How a BLIP captions a picture.
fn captioned(model: &Model) -> (Vec<u32>, f32) {
    let options = Default::default();
    let silent = async |_: &str, _| Ok(());
    let caption = block_on(model.caption(&picture(), "", &options, silent)).expect("a caption");
    (caption.tokens, caption.score)
}

/// What a BLIP with all heads says about a picture.
fn opinions(model: &Model) -> (Vec<u32>, f32, Vec<f32>) {
    let (tokens, score) = captioned(model);
    let vector = block_on(model.embed_image(&picture(), true)).expect("a vector");
    (tokens, score, vector)
}

#[test]
fn bytes_after_the_last_tensor_do_no_harm() {
    let mut file = gguf("clip-quick", Dtype::Q4);
    file.extend_from_slice(b"more");
    assert_eq!(load(&file).expect("a model").info().dtype, "q4");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let file = gguf("clip-quick", Dtype::Q8);
    let last = Parts::of(&file).tensors.last().expect("tensors").1.len();
    let cuts = (0..64)
        .chain((64..file.len() - last).step_by(file.len() / 97))
        .chain([file.len() - 40]);
    for cut in cuts {
        refused(load(&file[..cut]), &[NAME]);
        // The whole file was promised, but it ends early.
        let files = Memory::of([(NAME, file.clone())]);
        files.ends_at(cut as u64);
        let result = load_files(&files, Some(NAME), &Options::default());
        refused(result, &[NAME, "came"]);
    }
}

#[test]
fn a_flipped_byte_of_the_header_never_panics() {
    let file = gguf("clip-quick", Dtype::F16);
    let header = (file.len() as f64 * 0.2) as usize;
    for position in (0..header).step_by(37).chain(0..200) {
        let mut file = file.clone();
        file[position] ^= 0x81;
        if let Err(error) = load(&file) {
            assert!(error.to_string().contains(NAME), "{error}");
        }
    }
}

#[test]
fn folders_are_refused_in_the_same_words() {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    for file in [
        "config.json",
        "tokenizer.json",
        "preprocessor_config.json",
        "model.safetensors",
    ] {
        std::fs::copy(
            under_tests("golden/clip-quick/model").join(file),
            folder.join(file),
        )
        .expect("a copy");
    }
    let load = || open(&folder, Placement::cpu(), Dtype::F32, |_, _| {});
    let config = folder.join("config.json");
    let text = std::fs::read_to_string(&config).expect("a config");
    let mut wrong: Value = serde_json::from_str(&text).expect("JSON");
    wrong["text_config"]["num_attention_heads"] = json!(5);
    std::fs::write(&config, wrong.to_string()).expect("written");
    refused(load(), &["text_config.num_attention_heads", "5"]);
    std::fs::write(&config, &text).expect("written");
    assert_eq!(load().expect("a model").info().family, "clip");

    let weights = folder.join("model.safetensors");
    let bytes = std::fs::read(&weights).expect("weights");
    for cut in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&weights, &bytes[..cut]).expect("written");
        refused(load(), &["model.safetensors"]);
    }
    let mut huge = bytes.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    std::fs::write(&weights, huge).expect("written");
    refused(load(), &["model.safetensors"]);
    std::fs::remove_dir_all(&folder).expect("removed");
}
