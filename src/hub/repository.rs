//! A repository of the hub, through the cache that the hub's own tools use:
//!
//! ```text
//! models--owner--name/refs/main            the commit that the branch was last seen at
//! models--owner--name/blobs/ETAG           a file's bytes, ETAG.incomplete while they arrive
//! models--owner--name/snapshots/COMMIT/... links to them, under the files' names
//! models--owner--name/.no_exist/COMMIT/... empty files, under names that the commit has no file of
//! .locks/models--owner--name/ETAG.lock     held by whoever downloads
//! ```

use super::address::{encoded, encoded_path, is_plain_name};
use super::client::{Client, Reply};
use super::download::{Job, Outcome, bare_etag, download};
use super::lock::{Lock, cannot_write, create_folder};
use super::partial::{temporary, write_at_once};
use super::patience::{Failure, Patience, Tries};
use super::wanted::{Folder, collect};
use super::{CheckConfig, Event, Observer, Options, check_file, hexadecimal, website};
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};

/// How often a file may change while it is being fetched.
const MOST_CHANGES: usize = 3;

/// What is wanted of the hub.
pub struct Wanted<'w> {
    /// `owner/name`.
    pub id: &'w str,
    /// The folder in it whose model is wanted, if not the one at its root.
    pub part: Option<&'w str>,
    /// A branch, tag or commit.
    pub revision: &'w str,
}

/// The folder of a model, up to date if the hub can be reached, else as it was last seen.
pub fn fetch(
    wanted: &Wanted,
    sha256: Option<String>,
    options: &Options,
    client: &Client,
    check_config: &CheckConfig,
    observer: &mut Observer,
) -> Result<PathBuf> {
    let Wanted { id, part, revision } = *wanted;
    check_revision(revision)?;
    let cache = Cache::new(&options.environment.hub_cache, id);
    let within = |folder: PathBuf| match part {
        Some(part) => folder.join(part),
        None => folder,
    };
    let cached = cache.commit(revision).and_then(|commit| {
        let mut snapshot = Local {
            id,
            revision,
            folder: cache.snapshot(&commit),
        };
        collect(&mut snapshot, part, sha256.as_deref(), check_config)
            .map(|()| (commit, snapshot.folder))
    });
    let unchanging = matches!(&cached, Ok((commit, _)) if commit == revision);
    if options.environment.offline || unchanging {
        return cached.map(|(_, folder)| within(folder));
    }
    let mut remote = Remote {
        id,
        revision,
        at: revision.to_string(),
        options,
        client,
        observer,
        cache: &cache,
    };
    let patience = if cached.is_ok() {
        Patience::none()
    } else {
        options.patience.clone()
    };
    let commit = match remote.commit(&patience) {
        Ok(commit) => commit,
        Err(Failure::Passing { error, .. }) => {
            let Ok((_, folder)) = cached else {
                return Err(error);
            };
            let notice = format!("{error}. Using {id} as it was last fetched");
            (remote.observer)(Event::Notice(&notice));
            return Ok(within(folder));
        }
        Err(Failure::Final(error)) => return Err(error),
    };
    let Some(commit) = commit else {
        // A mirror that is just files: nothing tells its versions apart but their ETags.
        let endpoint = &options.environment.endpoint;
        let folder = part.map_or(String::new(), |part| {
            format!("/{}", part.trim_end_matches('/'))
        });
        let url = format!("{endpoint}/{id}/resolve/{}{folder}", encoded(revision));
        return website::fetch_folder(&url, sha256, options, client, check_config, observer);
    };
    // From here on everything is of one commit, whatever is pushed meanwhile.
    remote.at = commit.clone();
    collect(&mut remote, part, sha256.as_deref(), check_config)?;
    cache.remember(revision, &commit)?;
    Ok(within(cache.snapshot(&commit)))
}

fn check_revision(revision: &str) -> Result<()> {
    if revision.split('/').all(is_plain_name) {
        return Ok(());
    }
    Err(Error::BadInput(format!(
        "the revision \"{}\" is not a branch, tag or commit",
        revision.escape_debug()
    )))
}

/// A repository's part of the cache.
struct Cache {
    repository: PathBuf,
    locks: PathBuf,
}

impl Cache {
    fn new(folder: &Path, id: &str) -> Self {
        let name = format!("models--{}", id.replace('/', "--"));
        Self {
            repository: folder.join(&name),
            locks: folder.join(".locks").join(&name),
        }
    }

    fn snapshot(&self, commit: &str) -> PathBuf {
        self.repository.join("snapshots").join(commit)
    }

    /// What says that a commit is known to have no such file.
    fn missing(&self, commit: &str, file: &str) -> PathBuf {
        self.repository.join(".no_exist").join(commit).join(file)
    }

    /// Spares the next load the question. That it cannot be noted is no reason to stop.
    fn remember_missing(&self, commit: &str, file: &str) {
        let note = self.missing(commit, file);
        let folder = note.parent().unwrap_or(&self.repository);
        let _ = create_folder(folder).and_then(|()| write_at_once(&note, ""));
    }

    /// The commit that a revision was last seen at.
    fn commit(&self, revision: &str) -> Result<String> {
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

    fn remember(&self, revision: &str, commit: &str) -> Result<()> {
        let reference = self.repository.join("refs").join(revision);
        if revision == commit
            || std::fs::read_to_string(&reference).is_ok_and(|known| known == commit)
        {
            return Ok(());
        }
        create_folder(reference.parent().unwrap_or(&self.repository))?;
        write_at_once(&reference, commit)
    }
}

/// A snapshot as it is in the cache.
struct Local<'a> {
    id: &'a str,
    revision: &'a str,
    folder: PathBuf,
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

/// A revision as the hub has it.
struct Remote<'a, 'o> {
    id: &'a str,
    /// The revision that was asked for.
    revision: &'a str,
    /// The same, later the commit that it was found to be.
    at: String,
    options: &'a Options,
    client: &'a Client,
    observer: &'a mut Observer<'o>,
    cache: &'a Cache,
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
            let reply = self
                .ask(file, &self.options.patience)
                .map_err(Failure::into_error)?;
            if matches!(reply.status, 404 | 410) {
                self.cache.remember_missing(&self.at, file);
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
            place(&self.cache.repository, &identity.blob, &link)?;
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
        format!(
            "{endpoint}/{}/resolve/{}/{}",
            self.id,
            encoded(&self.at),
            encoded_path(file)
        )
    }

    /// The commit that the revision is at now, if the hub says so.
    fn commit(&mut self, patience: &Patience) -> std::result::Result<Option<String>, Failure> {
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

/// Makes a blob appear under a file's name, by a link where links can be had.
fn place(repository: &Path, blob: &str, link: &Path) -> Result<()> {
    create_folder(link.parent().unwrap_or(repository))?;
    let temporary = temporary(link);
    let placed = link_or_copy(repository, blob, &temporary);
    let placed = placed.and_then(|()| std::fs::rename(&temporary, link));
    placed.map_err(|error| cannot_write(link, &error))
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
