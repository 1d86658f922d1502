//! The part of the cache that holds a repository of the hub, as the hub's own tools lay it out:
//!
//! ```text
//! models--owner--name/refs/main            the commit that the branch was last seen at
//! models--owner--name/blobs/ETAG           a file's bytes, ETAG.incomplete while they arrive
//! models--owner--name/snapshots/COMMIT/... links to them, under the files' names
//! models--owner--name/.no_exist/COMMIT/... empty files, under names that the commit has no file of
//! .locks/models--owner--name/ETAG.lock     held by whoever downloads
//! ```

use super::address::is_plain_name;
use super::check_file;
use super::lock::{cannot_write, create_folder};
use super::partial::{temporary, write_at_once};
use super::wanted::Folder;
use crate::{Error, Result};
use std::fmt;
use std::path::{Path, PathBuf};

/// A repository's part of the cache.
pub struct Cache {
    pub repository: PathBuf,
    pub locks: PathBuf,
}

impl Cache {
    pub fn new(folder: &Path, id: &str) -> Self {
        let name = format!("models--{}", id.replace('/', "--"));
        Self {
            repository: folder.join(&name),
            locks: folder.join(".locks").join(&name),
        }
    }

    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.repository.join("snapshots").join(commit)
    }

    /// What says that a commit is known to have no such file.
    pub fn missing(&self, commit: &str, file: &str) -> PathBuf {
        self.repository.join(".no_exist").join(commit).join(file)
    }

    /// Spares the next load the question. That it cannot be noted is no reason to stop.
    pub fn remember_missing(&self, commit: &str, file: &str) {
        let note = self.missing(commit, file);
        let folder = note.parent().unwrap_or(&self.repository);
        let _ = create_folder(folder).and_then(|()| write_at_once(&note, ""));
    }

    /// The commit that a revision was last seen at.
    pub fn commit(&self, revision: &str) -> Result<String> {
        let known = std::fs::read_to_string(self.repository.join("refs").join(revision));
        let commit = known.map_or(revision.to_string(), |text| text.trim().to_string());
        if is_plain_name(&commit) && self.snapshot(&commit).is_dir() {
            return Ok(commit);
        }
        Err(Error::Network(format!(
            "revision {revision} is not in {}, and HF_HUB_OFFLINE forbids to fetch it",
            self.repository.display()
        )))
    }

    pub fn remember(&self, revision: &str, commit: &str) -> Result<()> {
        let reference = self.repository.join("refs").join(revision);
        if revision == commit
            || std::fs::read_to_string(&reference).is_ok_and(|known| known == commit)
        {
            return Ok(());
        }
        create_folder(reference.parent().unwrap_or(&self.repository))?;
        write_at_once(&reference, commit)
    }

    /// Makes a blob appear under a file's name, by a link where links can be had.
    pub fn place(&self, blob: &str, link: &Path) -> Result<()> {
        create_folder(link.parent().unwrap_or(&self.repository))?;
        let temporary = temporary(link);
        let placed = link_or_copy(&self.repository, blob, &temporary);
        let placed = placed.and_then(|()| std::fs::rename(&temporary, link));
        placed.map_err(|error| cannot_write(link, &error))
    }
}

/// A snapshot as it is in the cache.
pub struct Local<'a> {
    pub id: &'a str,
    pub revision: &'a str,
    pub folder: PathBuf,
}

impl fmt::Display for Local<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let Self {
            id,
            revision,
            folder,
        } = self;
        write!(
            formatter,
            "{id} at {revision}, as it is cached in {},",
            folder.display()
        )
    }
}

impl Folder for Local<'_> {
    fn has(&self, file: &str) -> bool {
        self.folder.join(file).exists()
    }

    fn get(&mut self, file: &str, sha256: Option<&str>) -> Result<Option<PathBuf>> {
        let path = self.folder.join(file);
        if !path.exists() {
            return Ok(None);
        }
        sha256.map_or(Ok(()), |expected| check_file(&path, expected))?;
        Ok(Some(path))
    }

    fn id(&self) -> Option<&str> {
        Some(self.id)
    }
}

#[cfg(unix)]
fn link_or_copy(repository: &Path, blob: &str, link: &Path) -> std::io::Result<()> {
    let _ = std::fs::remove_file(link); // of an earlier process with this number
    let folders = link
        .strip_prefix(repository)
        .map_or(3, |path| path.components().count());
    let up = "../".repeat(folders - 1);
    std::os::unix::fs::symlink(format!("{up}blobs/{blob}"), link)
}

#[cfg(not(unix))]
fn link_or_copy(repository: &Path, blob: &str, link: &Path) -> std::io::Result<()> {
    let blob = repository.join("blobs").join(blob);
    let _ = std::fs::remove_file(link); // of an earlier process with this number
    std::fs::hard_link(&blob, link).or_else(|_| std::fs::copy(&blob, link).map(drop))
}
