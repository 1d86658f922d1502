//! A model of the hub: up to date if the hub can be reached, else as the cache has it.

use super::address::{encoded, is_plain_name};
use super::client::Client;
use super::patience::{Failure, Patience};
use super::remote::Remote;
use super::snapshots::{Cache, Local};
use super::wanted::collect;
use super::{CheckConfig, Event, Observer, Options, website};
use crate::{Error, Result};
use std::path::PathBuf;

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
