//! One process at a time downloads a file; others wait for it and then find it there.

use super::{Event, Observer};
use crate::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::Path;

/// Holds a lock until it is dropped. The lock is that of the hub's own tools (`flock` on a file of
/// this name), so they wait, too.
#[derive(Debug)]
pub struct Lock(Option<File>);

impl Lock {
    /// Waits for the lock. On file systems that know none, `exclusive` will be false.
    pub fn acquire(path: &Path, file: &str, observer: &mut Observer) -> Result<Self> {
        if let Some(folder) = path.parent() {
            create_folder(folder)?;
        }
        let lock = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path)
            .map_err(|error| cannot_write(path, &error))?;
        match lock.try_lock() {
            Ok(()) => return Ok(Self(Some(lock))),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(_)) => return Ok(Self(None)),
        }
        observer(Event::Notice(&format!(
            "{file}: waiting for another process that is downloading it"
        )));
        Ok(Self(lock.lock().is_ok().then_some(lock)))
    }

    /// Whether nobody else can have the lock.
    pub fn exclusive(&self) -> bool {
        self.0.is_some()
    }
}

/// Makes a folder and those above it.
pub fn create_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))
}

/// The error for a file or folder of a cache.
pub fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    use std::io::ErrorKind::{
        FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let path = path.display();
    Error::Network(match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => format!(
            "{path} cannot be written: {error}. Make room, or set HF_HOME and XDG_CACHE_HOME to \
             folders on a larger disk; the download will go on where it stopped"
        ),
        PermissionDenied | ReadOnlyFilesystem => format!(
            "{path} cannot be written: {error}. Set HF_HOME and XDG_CACHE_HOME to folders that may be written"
        ),
        _ => format!("{path} cannot be written: {error}"),
    })
}
