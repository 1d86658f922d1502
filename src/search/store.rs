//! Where an album's bytes lie: a file natively, a file of the browser's private file system there,
//! or plain memory. Everything is read and written by offset, at once: no waiting in between.

use crate::{Error, Result};

/// A file that one album owns. Errors say what failed.
pub trait Store {
    /// Length in bytes.
    fn size(&self) -> Result<u64>;

    /// Fills `bytes` from `offset` on; less than that is an error.
    fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<()>;

    /// Fills equal parts of `bytes` from as many offsets.
    fn read_many(&self, offsets: &[u64], bytes: &mut [u8]) -> Result<()> {
        let length = bytes.len() / offsets.len().max(1);
        let parts = bytes.chunks_exact_mut(length.max(1));
        offsets
            .iter()
            .zip(parts)
            .try_for_each(|(offset, part)| self.read(*offset, part))
    }

    /// Writes all of `bytes`, beyond the end, too.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Cuts the file off.
    fn truncate(&mut self, size: u64) -> Result<()>;

    /// Returns when what was written would outlive a crash.
    fn flush(&mut self) -> Result<()>;
}

/// Memory: for tests, and for albums that nobody keeps.
impl Store for Vec<u8> {
    fn size(&self) -> Result<u64> {
        Ok(self.len() as u64)
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(bytes.len());
        match self.get(start..end) {
            Some(part) => bytes.copy_from_slice(part),
            None => return Err(ends_early(offset, bytes.len())),
        }
        Ok(())
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let start = offset as usize;
        self.resize(self.len().max(start + bytes.len()), 0);
        self[start..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn truncate(&mut self, size: u64) -> Result<()> {
        Vec::truncate(self, size as usize);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

fn ends_early(offset: u64, length: usize) -> Error {
    Error::Integrity(format!(
        "the album's file ends before byte {}: it is damaged",
        offset + length as u64
    ))
}

/// A file on disk.
#[cfg(not(target_arch = "wasm32"))]
pub mod disk {
    use super::{Store, ends_early};
    use crate::{Error, Result};
    use std::fs::{File, OpenOptions};
    #[cfg(not(unix))]
    use std::io::Read;
    use std::io::{ErrorKind, Seek, SeekFrom, Write};
    use std::path::{Path, PathBuf};

    /// A file that is read and written in place, locked against other programs while it is open.
    #[derive(Debug)]
    pub struct FileStore {
        file: File,
        path: PathBuf,
    }

    impl FileStore {
        /// Opens the file; makes it first if `create`.
        pub fn open(path: &Path, create: bool) -> Result<Self> {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(create).open(path);
            let file = file.map_err(|error| failed(path, "opened", &error))?;
            if file.try_lock().is_err() {
                let path = path.display();
                return Err(Error::BadInput(format!(
                    "{path} is in use by another program"
                )));
            }
            Ok(Self {
                file,
                path: path.to_path_buf(),
            })
        }

        fn read_at(&self, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
            #[cfg(unix)]
            return std::os::unix::fs::FileExt::read_exact_at(&self.file, bytes, offset);
            #[cfg(not(unix))]
            {
                let mut file = &self.file;
                file.seek(SeekFrom::Start(offset))?;
                file.read_exact(bytes)
            }
        }
    }

    impl Store for FileStore {
        fn size(&self) -> Result<u64> {
            let data = self.file.metadata();
            data.map(|data| data.len())
                .map_err(|error| failed(&self.path, "read", &error))
        }

        fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
            self.read_at(offset, bytes)
                .map_err(|error| match error.kind() {
                    ErrorKind::UnexpectedEof => ends_early(offset, bytes.len()),
                    _ => failed(&self.path, "read", &error),
                })
        }

        fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
            let at = self.file.seek(SeekFrom::Start(offset));
            let written = at.and_then(|_| self.file.write_all(bytes));
            written.map_err(|error| failed(&self.path, "written", &error))
        }

        fn truncate(&mut self, size: u64) -> Result<()> {
            let cut = self.file.set_len(size);
            cut.map_err(|error| failed(&self.path, "written", &error))
        }

        fn flush(&mut self) -> Result<()> {
            let flushed = self.file.sync_data();
            flushed.map_err(|error| failed(&self.path, "written", &error))
        }
    }

    fn failed(path: &Path, what: &str, error: &std::io::Error) -> Error {
        Error::BadInput(format!("{} cannot be {what}: {error}", path.display()))
    }
}
