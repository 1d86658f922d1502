//! Reading the golden data: from the file system, or out of the test program in a browser.

use burn::tensor::{Tensor, TensorData};
use obscura::device::Placement;
use obscura::image::decode;
use obscura::kernels::PackedFormat;
use obscura::load::{self, Assembly, Description, Files, NoStore, Options, Stores};
use obscura::nn::Target;
use obscura::tasks::Model;
use obscura::weights::{Parsed, TensorInfo, blocks, safetensors};
use obscura::{Error, Result};
use serde_json::Value;
use std::collections::HashMap;

/// A file below `tests/`, the page's model below `models/`, or anywhere if the path is absolute.
#[cfg(not(target_arch = "wasm32"))]
pub fn read(path: &str) -> Option<Vec<u8>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let parent = root.join(if path.starts_with("models/") {
        "www"
    } else {
        "tests"
    });
    std::fs::read(parent.join(path)).ok()
}

#[cfg(target_arch = "wasm32")]
static GOLDEN: include_dir::Dir = include_dir::include_dir!("$CARGO_MANIFEST_DIR/tests/golden");

/// The names of the folders in one of `tests/golden`.
#[cfg(target_arch = "wasm32")]
pub fn folders(path: &str) -> Vec<String> {
    let parent = GOLDEN.get_dir(path).expect("a golden folder");
    let names = parent.dirs().map(|folder| folder.path().file_name());
    names
        .map(|name| name.expect("a name").to_string_lossy().into_owned())
        .collect()
}

#[cfg(target_arch = "wasm32")]
pub fn read(path: &str) -> Option<Vec<u8>> {
    use include_dir::{Dir, include_dir};
    static PICTURES: Dir = include_dir!("$CARGO_MANIFEST_DIR/tests/pictures");
    let model: Option<&[u8]> = match path {
        "models/pictograms.gguf" => Some(include_bytes!("../../www/models/pictograms.gguf")),
        "models/pictograms-clip.gguf" => {
            Some(include_bytes!("../../www/models/pictograms-clip.gguf"))
        }
        _ => None,
    };
    if let Some(model) = model {
        return Some(model.to_vec());
    }
    let file = match path.split_once('/')? {
        ("golden", path) => GOLDEN.get_file(path),
        ("pictures", path) => PICTURES.get_file(path),
        _ => None,
    };
    file.map(|file| file.contents().to_vec())
}

fn read_text(path: &str) -> String {
    let bytes = read(path).unwrap_or_else(|| panic!("{path} is missing"));
    String::from_utf8(bytes).expect("UTF-8")
}

/// What the reference computed for one model.
pub struct Golden {
    /// expected.json.
    pub json: Value,
    tensors: HashMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Golden {
    /// Reads `expected.json` and `expected.safetensors` of a folder.
    pub fn open(folder: &str) -> Self {
        let json = serde_json::from_str(&read_text(&format!("{folder}/expected.json")));
        let bytes = read(&format!("{folder}/expected.safetensors")).expect("expected tensors");
        let tensors = table(&bytes).expect("a valid safetensors file");
        let tensors = tensors.into_iter().map(|info| {
            let values = blocks::dequantize(info.format, data(&bytes, &info), info.elements());
            (
                info.name.clone(),
                (info.shape.clone(), values.expect("float values")),
            )
        });
        Self {
            json: json.expect("valid JSON"),
            tensors: tensors.collect(),
        }
    }

    /// The reference's class.
    pub fn class(&self) -> &str {
        self.json["class"].as_str().expect("a class")
    }

    /// The strings of a list in expected.json.
    pub fn names(&self, key: &str) -> Vec<String> {
        strings(&self.json[key])
    }

    /// The lists of ids of a list in expected.json.
    pub fn ids(&self, key: &str) -> Vec<Vec<u32>> {
        self.json[key]
            .as_array()
            .expect("lists of ids")
            .iter()
            .map(numbers)
            .collect()
    }

    pub fn has(&self, key: &str) -> bool {
        self.tensors.contains_key(key)
    }

    pub fn values(&self, key: &str) -> &[f32] {
        &self
            .tensors
            .get(key)
            .unwrap_or_else(|| panic!("golden tensor {key}"))
            .1
    }

    /// The reference's pixels of a picture, `[1, 3, height, width]`.
    pub fn pixels(&self, key: &str, placement: &Placement) -> Tensor<4> {
        let (shape, values) = self
            .tensors
            .get(key)
            .unwrap_or_else(|| panic!("golden tensor {key}"));
        let shape = [1, shape[0], shape[1], shape[2]];
        Tensor::from_data(TensorData::new(values.clone(), shape), &placement.device)
    }
}

pub fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().expect("a list of strings");
    items
        .iter()
        .map(|item| item.as_str().expect("a string").to_string())
        .collect()
}

pub fn numbers(value: &Value) -> Vec<u32> {
    let items = value.as_array().expect("a list of ids");
    items
        .iter()
        .map(|item| item.as_u64().expect("an id") as u32)
        .collect()
}

pub async fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data_async()
        .await
        .expect("a result")
        .try_to_vec()
        .expect("f32 values")
}

/// Our own pixels of a picture.
pub fn decode_picture(name: &str) -> obscura::image::RgbImage {
    decode_file(&format!("pictures/{name}"))
}

/// The pixels of a picture at any of the paths that [`read`] knows.
pub fn decode_file(path: &str) -> obscura::image::RgbImage {
    let bytes = read(path).unwrap_or_else(|| panic!("picture {path}"));
    decode(&bytes).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// JPEG decoders differ by a level or two, the other formats leave no freedom.
pub fn is_lossy(name: &str) -> bool {
    name.ends_with(".jpg")
}

/// Loads a golden checkpoint through the pieces that every loader is made of.
pub fn load(folder: &str, placement: Placement, format: PackedFormat) -> Result<Model> {
    let description = Description {
        config: read_text(&format!("{folder}/config.json")),
        tokenizer: read_text(&format!("{folder}/tokenizer.json")),
        preprocessor: read_text(&format!("{folder}/preprocessor_config.json")),
    };
    let target = Target::Convert(format);
    let mut assembly = Assembly::new(&description, placement, target)?;
    let files = match read(&format!("{folder}/model.safetensors.index.json")) {
        Some(index) => safetensors::parse_index(&String::from_utf8_lossy(&index))?.files,
        None => vec!["model.safetensors".to_string()],
    };
    for file in files {
        let bytes = read(&format!("{folder}/{file}")).expect("weights");
        for info in table(&bytes)? {
            assembly.accept(&info, data(&bytes, &info))?;
        }
    }
    assembly.finish()
}

/// The same; but a checkpoint in the form of other authors, and a SigLIP, whose tokenizer is made of
/// several files, take more than the pieces, and are loaded as users load them.
pub async fn load_in_any_form(
    folder: &str,
    placement: Placement,
    format: PackedFormat,
) -> Result<Model> {
    let config = read(&format!("{folder}/config.json"));
    let config = config.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let is_open_clips = read(&format!("{folder}/open_clip_config.json")).is_some();
    if !is_open_clips && config.is_some_and(|config| !config.contains("siglip")) {
        return load(folder, placement, format);
    }
    let options = Options {
        dtype: format.into(),
        ..Options::default()
    };
    let no_entry: Option<Stores<NoStore>> = None;
    let files = &Folder(folder.to_string());
    load::load(folder, files, None, no_entry, &options, placement, |_| {}).await
}

/// The files of a folder that [`read`] knows.
pub struct Folder(pub String);

impl Files for Folder {
    async fn size(&self, file: &str) -> Result<Option<u64>> {
        Ok(read(&format!("{}/{file}", self.0)).map(|bytes| bytes.len() as u64))
    }

    async fn read(&self, file: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        let bytes = read(&format!("{}/{file}", self.0)).expect("a file whose size was asked");
        Ok(bytes[offset as usize..(offset + length) as usize].to_vec())
    }
}

fn table(bytes: &[u8]) -> Result<Vec<TensorInfo>> {
    match safetensors::parse(bytes, bytes.len() as u64)? {
        Parsed::Complete(table) => Ok(table),
        Parsed::Incomplete => Err(Error::BadWeights("incomplete golden file".to_string())),
    }
}

fn data<'a>(bytes: &'a [u8], info: &TensorInfo) -> &'a [u8] {
    &bytes[info.offset as usize..(info.offset + info.bytes) as usize]
}
