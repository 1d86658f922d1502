//! A file that is not whole yet. It lies beside its final place under a name of its own, with the
//! ETag it came with in a second small file, and outlives the process, so that a later one can go on.

use super::hexadecimal;
use super::lock::cannot_write;
use crate::Result;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The beginning of a file.
pub struct Partial {
    file: File,
    path: PathBuf,
    etag_path: PathBuf,
    length: u64,
    etag: Option<String>,
    digest: Option<Sha256>,
}

impl Partial {
    /// What is there of `target`, or an empty file. With `sha256` a checksum is computed along.
    /// Without an exclusive lock it is a file that nobody else knows of.
    pub fn open(target: &Path, sha256: bool, exclusive: bool) -> Result<Self> {
        let ending = if exclusive {
            "incomplete".into()
        } else {
            format!("{}.incomplete", std::process::id())
        };
        let path = with_ending(target, &ending);
        let etag_path = with_ending(&path, "etag");
        let file = File::options()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&path);
        let mut partial = Self {
            file: file.map_err(|error| cannot_write(&path, &error))?,
            etag: std::fs::read_to_string(&etag_path).ok(),
            etag_path,
            path,
            length: 0,
            digest: sha256.then(Sha256::new),
        };
        partial.recall()?;
        Ok(partial)
    }

    /// Reads what an earlier process left, for the checksum.
    fn recall(&mut self) -> Result<()> {
        let error_of = |path: &Path, error| cannot_write(path, &error);
        let Some(digest) = &mut self.digest else {
            self.length = self
                .file
                .seek(SeekFrom::End(0))
                .map_err(|error| error_of(&self.path, error))?;
            return Ok(());
        };
        let mut chunk = vec![0; 1 << 20];
        loop {
            match self
                .file
                .read(&mut chunk)
                .map_err(|error| error_of(&self.path, error))?
            {
                0 => return Ok(()),
                count => digest.update(&chunk[..count]),
            }
            self.length = self
                .file
                .stream_position()
                .map_err(|error| error_of(&self.path, error))?;
        }
    }

    /// How many bytes are there.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The ETag that these bytes came with.
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// Begins anew.
    pub fn restart(&mut self) -> Result<()> {
        let emptied = self
            .file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map_err(|error| cannot_write(&self.path, &error))?;
        self.length = 0;
        self.digest = self.digest.take().map(|_| Sha256::new());
        self.set_etag(None)
    }

    /// Remembers the ETag of the bytes that follow.
    pub fn set_etag(&mut self, etag: Option<String>) -> Result<()> {
        if self.etag == etag {
            return Ok(());
        }
        let stored = match &etag {
            Some(etag) => std::fs::write(&self.etag_path, etag),
            None => remove(&self.etag_path),
        };
        stored.map_err(|error| cannot_write(&self.etag_path, &error))?;
        self.etag = etag;
        Ok(())
    }

    /// Adds the next bytes.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            // Some of them may be there; the next process has to know how many to trust.
            let _ = self.file.set_len(self.length);
            return Err(cannot_write(&self.path, &error));
        }
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// The SHA-256 of all bytes so far, if it is computed.
    pub fn sha256(&self) -> Option<String> {
        let digest = self.digest.clone()?;
        Some(hexadecimal(&digest.finalize()))
    }

    /// Puts the file into its place.
    pub fn finish(self, target: &Path) -> Result<()> {
        std::fs::rename(&self.path, target).map_err(|error| cannot_write(target, &error))?;
        let _ = remove(&self.etag_path); // left over, it would do no harm
        Ok(())
    }

    /// Removes what there is.
    pub fn discard(self) -> Result<()> {
        let removed = remove(&self.path).and_then(|()| remove(&self.etag_path));
        removed.map_err(|error| cannot_write(&self.path, &error))
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// `path` with a dot and `ending` after its whole name.
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".");
    name.push(ending);
    name.into()
}

/// A name beside `path` that nobody else uses.
pub fn temporary(path: &Path) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    with_ending(path, &format!("{}-{count}.tmp", std::process::id()))
}

/// Writes a small file in one step: others see the old one or the new one.
pub fn write_at_once(path: &Path, text: &str) -> Result<()> {
    let temporary = temporary(path);
    let written = std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|error| cannot_write(path, &error))
}
