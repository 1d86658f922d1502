//! Where a model's files come from: a folder, a server, a drop on a page. The loader asks for bytes
//! and never knows which it is.

#[cfg(not(target_arch = "wasm32"))]
use crate::Error;
use crate::Result;
#[cfg(not(target_arch = "wasm32"))]
use std::path::{Path, PathBuf};

/// Files by name, all in one place. Nothing is asked for while an answer is still awaited.
#[allow(async_fn_in_trait)] // the loader itself awaits the answers, on one thread
pub trait Files {
    /// A file's length in bytes; `None` if there is no such file.
    async fn size(&self, file: &str) -> Result<Option<u64>>;

    /// Exactly `length` bytes of a file from `offset` on.
    async fn read(&self, file: &str, offset: u64, length: u64) -> Result<Vec<u8>>;

    /// Whether a file is known to be here already, so that it is better taken than another that would
    /// do as well.
    fn is_at_hand(&self, _file: &str) -> bool {
        false
    }
}

impl<F: Files + ?Sized> Files for &F {
    async fn size(&self, file: &str) -> Result<Option<u64>> {
        (**self).size(file).await
    }

    async fn read(&self, file: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        (**self).read(file, offset, length).await
    }

    fn is_at_hand(&self, file: &str) -> bool {
        (**self).is_at_hand(file)
    }
}

/// The files of a folder on this machine, and the one that is compiled in. Its answers are there at once.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug, Clone)]
pub struct Folder(pub PathBuf);

#[cfg(not(target_arch = "wasm32"))]
impl Folder {
    fn cannot_read(path: &Path, error: &std::io::Error) -> Error {
        Error::BadWeights(format!("{} cannot be read: {error}", path.display()))
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Files for Folder {
    async fn size(&self, file: &str) -> Result<Option<u64>> {
        let path = self.0.join(file);
        if let Some(bytes) = compiled_in(&path) {
            return Ok(Some(bytes.len() as u64));
        }
        match std::fs::metadata(&path) {
            Ok(found) if found.is_file() => Ok(Some(found.len())),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Self::cannot_read(&path, &error)),
        }
    }

    async fn read(&self, file: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        use std::io::{Read, Seek, SeekFrom};
        let path = self.0.join(file);
        if let Some(bytes) = compiled_in(&path) {
            let rest = bytes.get(super::fits(offset)?..).unwrap_or_default();
            return Ok(rest[..super::fits(length)?.min(rest.len())].to_vec());
        }
        let mut bytes = vec![0; super::fits(length)?];
        let read = std::fs::File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            file.read_exact(&mut bytes)
        });
        read.map_err(|error| Self::cannot_read(&path, &error))?;
        Ok(bytes)
    }
}

/// The bytes of the embedded model, where the program has one.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn compiled_in(path: &Path) -> Option<&'static [u8]> {
    #[cfg(feature = "cli")]
    return super::embedded(path);
    #[cfg(not(feature = "cli"))]
    {
        let _ = path;
        None
    }
}
