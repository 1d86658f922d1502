//! Models from elsewhere, for the command line: a hub id or a URL becomes a file or a folder on this
//! machine, which [`crate::load`] opens like any other.
//!
//! Hub ids go to the cache that the hub's own tools use, in their layout, so that a model which
//! Python has fetched is not fetched again, nor the other way around. URLs go to a folder of ours.
//! Only the files that a model is made of are fetched. A broken download goes on where it broke, even
//! in another process; a file takes its place only when it is whole and, where its checksum is
//! known, the right one.
//!
//! - `source`, `address`: what a name means. `environment`: where caches are, and the token.
//! - `wanted`: which files a model is made of. `adapters`: those of an adapter, and of its base.
//! - `repository`: a model of the hub, in the cache (`snapshots`) or at the hub (`remote`). `website`: one
//!   of any other server.
//! - `download`: one file, and how it goes on after a break. `partial`: what there is of it so far.
//!   `patience`: how often to try again. `client`: one request. `lock`: one process at a time.
//!
//! The hub's protocol: <https://huggingface.co/docs/huggingface_hub/package_reference/file_download>,
//! its cache: <https://huggingface.co/docs/huggingface_hub/guides/manage-cache>.

mod adapters;
mod address;
mod client;
mod download;
mod environment;
mod lock;
mod partial;
mod patience;
mod remote;
mod repository;
mod snapshots;
mod source;
mod wanted;
mod website;

pub use adapters::{Fetched, Wanted, fetch_adapted};
pub use environment::Environment;
pub use patience::Patience;
pub use source::Source;

use crate::{Error, Result};
use client::Client;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How to fetch.
#[derive(Debug, Clone)]
pub struct Options {
    /// Hub, token and cache folders.
    pub environment: Environment,
    /// Branch, tag or commit of a hub id; `main` if not given.
    pub revision: Option<String>,
    /// The SHA-256 that the weight file has to have, in hexadecimal.
    pub sha256: Option<String>,
    /// How often and how long to try again.
    pub patience: Patience,
    /// How long a server may say nothing.
    pub silence: Duration,
}

impl Options {
    /// The usual options in `environment`.
    pub fn new(environment: Environment) -> Self {
        Self {
            environment,
            revision: None,
            sha256: None,
            patience: Patience::default(),
            silence: Duration::from_secs(30),
        }
    }
}

/// What happens while a model is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// So much of a file is there now; `total` as far as the server has told it.
    Progress {
        file: &'a str,
        loaded: u64,
        total: Option<u64>,
    },
    /// A file is whole.
    Done { file: &'a str },
    /// Something that a person should know, but that is no failure.
    Notice(&'a str),
}

/// Called with every [`Event`].
pub type Observer<'a> = dyn FnMut(Event) + 'a;

/// Looks at config.json before anything large is fetched, and refuses what cannot be run.
pub type CheckConfig<'a> = dyn Fn(&str) -> Result<()> + 'a;

/// The file or folder of the model that `source` names, fetched if it is not here yet.
pub fn fetch(
    source: &Source,
    options: &Options,
    check_config: &CheckConfig,
    observer: &mut Observer,
) -> Result<PathBuf> {
    if options.revision.is_some() && !matches!(source, Source::Hub { .. }) {
        return Err(Error::BadInput(
            "--revision is for hub ids (owner/name); files, folders and URLs have none".into(),
        ));
    }
    let sha256 = options.sha256.as_deref().map(checked_sha256).transpose()?;
    let client = Client::new(options);
    match source {
        Source::Local(path) => {
            if let Some(expected) = sha256 {
                wanted::check_local(path, &expected)?;
            }
            Ok(path.clone())
        }
        Source::Hub { id, revision, part } => {
            let revision = options.revision.as_deref().or(revision.as_deref());
            let wanted = repository::Wanted {
                id,
                part: part.as_deref(),
                revision: revision.unwrap_or("main"),
            };
            repository::fetch(&wanted, sha256, options, &client, check_config, observer)
        }
        Source::File(url) => website::fetch_file(url, sha256, options, &client, observer),
        Source::Folder(url) => {
            website::fetch_folder(url, sha256, options, &client, check_config, observer)
        }
    }
}

fn checked_sha256(text: &str) -> Result<String> {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Error::BadInput(format!(
        "--sha256 is \"{}\", expected 64 hexadecimal digits",
        text.escape_debug()
    )))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}

/// Checks a whole file that is here already.
fn check_file(path: &Path, expected: &str) -> Result<()> {
    let cannot_read = |error: std::io::Error| {
        Error::BadWeights(format!("{} cannot be read: {error}", path.display()))
    };
    let mut file = std::fs::File::open(path).map_err(cannot_read)?;
    let mut digest = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk).map_err(cannot_read)? {
            0 => break,
            count => digest.update(&chunk[..count]),
        }
    }
    let found = hexadecimal(&digest.finalize());
    if found == expected {
        return Ok(());
    }
    Err(Error::Integrity(format!(
        "{} has the SHA-256 {found}, expected {expected}: it is damaged, or another file",
        path.display()
    )))
}

/// A size for people.
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
