//! One file from one URL to its place, however often the connection breaks.

use super::address::shown;
use super::client::{Client, Reply, cause};
use super::lock::Lock;
use super::partial::Partial;
use super::patience::{Failure, Patience, Tries};
use super::{Event, Observer, megabytes};
use crate::{Error, Result};
use std::io::Read;
use std::path::Path;

/// A file to fetch, and what is known about it.
pub struct Job<'a> {
    pub url: &'a str,
    /// The name that people know it by.
    pub file: &'a str,
    /// Where it goes.
    pub target: &'a Path,
    pub size: Option<u64>,
    pub sha256: Option<&'a str>,
    /// The hub's ETag, by which a reply that does not come by a redirect has to be the file.
    pub hub_etag: Option<&'a str>,
    /// The [`Outcome::Received`] validator of the file that is there already, which need not come
    /// again.
    pub known: Option<&'a str>,
}

/// How a download ended, other than by an error.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The file is there. Its ETag, or else the date of its last change, tells it from a later one.
    Received { validator: Option<String> },
    /// The file that is there already is still the current one.
    Unchanged,
    /// The server has no such file.
    Missing,
    /// The server has another file by now than the hub's ETag says.
    Changed,
}

/// Fetches a file while `lock` is held.
pub fn download(
    client: &Client,
    patience: &Patience,
    job: &Job,
    lock: &Lock,
    observer: &mut Observer,
) -> Result<Outcome> {
    let mut partial = Partial::open(job.target, job.sha256.is_some(), lock.exclusive())?;
    let mut tries = Tries::new(patience);
    loop {
        let before = partial.length();
        match attempt(client, job, &mut partial, observer) {
            Ok(Outcome::Received { validator }) => {
                partial.finish(job.target)?;
                observer(Event::Done { file: job.file });
                return Ok(Outcome::Received { validator });
            }
            Ok(outcome) => {
                partial.discard()?;
                return Ok(outcome);
            }
            Err(failure) => {
                let gained = partial.length().saturating_sub(before);
                if let Err(error) = tries.again(failure, gained, observer) {
                    if partial.length() == 0 {
                        partial.discard()?;
                    }
                    return Err(error);
                }
            }
        }
    }
}

/// One request. Whatever arrives stays in `partial`.
fn attempt(
    client: &Client,
    job: &Job,
    partial: &mut Partial,
    observer: &mut Observer,
) -> std::result::Result<Outcome, Failure> {
    // Without a checksum, only an ETag tells whether the rest belongs to this beginning.
    let recognisable = partial.etag().is_some() || job.sha256.is_some();
    if !recognisable || job.size.is_some_and(|size| partial.length() > size) {
        partial.restart()?;
    }
    let mut validator = partial.etag().map(str::to_string);
    if job
        .size
        .is_none_or(|size| partial.length() < size || size == 0)
    {
        let reply = client.get(job.url, &request_headers(job, partial))?;
        match reply.status {
            404 | 410 => return Ok(Outcome::Missing),
            304 => return Ok(Outcome::Unchanged),
            _ if changed(job, &reply) => return Ok(Outcome::Changed),
            _ => {
                validator = reply
                    .header("etag")
                    .or_else(|| reply.header("last-modified"));
                receive(job, partial, reply, observer)?;
            }
        }
    }
    check_sum(job, partial)?;
    Ok(Outcome::Received { validator })
}

fn request_headers(job: &Job, partial: &Partial) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    if partial.length() > 0 {
        headers.push(("range", format!("bytes={}-", partial.length())));
        if let Some(etag) = partial.etag() {
            headers.push(("if-range", etag.to_string()));
        }
    } else if let Some(known) = job.known {
        let is_etag = known.starts_with('"') || known.starts_with("W/");
        let name = if is_etag {
            "if-none-match"
        } else {
            "if-modified-since"
        };
        headers.push((name, known.to_string()));
    }
    headers
}

fn changed(job: &Job, reply: &Reply) -> bool {
    let etag = reply.header("etag").filter(|_| reply.direct);
    match (job.hub_etag, etag) {
        (Some(expected), Some(etag)) => bare_etag(&etag) != expected,
        _ => false,
    }
}

/// An ETag as the hub's own tools name files by: without quotes and the mark of a weak one.
pub fn bare_etag(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"')
}

/// Takes a body, from where it begins.
fn receive(
    job: &Job,
    partial: &mut Partial,
    mut reply: Reply,
    observer: &mut Observer,
) -> std::result::Result<(), Failure> {
    let total = begin(job, partial, &reply)?;
    let progress = |loaded| Event::Progress {
        file: job.file,
        loaded,
        total,
    };
    observer(progress(partial.length()));
    let mut body = reply.body.as_reader();
    let mut chunk = vec![0; 1 << 18];
    loop {
        match body.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => {
                partial.append(&chunk[..count])?;
                observer(progress(partial.length()));
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(Failure::passing(stopped(
                    job,
                    partial,
                    total,
                    &cause(&error),
                )));
            }
        }
    }
    let length = partial.length();
    match total {
        Some(total) if length < total => Err(Failure::passing(stopped(
            job,
            partial,
            Some(total),
            "the connection ended",
        ))),
        Some(total) if length > total => {
            partial.restart()?;
            Err(Failure::passing(format!(
                "{}: {length} bytes came, {total} were announced",
                shown(job.url)
            )))
        }
        _ => Ok(()),
    }
}

/// Where the body belongs, and how long the whole file will be.
fn begin(
    job: &Job,
    partial: &mut Partial,
    reply: &Reply,
) -> std::result::Result<Option<u64>, Failure> {
    let address = shown(job.url);
    let encoding = reply.header("content-encoding");
    if let Some(encoding) = encoding.filter(|encoding| encoding != "identity") {
        return Err(Error::Network(format!(
            "{address}: the server compresses the file ({}), which was not asked for",
            encoding.escape_debug()
        ))
        .into());
    }
    let announced = match (reply.status, reply.content_range()) {
        (200, _) => {
            partial.restart()?;
            reply.content_length()
        }
        (206, Some((start, total)))
            if start == partial.length() && !other_version(partial, reply) =>
        {
            total
        }
        _ => {
            // A range that makes no sense, or one beyond the end: the file is not what it was.
            partial.restart()?;
            return Err(Failure::passing(format!(
                "{address}: the server answers {} to a request for the rest of the file",
                reply.status
            )));
        }
    };
    if let (Some(announced), Some(size)) = (announced, job.size)
        && announced != size
    {
        partial.restart()?;
        return Err(Failure::passing(format!(
            "{address}: the server announces {announced} bytes, but by the hub the file has {size}"
        )));
    }
    partial.set_etag(reply.strong_etag())?;
    Ok(announced.or(job.size))
}

/// Whether a server goes on with another version of the file, though it was asked not to.
fn other_version(partial: &Partial, reply: &Reply) -> bool {
    match (partial.etag(), reply.strong_etag()) {
        (Some(begun), Some(now)) => begun != now,
        _ => false,
    }
}

fn stopped(job: &Job, partial: &Partial, total: Option<u64>, why: &str) -> String {
    let loaded = megabytes(partial.length());
    let of = total.map_or(String::new(), |total| format!(" of {}", megabytes(total)));
    format!(
        "{}: {why} after {loaded}{of}; what has arrived is kept for the next try",
        shown(job.url)
    )
}

fn check_sum(job: &Job, partial: &mut Partial) -> std::result::Result<(), Failure> {
    let (Some(expected), Some(found)) = (job.sha256, partial.sha256()) else {
        return Ok(());
    };
    if expected == found {
        return Ok(());
    }
    partial.restart()?;
    Err(Failure::Passing {
        error: Error::Integrity(format!(
            "{}: the file that came has the SHA-256 {found}, expected {expected}",
            shown(job.url)
        )),
        wait: None,
    })
}
