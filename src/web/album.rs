//! `Album`: the index of `crate::search` over a file that JavaScript reads and writes, and the
//! `.npy` files that vectors come and go in. `www/lib/album/album-worker.js` calls these.

use super::{from_object, property, to_object};
use crate::search::{self, npy};
use crate::{Error, Result};
use js_sys::{Float32Array, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// A file as `www/lib/album/folder.js` has it. Offsets are whole numbers; `bytes` are views of the
    /// engine's own memory, good for the call only.
    pub type AlbumFile;

    #[wasm_bindgen(method, catch)]
    fn size(this: &AlbumFile) -> std::result::Result<f64, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn read(this: &AlbumFile, offset: f64, bytes: &mut [u8]) -> std::result::Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = readMany)]
    fn read_many(
        this: &AlbumFile,
        offsets: &[f64],
        bytes: &mut [u8],
    ) -> std::result::Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn write(this: &AlbumFile, offset: f64, bytes: &[u8]) -> std::result::Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn truncate(this: &AlbumFile, size: f64) -> std::result::Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn flush(this: &AlbumFile) -> std::result::Result<(), JsValue>;
}

impl search::Store for AlbumFile {
    fn size(&self) -> Result<u64> {
        self.size().map(|size| size as u64).map_err(error_of)
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.read(offset as f64, bytes).map_err(error_of)
    }

    fn read_many(&self, offsets: &[u64], bytes: &mut [u8]) -> Result<()> {
        let offsets: Vec<f64> = offsets.iter().map(|offset| *offset as f64).collect();
        self.read_many(&offsets, bytes).map_err(error_of)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        AlbumFile::write(self, offset as f64, bytes).map_err(error_of)
    }

    fn truncate(&mut self, size: u64) -> Result<()> {
        AlbumFile::truncate(self, size as f64).map_err(error_of)
    }

    fn flush(&mut self) -> Result<()> {
        AlbumFile::flush(self).map_err(error_of)
    }
}

/// What the file threw.
fn error_of(thrown: JsValue) -> Error {
    let text = |name: &str| property(&thrown, name).and_then(|value| value.as_string());
    let message = text("message").unwrap_or_else(|| format!("{thrown:?}"));
    match text("code").as_deref() {
        Some("out_of_memory") => Error::OutOfMemory(message),
        Some("integrity") => Error::Integrity(message),
        _ => Error::BadInput(message),
    }
}

/// Vectors with keys, and the search among them.
#[wasm_bindgen]
pub struct Album(search::Album<AlbumFile>);

#[wasm_bindgen]
impl Album {
    /// Opens an album; `model` is what `Model.identity` gives, or undefined.
    pub fn open(file: AlbumFile, model: JsValue) -> Result<Album> {
        search::Album::open(file, from_object(&model)?).map(Album)
    }

    /// Adds vectors, `[keys, width]`, one after the other.
    pub fn add(&mut self, keys: Vec<String>, vectors: &[f32]) -> Result<()> {
        self.0.add(&keys, vectors)
    }

    /// How many of these keys there were.
    pub fn delete(&mut self, keys: Vec<String>) -> Result<usize> {
        self.0.delete(&keys)
    }

    /// `[{key, similarity}]`, nearest first.
    pub fn search(&self, query: &[f32], limit: usize) -> Result<JsValue> {
        to_object(&self.0.search(query, limit)?)
    }

    /// The cosine of each key's vector and another one; undefined where there is no such key.
    pub fn similarities(&self, keys: Vec<String>, vector: &[f32]) -> Result<JsValue> {
        to_object(&self.0.similarities(&keys, vector)?)
    }

    /// In the order of adding.
    pub fn keys(&self) -> Vec<String> {
        self.0.keys().map(str::to_string).collect()
    }

    /// How many vectors there are.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// Numbers of a vector, once that is known.
    pub fn width(&self) -> Option<usize> {
        self.0.width()
    }

    /// Bytes of the codes that a search reads.
    #[wasm_bindgen(js_name = codeBytes)]
    pub fn code_bytes(&self) -> usize {
        self.0.bytes().0
    }

    /// The vectors of `count` keys from the `start`-th on.
    pub fn vectors(&self, start: usize, count: usize) -> Result<Float32Array> {
        let vectors = self.0.vectors(start, count)?;
        Ok(Float32Array::from(&vectors[..]))
    }

    /// Deletes everything.
    pub fn clear(&mut self) -> Result<()> {
        self.0.clear()
    }

    /// Whether `compact` is worth its while.
    #[wasm_bindgen(js_name = wantsCompaction)]
    pub fn wants_compaction(&self) -> bool {
        self.0.wants_compaction()
    }

    /// The same album in another file, without what is of no use any more.
    #[wasm_bindgen(js_name = compactInto)]
    pub fn compact_into(&self, file: AlbumFile) -> Result<Album> {
        self.0.compact_into(file).map(Album)
    }
}

/// The header of an `.npy` file.
#[wasm_bindgen]
pub struct NpyHeader(npy::Header);

#[wasm_bindgen]
impl NpyHeader {
    /// Reads it from a file's first bytes.
    pub fn parse(bytes: &[u8]) -> Result<NpyHeader> {
        npy::Header::parse(bytes).map(NpyHeader)
    }

    /// What an export begins with.
    pub fn write(rows: usize, width: usize) -> Uint8Array {
        Uint8Array::from(&npy::header(rows, width)[..])
    }

    /// Where the numbers begin.
    #[wasm_bindgen(getter)]
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    /// How many vectors.
    #[wasm_bindgen(getter)]
    pub fn rows(&self) -> usize {
        self.0.rows
    }

    /// Bytes of a vector.
    #[wasm_bindgen(getter, js_name = rowBytes)]
    pub fn row_bytes(&self) -> usize {
        self.0.row_bytes()
    }

    /// The numbers of whole vectors.
    pub fn decode(&self, bytes: &[u8]) -> Vec<f32> {
        self.0.decode(bytes)
    }
}
