//! A revision of a repository as the hub has it: asked for what a file is, then for its bytes.

use super::address::{encoded, encoded_path, is_plain_name};
use super::client::{Client, Reply};
use super::download::{Job, Outcome, bare_etag, download};
use super::lock::{Lock, create_folder};
use super::patience::{Failure, Patience, Tries};
use super::snapshots::Cache;
use super::wanted::Folder;
use super::{Observer, Options, check_file, hexadecimal};
use crate::load::texts::CLIPS_WORDS;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};

/// How often a file may change while it is being fetched.
const MOST_CHANGES: usize = 3;

/// A revision as the hub has it.
pub struct Remote<'a, 'o> {
    pub id: &'a str,
    /// The revision that was asked for.
    pub revision: &'a str,
    /// The same, later the commit that it was found to be.
    pub at: String,
    pub options: &'a Options,
    pub client: &'a Client,
    pub observer: &'a mut Observer<'o>,
    pub cache: &'a Cache,
}

/// What the hub says about a file without sending it.
struct Identity {
    /// As the hub has it, without quotes.
    etag: String,
    /// The name of its blob: the ETag, if a file can be called that.
    blob: String,
    size: Option<u64>,
    /// Known for large files only; the ETag of small ones is git's.
    sha256: Option<String>,
}

impl fmt::Display for Remote<'_, '_> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let endpoint = &self.options.environment.endpoint;
        write!(
            formatter,
            "{} at revision {} of {endpoint}",
            self.id, self.revision
        )
    }
}

impl Folder for Remote<'_, '_> {
    fn has(&self, file: &str) -> bool {
        self.cache.snapshot(&self.at).join(file).exists()
    }

    fn get(&mut self, file: &str, sha256: Option<&str>) -> Result<Option<PathBuf>> {
        let link = self.cache.snapshot(&self.at).join(file);
        if link.exists() && sha256.is_none_or(|expected| check_file(&link, expected).is_ok()) {
            return Ok(Some(link));
        }
        if self.cache.missing(&self.at, file).exists() {
            return Ok(None);
        }
        for _ in 0..MOST_CHANGES {
            let reply = match self.ask(file, &self.options.patience) {
                // Of another repository, which a mirror may not have: the model then lacks it.
                Err(Failure::Final(_)) if file == CLIPS_WORDS => return Ok(None),
                reply => reply.map_err(Failure::into_error)?,
            };
            if matches!(reply.status, 404 | 410) {
                if file != CLIPS_WORDS {
                    self.cache.remember_missing(&self.at, file);
                }
                return Ok(None);
            }
            let identity = identity(&reply).ok_or_else(|| {
                Error::Network(format!(
                    "{self} does not say which version of {file} it has (no ETag)"
                ))
            })?;
            identity.check(file, sha256)?;
            match self.fetch_blob(file, &identity, sha256)? {
                Outcome::Missing => return Ok(None),
                Outcome::Changed => continue,
                Outcome::Received { .. } | Outcome::Unchanged => {}
            }
            self.cache.place(&identity.blob, &link)?;
            return Ok(Some(link));
        }
        Err(Error::Integrity(format!(
            "{file} of {self} changes with every request, try again later"
        )))
    }

    fn id(&self) -> Option<&str> {
        Some(self.id)
    }
}

impl Remote<'_, '_> {
    fn url(&self, file: &str) -> String {
        let endpoint = &self.options.environment.endpoint;
        let (id, at, file) = match CLIPS_WORDS.rsplit_once('/') {
            Some((id, name)) if file == CLIPS_WORDS => (id, "main", name),
            _ => (self.id, &self.at[..], file),
        };
        let (at, file) = (encoded(at), encoded_path(file));
        format!("{endpoint}/{id}/resolve/{at}/{file}")
    }

    /// The commit that the revision is at now, if the hub says so.
    pub fn commit(&mut self, patience: &Patience) -> std::result::Result<Option<String>, Failure> {
        let reply = self.ask("config.json", patience)?;
        let known = matches!(reply.status, 404 | 410) || identity(&reply).is_some();
        let commit = reply.header("x-repo-commit").filter(|_| known);
        Ok(commit.filter(|commit| is_plain_name(commit)))
    }

    /// What the hub replies to the question what a file is.
    fn ask(&mut self, file: &str, patience: &Patience) -> std::result::Result<Reply, Failure> {
        let url = self.url(file);
        let mut tries = Tries::new(patience);
        loop {
            match self.client.head(&url).and_then(|reply| self.checked(reply)) {
                Err(failure @ Failure::Passing { .. }) => {
                    let again = tries.again(failure, 0, self.observer);
                    again.map_err(|error| Failure::Passing { error, wait: None })?;
                }
                other => return other,
            }
        }
    }

    /// The reply, unless more is missing than the file.
    fn checked(&self, reply: Reply) -> std::result::Result<Reply, Failure> {
        let endpoint = &self.options.environment.endpoint;
        match reply
            .error_code()
            .as_deref()
            .filter(|_| reply.status == 404)
        {
            Some("RepoNotFound") => Err(Error::Network(format!(
                "there is no repository {} at {endpoint}: check the spelling, or pass a token \
                 (HF_TOKEN) if it is private",
                self.id
            ))
            .into()),
            Some("RevisionNotFound") => Err(Error::Network(format!(
                "{} at {endpoint} has no revision {}: check the branch, tag or commit",
                self.id, self.revision
            ))
            .into()),
            _ => Ok(reply),
        }
    }

    /// Makes sure that the blob is in the cache.
    fn fetch_blob(
        &mut self,
        file: &str,
        identity: &Identity,
        sha256: Option<&str>,
    ) -> Result<Outcome> {
        let blobs = self.cache.repository.join("blobs");
        create_folder(&blobs)?;
        let blob = blobs.join(&identity.blob);
        let lock = self.cache.locks.join(format!("{}.lock", identity.blob));
        let lock = Lock::acquire(&lock, file, self.observer)?;
        if blob.exists() && identity.is_intact(&blob, sha256) {
            return Ok(Outcome::Unchanged);
        }
        let job = Job {
            url: &self.url(file),
            file,
            target: &blob,
            size: identity.size,
            sha256: identity.sha256.as_deref().or(sha256),
            hub_etag: Some(&identity.etag),
            known: None,
        };
        download(
            self.client,
            &self.options.patience,
            &job,
            &lock,
            self.observer,
        )
    }
}

/// What a reply says about a file, if it says which version of it there is.
fn identity(reply: &Reply) -> Option<Identity> {
    let linked = reply.header("x-linked-etag");
    let etag = linked.or_else(|| reply.header("etag"))?;
    let etag = Some(bare_etag(&etag)).filter(|etag| !etag.is_empty())?;
    let length = reply.content_length().filter(|_| reply.status == 200);
    let linked_size = reply.header("x-linked-size");
    let is_sha256 = etag.len() == 64 && etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some(Identity {
        size: linked_size.and_then(|size| size.parse().ok()).or(length),
        sha256: is_sha256.then(|| etag.to_ascii_lowercase()),
        blob: match is_plain_name(etag) {
            true => etag.to_string(),
            false => hexadecimal(&Sha256::digest(etag)),
        },
        etag: etag.to_string(),
    })
}

impl Identity {
    /// Whether this can be the file that was asked for.
    fn check(&self, file: &str, sha256: Option<&str>) -> Result<()> {
        match (&self.sha256, sha256) {
            (Some(found), Some(expected)) if found != expected => Err(Error::Integrity(format!(
                "by the hub {file} has the SHA-256 {found}, expected {expected}: it is another file"
            ))),
            _ => Ok(()),
        }
    }

    /// Whether a blob is this file. Its checksum is only looked at when one was asked for: reading
    /// a large model takes as long as loading it.
    fn is_intact(&self, blob: &Path, sha256: Option<&str>) -> bool {
        let length = blob.metadata().map(|metadata| metadata.len()).ok();
        let complete = self.size.is_none_or(|size| Some(size) == length);
        complete && sha256.is_none_or(|expected| check_file(blob, expected).is_ok())
    }
}
