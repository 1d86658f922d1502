//! Opening a model on a native platform: a .gguf file or a folder.

use super::{Assembly, Description, GgufLoader, folder::FolderWeights};
use crate::device::Placement;
use crate::kernels::PackedFormat;
use crate::nn::{Dtype, Target};
use crate::tasks::Model;
use crate::weights::ReadAt;
use crate::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Mutex;

/// Bytes read from a GGUF file at a time.
const CHUNK: usize = 1 << 22;

/// Loads the model at `path`; `progress` is told how many of how many bytes have been read.
pub fn open(
    path: &Path,
    placement: Placement,
    dtype: Dtype,
    progress: impl FnMut(u64, u64),
) -> Result<Model> {
    if path.is_dir() {
        open_folder(path, placement, dtype, progress)
    } else if path.is_file() {
        open_gguf(path, placement, dtype, progress)
    } else {
        Err(Error::BadInput(format!(
            "{}: no such file or folder. A model is a .gguf file or a folder in Hugging Face layout; hub ids have to be downloaded first",
            path.display()
        )))
    }
}

fn open_gguf(
    path: &Path,
    placement: Placement,
    dtype: Dtype,
    mut progress: impl FnMut(u64, u64),
) -> Result<Model> {
    let mut file = FileBytes::open(path)?;
    let length = file.len();
    let mut loader = GgufLoader::new(&path.display().to_string(), placement, dtype, Some(length));
    let mut chunk = vec![0; CHUNK];
    let mut loaded = 0;
    loop {
        match file
            .file
            .get_mut()
            .map_or(Ok(0), |file| file.read(&mut chunk))
        {
            Ok(0) => return loader.finish(),
            Ok(count) => {
                loader.push(&chunk[..count])?;
                loaded += count as u64;
                progress(loaded, length);
            }
            Err(error) => return Err(cannot_read(path, &error)),
        }
    }
}

fn open_folder(
    path: &Path,
    placement: Placement,
    dtype: Dtype,
    mut progress: impl FnMut(u64, u64),
) -> Result<Model> {
    let format = dtype.packed_format().unwrap_or(PackedFormat::Q8);
    let description = Description::from_folder(path)?;
    let mut assembly = Assembly::new(&description, placement, Target::Convert(format))?;
    let weights = FolderWeights::open(path)?;
    let total = weights.tensors().map(|tensor| tensor.bytes).sum();
    let mut loaded = 0;
    weights.read_all(|tensor, bytes| {
        loaded += bytes.len() as u64;
        progress(loaded, total);
        assembly.accept(tensor, bytes)
    })?;
    assembly.finish()
}

/// A file's bytes, in any order.
#[derive(Debug)]
pub struct FileBytes {
    name: String,
    file: Mutex<File>,
    length: u64,
}

impl FileBytes {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
        let length = file
            .metadata()
            .map_err(|error| cannot_read(path, &error))?
            .len();
        Ok(Self {
            name: path.display().to_string(),
            file: Mutex::new(file),
            length,
        })
    }
}

impl ReadAt for FileBytes {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        if offset
            .checked_add(length as u64)
            .is_none_or(|end| end > self.length)
        {
            return Err(Error::BadWeights(format!(
                "{} has {} bytes, but {length} are needed at {offset}: it is truncated",
                self.name, self.length
            )));
        }
        let mut bytes = vec![0; length];
        let mut file = self
            .file
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|error| cannot_read(Path::new(&self.name), &error))?;
        Ok(bytes)
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Error {
    Error::BadWeights(format!("{} cannot be read: {error}", path.display()))
}
