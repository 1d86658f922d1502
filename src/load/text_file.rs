//! A file that stands beside the weights, read whole.

use super::Files;
use super::reader::check_sha256;
use super::weight_file::Promises;
use crate::weights::unlike;
use crate::{Error, Result};
use sha2::{Digest, Sha256};

/// A file longer than this is not believed. Tokenizers, the longest, take a few MB.
const LONGEST: u64 = 100_000_000;

/// The whole of a text file; `None` if there is none.
pub(crate) async fn read(
    files: &impl Files,
    file: &str,
    promises: &Promises,
) -> Result<Option<String>> {
    let Some(bytes) = read_bytes(files, file, promises).await? else {
        return Ok(None);
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(Error::BadWeights(format!("{file} is not UTF-8 text"))),
    }
}

/// The bytes of a file; `None` if there is none.
pub(super) async fn read_bytes(
    files: &impl Files,
    file: &str,
    promises: &Promises,
) -> Result<Option<Vec<u8>>> {
    let Some(size) = files.size(file).await? else {
        return Ok(None);
    };
    let bad = |what: String| Err(Error::BadWeights(format!("{file} {what}")));
    if size > LONGEST {
        return bad(format!("has {size} bytes, expected at most {LONGEST}"));
    }
    let bytes = match size {
        0 => Vec::new(),
        _ => files.read(file, 0, size).await?,
    };
    if bytes.len() as u64 != size {
        return bad(format!("has {size} bytes, but {} came", bytes.len()));
    }
    if let Some(expected) = promises.get(file) {
        check_sha256(file, Sha256::new_with_prefix(&bytes), expected)?;
    }
    if let Some(what) = unlike::stand_in(file, &bytes) {
        return bad(what);
    }
    Ok(Some(bytes))
}
